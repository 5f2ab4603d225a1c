"""What the viewer can ask for, and the key for it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum


class Control(Enum):
    """Its value is what the list of keys says of it."""

    PAUSE = "pause, go on"
    COMPARE = "super-resolution on, off"
    SPLIT = "bicubic left, Vidlift right of the mouse"
    INFO = "figures on, off"
    BACK = "5 seconds back"
    FORWARD = "5 seconds forward"
    FAR_BACK = "a minute back"
    FAR_FORWARD = "a minute forward"
    HOME = "to the beginning"
    END = "to the end"
    QUIETER = "quieter"
    LOUDER = "louder"
    MUTE = "sound off, on"
    SOUND = "the next track of sound"
    WORDS = "the next subtitles, none"
    FULL_SCREEN = "full screen on, off"
    PICTURE = "save the picture as a PNG"
    LOOP = "play it over and over, or once"
    PREVIOUS = "the file before"
    NEXT = "the next file"
    HELP = "this list"
    QUIT = "quit"


CONTROLS = {
    "space": Control.PAUSE,
    "c": Control.COMPARE,
    "v": Control.SPLIT,
    "i": Control.INFO,
    "left": Control.BACK,
    "right": Control.FORWARD,
    "down": Control.FAR_BACK,
    "up": Control.FAR_FORWARD,
    "home": Control.HOME,
    "end": Control.END,
    "9": Control.QUIETER,
    "0": Control.LOUDER,
    "m": Control.MUTE,
    "a": Control.SOUND,
    "t": Control.WORDS,
    "f": Control.FULL_SCREEN,
    "s": Control.PICTURE,
    "l": Control.LOOP,
    "p": Control.PREVIOUS,
    "n": Control.NEXT,
    "h": Control.HELP,
    "q": Control.QUIT,
    "escape": Control.QUIT,
}
"""By name of the key, as the window gives it."""

SEEKS = {
    Control.BACK: -5,
    Control.FORWARD: 5,
    Control.FAR_BACK: -60,
    Control.FAR_FORWARD: 60,
}
"""Seconds from where the film is."""

HELD = {*SEEKS, Control.QUIETER, Control.LOUDER}
"""What a key that is held down does over and over; all else it does once."""

_SIGNS = {"left": "←", "right": "→", "up": "↑", "down": "↓", "escape": "Esc"}


def key_list() -> Iterator[tuple[str, str]]:
    """Keys and what they do, a row for each control."""
    for control in Control:
        keys = [_SIGNS.get(key, key) for key, found in CONTROLS.items() if found is control]
        yield ", ".join(keys), control.value
