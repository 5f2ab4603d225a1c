"""What journals are made of, so that the machine may stop at any moment.

Files are there whole or not at all, lines count once they are whole, and a folder is worked in
by one process at a time.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import Any, TextIO

from vidlift.errors import OutputError, UsageError


class Lines:
    """A file that only grows, by a line of JSON at a time."""

    def __init__(self, where: Path, take: Callable[[Any], bool]) -> None:
        """Give what each line says to ``take``, from the first on, until it refuses one.

        That line, and one that is torn, and all after them, are forgotten.
        """
        self.where = where
        try:
            *lines, torn = where.read_text(errors="replace").split("\n")
        except OSError:
            return
        whole = list(takewhile(lambda line: _taken(line, take), lines))
        if torn or len(whole) < len(lines):
            write_whole(where, "".join(line + "\n" for line in whole).encode())

    def add(self, content: Mapping[str, object]) -> None:
        """Write a line; the disk holds it when this returns."""
        new = not self.where.exists()
        with self.where.open("a") as lines:
            lines.write(json.dumps(content) + "\n")
            lines.flush()
            os.fsync(lines.fileno())
        if new:
            sync(self.where.parent)


def _taken(line: str, take: Callable[[Any], bool]) -> bool:
    try:
        content = json.loads(line)
    except ValueError:
        return False
    return take(content)


@contextmanager
def alone(lock: Path, *, busy: str, cannot: str, parents: bool = True) -> Iterator[None]:
    """Hold a lock in a folder, which is made for it, with those above it where ``parents`` says so.

    Raises ``UsageError``, with ``busy``, while another process holds it, and ``OutputError``,
    with ``cannot`` and the reason, where there can be none.
    """
    held: TextIO | None = None
    try:
        while held is None:
            lock.parent.mkdir(parents=parents, exist_ok=True)
            held = _locked(lock)
    except BlockingIOError as error:
        raise UsageError(busy) from error
    except OSError as error:
        raise OutputError(f"{cannot}: {error.strerror}") from error
    with held:
        yield


def _locked(lock: Path) -> TextIO | None:
    """The file, open and locked; None where whoever had it before has just removed it."""
    with ExitStack() as undo:
        held = undo.enter_context(lock.open("w"))
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(held.fileno()), lock.stat()):
                undo.pop_all()
                return held
    return None


@contextmanager
def gone_if_empty(made: Path) -> Iterator[None]:
    """Those folders above ``made`` that are not there yet go again if they are empty in the end."""
    fresh = [folder for folder in made.parents if not folder.exists()]
    try:
        yield
    finally:
        for folder in fresh:
            with suppress(OSError):  # something is in it
                folder.rmdir()


def read_note(where: Path) -> Any:
    """What a file of JSON says, None where there is none that can be read."""
    try:
        return json.loads(where.read_text())
    except (OSError, ValueError):
        return None


def write_whole(where: Path, data: bytes) -> None:
    """Write a file so that its name never stands for a part of it."""
    part = where.with_name(f".{where.name}.part")
    with part.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    part.replace(where)


def sync(where: Path) -> None:
    """Have the disk hold a file, or a folder's list of names, before going on."""
    handle = os.open(where, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
