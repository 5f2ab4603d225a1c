"""What goes wrong with an input while it is worked on, and what a job makes of it.

Players go on past damage. A file job does not unless told to: its output would look whole, and
nobody would know. What is finished stays, so going on costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from vidlift.errors import InputError
from vidlift.frame import Frame
from vidlift.sources.base import Source

ADVICE = "--keep-going makes the output of what can be decoded"

_HARMLESS = "its timestamp does not go forward"
"""What a source counts as lost though the file is as it was made."""


class Watched:
    """The frames of a source, with an eye on what is lost between them.

    Raises ``InputError`` that names the file and the frame, unless ``keep_going``.
    """

    def __init__(self, source: Source, *, name: str, keep_going: bool) -> None:
        self._source = source
        self._name = name
        self._keep_going = keep_going
        # What a recording lacks at its start, before the first whole picture, is no damage.
        self._before = _damaged(source)
        self.warnings: list[str] = []
        """Where damage began, when it was passed over."""

    def __iter__(self) -> Iterator[Frame]:
        index, end = 0, Fraction(0)
        for frame in self._source:
            self._look(index, end)
            yield frame
            index, end = index + 1, frame.pts + frame.duration
        self._look(index, end)

    def _look(self, index: int, time: Fraction) -> None:
        if _damaged(self._source) == self._before or self.warnings:
            return
        reason = next(r for r in reversed(self._source.lost) if r != _HARMLESS)
        what = f"{self._name}: about frame {index}, at {float(time):.3f} s: {reason}"
        if not self._keep_going:
            raise InputError(f"{what}; what is finished is kept, and {ADVICE}")
        self.warnings.append(what)


def _damaged(source: Source) -> int:
    return sum(count for reason, count in source.lost.items() if reason != _HARMLESS)
