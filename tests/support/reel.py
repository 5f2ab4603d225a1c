"""Films in a row, known by where their time begins."""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby

from support.hands import Hands

STARTS = {"a": 1, "b": 11, "c": 21}
"""Where the time of each film begins, in seconds: by it they are known."""


def seen(hands: Hands) -> str:
    """The films in the order in which they were shown."""
    names = [
        next(name for name, start in STARTS.items() if start <= at < start + 10)
        for at in hands.shown
    ]
    return "".join(name for at, name in enumerate(names) if at == 0 or names[at - 1] != name)


def times(hands: Hands) -> list[Fraction]:
    """Of the pictures shown, one that is shown again at once, made better, counted once."""
    return [at for at, _ in groupby(hands.shown)]
