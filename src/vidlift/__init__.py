"""Vidlift: send a small video, watch a big one.

The public face. Importing it loads neither torch, nor an engine, nor SDL: each name is
fetched from its room when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vidlift.errors import VidliftError
    from vidlift.frame import Frame
    from vidlift.jobs.upscale import upscale_file
    from vidlift.receipt import Receipt
    from vidlift.upscaler import Upscaler

__all__ = ["Frame", "Receipt", "Upscaler", "VidliftError", "__version__", "upscale_file"]

_ROOM_OF = {
    "Frame": "vidlift.frame",
    "Receipt": "vidlift.receipt",
    "Upscaler": "vidlift.upscaler",
    "VidliftError": "vidlift.errors",
    "upscale_file": "vidlift.jobs.upscale",
}


def __getattr__(name: str) -> object:
    try:
        room = _ROOM_OF[name]
    except KeyError:
        raise AttributeError(f"module 'vidlift' has no attribute {name!r}") from None
    return getattr(import_module(room), name)


def __dir__() -> list[str]:
    return sorted(__all__)
