"""What the viewer can ask for, and the key for it."""

from __future__ import annotations

from enum import Enum


class Control(Enum):
    PAUSE = "pause, go on"
    COMPARE = "super-resolution on, off"
    FULL_SCREEN = "full screen on, off"
    QUIT = "quit"


CONTROLS = {
    "space": Control.PAUSE,
    "c": Control.COMPARE,
    "f": Control.FULL_SCREEN,
    "q": Control.QUIT,
    "escape": Control.QUIT,
    "close": Control.QUIT,
}
"""By name of the key, as the window gives it; ``close`` is the window's own button."""
