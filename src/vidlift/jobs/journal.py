"""What a job that may be killed at any moment remembers.

    OUTPUT.vidlift-job/
      job.json        what the job is: input, model, options. Written once
      journal.jsonl   one line a finished segment, appended after the segment is on the disk
      00000.nut …     the segments
      lock            held while a process works on the job

A segment counts when its line is whole and the file is as the line says. So whatever moment the
machine stops at, what is lost is at most the segment in the making.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

from vidlift.errors import OutputError, UsageError

FORMAT = 1
"""Raised when a job of an older Vidlift cannot be gone on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A finished piece of the picture."""

    index: int
    frames: int
    bytes: int
    sha256: str
    start: str
    """When its first frame is shown, in seconds, as an exact fraction; its times count from it."""

    end: str
    """When its last frame stops being shown."""


class Journal:
    """The memory of one job, on disk. Made by ``open_journal``; one process at a time has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.segments: list[Segment] = list(_finished(folder))

    @property
    def frames(self) -> int:
        """How many frames are in the finished segments."""
        return sum(segment.frames for segment in self.segments)

    @property
    def bytes(self) -> int:
        return sum(segment.bytes for segment in self.segments)

    def path(self, index: int) -> Path:
        return _segment_path(self.folder, index)

    def add(self, *, frames: int, start: Fraction, end: Fraction) -> None:
        """Note that the next segment's file is complete: first the file, then its line."""
        index = len(self.segments)
        where = self.path(index)
        _sync(where)
        _sync(self.folder)
        segment = Segment(
            index=index,
            frames=frames,
            bytes=where.stat().st_size,
            sha256=_digest(where),
            start=str(start),
            end=str(end),
        )
        with (self.folder / "journal.jsonl").open("a") as lines:
            lines.write(json.dumps(asdict(segment)) + "\n")
            lines.flush()
            os.fsync(lines.fileno())
        self.segments.append(segment)

    def remove(self) -> None:
        """The job is done: leave nothing behind."""
        shutil.rmtree(self.folder)


@contextmanager
def open_journal(
    folder: Path, identity: Mapping[str, object], *, resume: bool
) -> Iterator[Journal]:
    """Begin the job that ``identity`` describes, or go on with it.

    Raises ``UsageError`` when the folder holds another job and ``resume`` is set, or when another
    process works on it; ``OutputError`` when it cannot be written.
    """
    try:
        folder.mkdir(parents=False, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise OutputError(f"cannot write beside the output: {folder}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(
                f"another vidlift is working on {folder.stem} at this moment"
            ) from error
        _agree(folder, {"format": FORMAT, **identity}, resume=resume)
        yield Journal(folder)


def _agree(folder: Path, identity: Mapping[str, object], *, resume: bool) -> None:
    """Make sure that what the folder holds is of this job, or nothing."""
    note = folder / "job.json"
    before = _read_note(note)
    if before is not None and resume:
        changed = [key for key in identity if before.get(key) != identity[key]]
        if changed:
            what = "; ".join(f"{key} was {before.get(key)}, is {identity[key]}" for key in changed)
            raise UsageError(
                f"{folder} holds unfinished work of another job ({what}); "
                "run with the same input, model and options to go on, "
                "or with --no-resume to start afresh"
            )
        return
    for old in folder.iterdir():
        if old.name != "lock":
            old.unlink()
    part = note.with_suffix(".part")
    part.write_text(json.dumps(identity, indent=2) + "\n")
    _sync(part)
    part.replace(note)
    _sync(folder)


def _read_note(note: Path) -> dict[str, object] | None:
    """The job's note, or None where there is none that can be read: a job not yet begun."""
    try:
        content = json.loads(note.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _finished(folder: Path) -> Iterator[Segment]:
    """The segments from the first on, up to the first that is not whole."""
    try:
        *lines, torn = (folder / "journal.jsonl").read_text().split("\n")
    except OSError:
        return
    whole: list[str] = []
    for index, line in enumerate(lines):
        try:
            segment = Segment(**json.loads(line))
        except (ValueError, TypeError):
            break
        where = _segment_path(folder, index)
        if segment.index != index or not where.is_file() or _digest(where) != segment.sha256:
            break
        whole.append(line)
        yield segment
    if torn or len(whole) < len(lines):
        _rewrite(folder / "journal.jsonl", whole)


def _rewrite(journal: Path, lines: list[str]) -> None:
    """Drop what came after the last whole line, so that the next one stands on its own."""
    part = journal.with_suffix(".part")
    part.write_text("".join(line + "\n" for line in lines))
    _sync(part)
    part.replace(journal)


def _segment_path(folder: Path, index: int) -> Path:
    return folder / f"{index:05d}.nut"


def _digest(where: Path) -> str:
    with where.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _sync(where: Path) -> None:
    """Have the disk hold a file, or a folder's list of names, before going on."""
    handle = os.open(where, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
