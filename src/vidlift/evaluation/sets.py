"""Test sets: folders of pictures or of clips, found under one folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidlift.errors import InputError, UsageError
from vidlift.evaluation.pictures import SUFFIXES

CLIP_SUFFIXES = frozenset({".mkv", ".mp4", ".mov", ".y4m", ".avi", ".webm", ".ts", ".nut"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSet:
    __test__ = False  # for pytest, which takes any Test* for tests

    name: str
    folder: Path
    clips: tuple[Path, ...]
    """The clips, by name; empty for a set of pictures."""


def find(data: Path, wanted: Sequence[str] = ()) -> list[TestSet]:
    """The sets under ``data``: those wanted, in that order, or all by name.

    ``data`` is a set itself where it holds pictures or clips and no set lies below it.
    Raises ``InputError`` where there is nothing to measure on, ``UsageError`` for a name that is
    not there.
    """
    if not data.is_dir():
        raise InputError(f"no folder {data} to measure on")
    folders = sorted(path for path in data.iterdir() if path.is_dir())
    found = [test for test in map(_set, folders) if test] or [t for t in [_set(data)] if t]
    if not found:
        raise InputError(f"no pictures or clips in {data} or the folders in it")
    named = {test.name: test for test in found}
    if missing := [name for name in wanted if name not in named]:
        raise UsageError(f"no set {', '.join(missing)} in {data}; there are {', '.join(named)}")
    return [named[name] for name in wanted or named]


def _set(folder: Path) -> TestSet | None:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    clips = tuple(path for path in files if path.suffix.lower() in CLIP_SUFFIXES)
    if any(path.suffix.lower() in SUFFIXES for path in files):
        return TestSet(name=folder.name, folder=folder, clips=())
    return TestSet(name=folder.name, folder=folder, clips=clips) if clips else None
