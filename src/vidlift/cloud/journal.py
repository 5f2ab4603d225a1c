"""What a publication that may be killed at any moment remembers.

LIBRARY/.NAME.vidlift-job/
  .job.json        which video, which options
  .segments.jsonl  one line a finished segment of all rungs, after its files are on the disk
  .lock            held while a process works on it
  VERSION/...      the title in the making

The folder becomes the title, and what begins with a dot is served by nobody.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidlift.jobs.notes import Lines, alone, read_note, write_whole

NOTE, SEGMENTS, LOCK = ".job.json", ".segments.jsonl", ".lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A finished segment."""

    start: str
    """When its first frame is shown, in seconds from the beginning of the title, exact."""

    end: str
    frames: int
    tail: Sequence[str]
    """When its last frames are shown: what decoding times of the next segment begin with."""

    sizes: Mapping[str, int]
    """Bytes of its file, by rung."""

    gain: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    """How it looks by rung, way and measure (``gain.Gain``), where that was measured."""

    @property
    def seconds(self) -> Fraction:
        return Fraction(self.end) - Fraction(self.start)


class Journal:
    """The memory of one publication. Made by ``open_journal``; one process at a time has it."""

    def __init__(self, folder: Path, version: str) -> None:
        self.folder = folder
        self.content = folder / version
        """Where the title's files are written."""

        self.content.mkdir(exist_ok=True)
        self.rows: list[Row] = []
        self._lines = Lines(folder / SEGMENTS, self._take)

    def path(self, rung: str, index: int) -> Path:
        return self.content / rung / f"{index:05d}.m4s"

    def add(self, row: Row) -> None:
        """Note a segment whose files are on the disk."""
        self._lines.add(asdict(row))
        self.rows.append(row)

    def _take(self, content: Any) -> bool:
        """Note a segment of before, if its files are whole."""
        try:
            row = Row(**content)
            for rung, size in row.sizes.items():
                if self.path(rung, len(self.rows)).stat().st_size != size:
                    return False
        except (AttributeError, TypeError, OSError):
            return False
        self.rows.append(row)
        return True


@contextmanager
def open_journal(folder: Path, identity: Mapping[str, Any], version: str) -> Iterator[Journal]:
    """Begin the work that ``identity`` describes, or go on with it.

    Work on anything else that lies there is thrown away. What is finished when this ends stays,
    to be gone on with. Raises ``UsageError`` while another process works on it, ``OutputError``
    where it cannot be written.
    """
    busy = f"another vidlift is publishing into {folder} at this moment"
    with alone(folder / LOCK, busy=busy, cannot=f"cannot write into {folder.parent}"):
        note = folder / NOTE
        if read_note(note) != identity:
            for old in folder.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
                elif old.name != LOCK:
                    old.unlink()
            write_whole(note, json.dumps(identity, indent=2).encode())
        journal = Journal(folder, version)
        try:
            yield journal
        except BaseException:
            if not journal.rows:
                shutil.rmtree(folder)  # nothing in it is worth keeping
            raise


def forget(title: Path) -> None:
    """Remove what was remembered from a folder that has become a title."""
    for name in (SEGMENTS, NOTE, LOCK):
        (title / name).unlink(missing_ok=True)
