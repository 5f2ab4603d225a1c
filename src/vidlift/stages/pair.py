"""Group frames into the pairs that the network takes.

The network super-resolves two neighbouring frames at once. Frames that do not belong together
(a change of size, layout or depth, a gap in time, a cut) are not paired, and the last frame may
be alone: such a frame is paired with itself.

    frames   A  B  C  |  X  Y        | = cut
    pairs    AB    CC    XY
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from vidlift.frame import Frame

IsCut = Callable[[Frame, Frame], bool]

MAX_GAP = Fraction(1, 4)
"""Longest time, in seconds, between neighbouring frames of one shot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    first: Frame
    second: Frame
    """The frame after ``first``, or ``first`` itself where it stands alone."""

    @property
    def alone(self) -> bool:
        return self.second is self.first

    @property
    def frames(self) -> tuple[Frame, ...]:
        return (self.first,) if self.alone else (self.first, self.second)


def no_cuts(_before: Frame, _after: Frame) -> bool:
    """The policy for networks that look at each frame alone."""
    return False


def pair(frames: Iterable[Frame], *, is_cut: IsCut = no_cuts) -> Iterator[Pair]:
    """Yield every frame exactly once, in order, two at a time where they adjoin.

    Holds at most one frame, so it adds at most one frame of latency. After a seek, call it
    anew: there is nothing to reset. ``is_cut`` is for networks that carry something from frame
    to frame, which none does that is shipped.
    """
    waiting: Frame | None = None
    for frame in frames:
        if waiting is None:
            waiting = frame
        elif _adjoin(waiting, frame) and not is_cut(waiting, frame):
            yield Pair(first=waiting, second=frame)
            waiting = None
        else:
            yield Pair(first=waiting, second=waiting)
            waiting = frame
    if waiting is not None:
        yield Pair(first=waiting, second=waiting)


def _adjoin(a: Frame, b: Frame) -> bool:
    return a.form == b.form and 0 < b.pts - a.pts <= MAX_GAP
