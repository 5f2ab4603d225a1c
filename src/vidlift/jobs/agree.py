"""Whether what an output says is what its input does."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from vidlift.errors import VerificationError


def agree(what: str, wanted: object, came: object) -> None:
    """Raises ``VerificationError`` where the output has another thing than the input."""
    if wanted != came:
        raise VerificationError(f"{what}: the input has {wanted}, the output {came}")


def same_time(
    what: str, wanted: Fraction, came: Fraction | None, tick: Fraction, *, slack: Fraction | int
) -> None:
    """Whether a time is the input's, as stored in the output's unit, but for some slack."""
    nearest = to_tick(wanted, tick)
    if came is None or abs(came - nearest) > slack:
        agree(what, nearest, came)


def to_tick(time: Fraction, tick: Fraction) -> Fraction:
    """The time as a container with that unit stores it: the nearest, the later of two."""
    return floor(time / tick + Fraction(1, 2)) * tick
