"""SDL 2, loaded when it is first needed. ``window`` with ``rendering``, and ``speaker``, stand on
it, nothing else."""

from __future__ import annotations

import ctypes.util
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
    """The module ``sdl2``. Raises ``OutputError`` where it cannot be loaded."""
    try:
        with _ours_first(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of which library it uses
            import sdl2
    except (ImportError, OSError) as error:
        raise OutputError(
            f"SDL 2, which windows and sound need, cannot be loaded: {error}; "
            "`pip install pysdl2 pysdl2-dll` brings it"
        ) from error
    # Signals are Python's: Ctrl-C interrupts, as everywhere.
    hint(sdl2, b"SDL_NO_SIGNAL_HANDLERS", b"1")
    return sdl2


@contextmanager
def _ours_first() -> Iterator[None]:
    """Take the library that pysdl2-dll brings, unless the user names another.

    pysdl2 takes it too, but asks the system first for six names, each by a compiler or linker,
    which takes longer than to load it.
    """
    search = ctypes.util.find_library
    try:
        import sdl2dll  # sets the variable, where it has a library and the user has not

        if os.environ.get("PYSDL2_DLL_PATH") == sdl2dll.get_dllpath():
            ctypes.util.find_library = _nowhere
    except ImportError:
        pass
    try:
        yield
    finally:
        ctypes.util.find_library = search


def _nowhere(name: str) -> str | None:
    """Where the system has a library: not asked."""
    del name
    return None


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
