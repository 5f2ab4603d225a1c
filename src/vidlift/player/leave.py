"""Why the film that is played should be left, or its chain built anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Quit:
    """The viewer has seen enough."""


@dataclass(frozen=True, slots=True)
class SeekTo:
    time: float
    """Media time wanted, in seconds, inside the film or beyond its ends."""


@dataclass(frozen=True, slots=True)
class OtherSound:
    """Another of the film's tracks of sound."""

    step: int
    """How many further in the list, round and round."""


@dataclass(frozen=True, slots=True)
class OtherFilm:
    step: int
    """How many further in the list."""


@dataclass(frozen=True, slots=True)
class Open:
    where: str
    """A file or URL to play at once."""

    then: tuple[str, ...] = ()
    """Those to play after it."""


Leave: TypeAlias = Quit | SeekTo | OtherSound | OtherFilm | Open
"""Why the loop of a film should be left."""
