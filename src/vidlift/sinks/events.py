"""What a window tells: keys, the pointer, things dropped on it. Plain values, no SDL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Key:
    name: str
    """In lower case, as SDL calls it: ``space``, ``left``, ``f``, …"""

    held: bool = False
    """Whether it was pressed before and is only held down."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """The mouse or a finger, moved or pressed, in dots of the window's area."""

    x: int
    y: int
    pressed: bool


@dataclass(frozen=True, slots=True)
class Dropped:
    where: str
    """A file name or a URL."""


@dataclass(frozen=True, slots=True)
class Resized:
    """The window has another size; ``Window.area`` tells."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The window's own button was pressed, or the session ends."""


Event: TypeAlias = Key | Pointer | Dropped | Resized | Closed
