"""SDL 2, loaded when it is first needed. ``window`` and ``speaker`` stand on it, nothing else."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from vidlift.errors import OutputError


@cache
def load() -> Any:
    """The module ``sdl2``. Raises ``OutputError`` where it is not installed."""
    try:
        with warnings.catch_warnings():
            # It warns that it uses the library that was installed with it.
            warnings.simplefilter("ignore")
            import sdl2
    except ImportError as error:
        raise OutputError(
            f"SDL 2, which windows and sound need, cannot be loaded: {error}; "
            "`pip install pysdl2 pysdl2-dll` brings it"
        ) from error
    # Signals are Python's: Ctrl-C interrupts, as everywhere.
    hint(sdl2, b"SDL_NO_SIGNAL_HANDLERS", b"1")
    return sdl2


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what libraries below SDL print about devices that are missing off stderr: SDL says
    what failed, and we do.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def hint(sdl: Any, name: bytes, value: bytes) -> None:
    """Set a hint, also over an environment variable; an empty one leaves it to that."""
    if value:
        sdl.SDL_SetHintWithPriority(name, value, sdl.SDL_HINT_OVERRIDE)
    else:
        sdl.SDL_ResetHint(name)


def error(sdl: Any) -> str:
    """What SDL says went wrong."""
    message: str = sdl.SDL_GetError().decode(errors="replace")
    return message or "SDL does not say why"
