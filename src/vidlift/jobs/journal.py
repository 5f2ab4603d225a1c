"""What a job that may be killed at any moment remembers.

    OUTPUT.vidlift-job/
      job.json        what the job is: input, model, options. Written once
      journal.jsonl   one line a finished segment, appended after the segment is on the disk;
                      then one for the end of the picture, and one for the finished output
      00000.nut …     the segments
      lock            held while a process works on the job

A segment counts when its line is whole and the file is as the line says. So whatever moment the
machine stops at, what is lost is at most the segment in the making.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidlift.errors import UsageError
from vidlift.jobs.notes import Lines, alone, read_note, sync, write_whole

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
        self.segments: list[Segment] = []
        self._notes: dict[str, Any] = {}
        self._lines = Lines(folder / "journal.jsonl", self._take)

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
        sync(where)
        sync(self.folder)
        segment = Segment(
            index=index,
            frames=frames,
            bytes=where.stat().st_size,
            sha256=_digest(where),
            start=str(start),
            end=str(end),
        )
        self._lines.add(asdict(segment))
        self.segments.append(segment)

    @property
    def ended(self) -> list[str] | None:
        """Once every segment is there: the warnings of the work on the picture. None before."""
        found: list[str] | None = self._notes.get("ended")
        return found

    def end(self, warnings: list[str]) -> None:
        """Note that there are no more segments to come."""
        self._note("ended", warnings)

    def expect(self, whole: Path, warnings: list[str]) -> None:
        """Note that ``whole`` is the finished output, about to take its name."""
        self._note("whole", {"is": _likeness(whole), "warnings": warnings})

    def made(self, output: Path) -> list[str] | None:
        """The warnings that go with ``output`` if it is the file that was expected; else None."""
        whole = self._notes.get("whole")
        if whole is None or not output.is_file() or whole["is"] != _likeness(output):
            return None
        warnings: list[str] = whole["warnings"]
        return warnings

    def remove(self) -> None:
        """The job is done: leave nothing behind."""
        # The journal first: what is left when this is cut short is then nobody's work.
        self._lines.where.unlink(missing_ok=True)
        shutil.rmtree(self.folder)

    def _take(self, content: Any) -> bool:
        """Take up what a line says, if it can be relied upon."""
        try:
            if "index" not in content:
                self._notes.update(content)
                return True
            segment = Segment(**content)
        except (ValueError, TypeError):
            return False
        where = self.path(len(self.segments))
        if segment.index != len(self.segments) or not where.is_file():
            return False
        if _digest(where) != segment.sha256:
            return False
        self.segments.append(segment)
        return True

    def _note(self, name: str, value: object) -> None:
        self._lines.add({name: value})
        self._notes[name] = value


@contextmanager
def open_journal(
    folder: Path, identity: Mapping[str, object], *, resume: bool
) -> Iterator[Journal]:
    """Begin the job that ``identity`` describes, or go on with it.

    What is finished stays when this context is left by an error. Raises ``UsageError`` when the
    folder holds another job's work and ``resume`` is set, or when another process works on it;
    ``OutputError`` when it cannot be written.
    """
    lock = folder / "lock"
    busy = f"another vidlift is working on {folder.stem} at this moment"
    cannot = f"cannot write beside the output: {folder}"
    with alone(lock, busy=busy, cannot=cannot, parents=False):
        _agree(folder, {"format": FORMAT, **identity}, resume=resume)
        journal = Journal(folder)
        try:
            yield journal
        except BaseException:
            if not journal.segments:
                journal.remove()  # nothing in it is worth keeping
            raise


def _agree(folder: Path, identity: Mapping[str, object], *, resume: bool) -> None:
    """Make sure that what the folder holds is of this job, or nothing."""
    note = folder / "job.json"
    before = read_note(note)
    if isinstance(before, dict) and resume:
        changed = [key for key in identity if before.get(key) != identity[key]]
        if not changed:
            return
        if Journal(folder).segments:
            what = "; ".join(
                f"{key} was {_short(before.get(key))}, is {_short(identity[key])}"
                for key in changed
            )
            raise UsageError(
                f"{folder} holds unfinished work of another job ({what}); "
                "run with the same input, model and options to go on, "
                "or with --no-resume to start afresh"
            )
    for old in folder.iterdir():
        if old.name != "lock":
            old.unlink()
    write_whole(note, (json.dumps(identity, indent=2) + "\n").encode())
    sync(folder)


def _short(value: object) -> str:
    """A value as a message shows it: of a digest, enough to tell it from another."""
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 and " " not in text else text


def _segment_path(folder: Path, index: int) -> Path:
    return folder / f"{index:05d}.nut"


def _likeness(where: Path) -> list[int]:
    """What stays the same of a file when it is given another name, and of no other file."""
    found = where.stat()
    return [found.st_ino, found.st_size, found.st_mtime_ns]


def _digest(where: Path) -> str:
    with where.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
