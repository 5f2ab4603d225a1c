"""The standard streams, whatever whoever started the program made of them.

    closed            nothing is written, and no file of ours takes its place
    stdout: no room   OutputError, told in a line as any other
    stdout: no reader the program ends without a word, with 141 as shells have it
    stderr            what cannot be written there is left out: no job ends for it

A stream that failed once is written to no more.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from vidlift.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

NO_READER = 141
"""Exit code where what reads our output has gone: 128 and the number of SIGPIPE."""


def take() -> None:
    """Put streams that do so in the place of the program's."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    sys.stdout = _text(sys.stdout, _Results, 1)
    sys.stderr = _text(sys.stderr, _Remarks, 2)


def for_a_log() -> TextIO:
    """Standard output for lines that matter less than the work: what cannot be written there is
    an ``OSError`` each time, and may be tried again."""
    if not isinstance(getattr(getattr(sys.stdout, "buffer", None), "raw", None), _Results):
        return sys.stdout
    plain = io.FileIO(1, "w", closefd=False)
    return io.TextIOWrapper(plain, sys.stdout.encoding, "replace", write_through=True)


def _text(before: TextIO | None, kind: type[_Stream], number: int) -> TextIO:
    if before is not None and not isinstance(before, io.TextIOWrapper):
        return before  # what stands in for a console knows best
    stream = kind(number)
    return io.TextIOWrapper(
        io.BufferedWriter(stream),
        encoding="utf-8" if before is None else before.encoding,
        errors="replace",
        line_buffering=number == 2 or stream.isatty(),
    )


class _Stream(io.FileIO):
    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self._failed = False

    def write(self, data: ReadableBuffer, /) -> int:
        if not self._failed:
            try:
                return super().write(data)
            except OSError as error:
                self._failed = True
                self._cannot(error)
        return memoryview(data).nbytes

    def _cannot(self, error: OSError) -> None:
        """What to do about it, once."""


class _Remarks(_Stream):
    """For progress and trouble."""


class _Results(_Stream):
    """For what was asked for."""

    def _cannot(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            sys.exit(NO_READER)
        raise OutputError(f"cannot write to standard output: {error.strerror}") from error
