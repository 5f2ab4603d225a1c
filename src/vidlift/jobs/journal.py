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

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import Any

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
        self.segments: list[Segment] = []
        self._notes: dict[str, Any] = {}
        self._read()

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
        self._append(asdict(segment))
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
        (self.folder / "journal.jsonl").unlink(missing_ok=True)
        shutil.rmtree(self.folder)

    def _read(self) -> None:
        """Take up what is whole, from the first line on; forget the rest."""
        try:
            *lines, torn = (self.folder / "journal.jsonl").read_text(errors="replace").split("\n")
        except OSError:
            return
        whole = list(takewhile(self._take, lines))
        if torn or len(whole) < len(lines):
            _rewrite(self.folder / "journal.jsonl", whole)

    def _take(self, line: str) -> bool:
        try:
            content = json.loads(line)
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
        self._append({name: value})
        self._notes[name] = value

    def _append(self, content: Mapping[str, object]) -> None:
        with (self.folder / "journal.jsonl").open("a") as lines:
            lines.write(json.dumps(content) + "\n")
            lines.flush()
            os.fsync(lines.fileno())


@contextmanager
def open_journal(
    folder: Path, identity: Mapping[str, object], *, resume: bool
) -> Iterator[Journal]:
    """Begin the job that ``identity`` describes, or go on with it.

    What is finished stays when this context is left by an error. Raises ``UsageError`` when the
    folder holds another job's work and ``resume`` is set, or when another process works on it;
    ``OutputError`` when it cannot be written.
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
    before = _read_note(note)
    if before is not None and resume:
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
    part = note.with_suffix(".part")
    part.write_text(json.dumps(identity, indent=2) + "\n")
    _sync(part)
    part.replace(note)
    _sync(folder)


def _short(value: object) -> str:
    """A value as a message shows it: of a digest, enough to tell it from another."""
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 and " " not in text else text


def _read_note(note: Path) -> dict[str, object] | None:
    """The job's note, or None where there is none that can be read: a job not yet begun."""
    try:
        content = json.loads(note.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _rewrite(journal: Path, lines: list[str]) -> None:
    """Drop what came after the last whole line, so that the next one stands on its own."""
    part = journal.with_suffix(".part")
    part.write_text("".join(line + "\n" for line in lines))
    _sync(part)
    part.replace(journal)


def _segment_path(folder: Path, index: int) -> Path:
    return folder / f"{index:05d}.nut"


def _likeness(where: Path) -> list[int]:
    """What stays the same of a file when it is given another name, and of no other file."""
    found = where.stat()
    return [found.st_ino, found.st_size, found.st_mtime_ns]


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
