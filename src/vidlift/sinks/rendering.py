"""Which of SDL's renderers draws a window: a GPU's or, where there is none, SDL's own on the CPU.

Without a GPU Mesa computes OpenGL on the CPU, and SDL's own renderer sends its pictures through
that unless told: several times the time and 80 MB more (``benchmarks/results/window.md``).
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

from vidlift.sinks import sdl as sdl_library

GPUS = ("dri/renderD*", "nvidia[0-9]*", "dxg", "mali*", "kgsl-3d*")
"""What Linux has in ``/dev`` for a GPU: of any driver in the kernel, of NVIDIA's, of Windows below
WSL, of ARM's and Qualcomm's."""

ON_THE_CPU = ("llvmpipe", "softpipe", "swrast", "swiftshader", "software", "gdi generic")
"""What OpenGL calls its renderer, among other words, where that is a program."""

_GL_RENDERER = 0x1F01


def make(sdl: Any, window: Any) -> Any:
    """The renderer of a window; it keeps the screen's pace. Null where SDL has none at all."""
    paced = sdl.SDL_RENDERER_PRESENTVSYNC
    if sdl.SDL_GetHint(b"SDL_RENDER_DRIVER"):  # the user's word
        return sdl.SDL_CreateRenderer(window, -1, paced)
    if may_have_gpu():
        made = sdl.SDL_CreateRenderer(window, -1, paced)
        if made and not _is_a_program(sdl, made):
            return made
        if made:
            sdl.SDL_DestroyRenderer(made)
    sdl_library.hint(sdl, b"SDL_FRAMEBUFFER_ACCELERATION", b"0")  # straight to the screen
    return sdl.SDL_CreateRenderer(window, -1, paced | sdl.SDL_RENDERER_SOFTWARE)


def may_have_gpu(devices: Path = Path("/dev")) -> bool:
    """False where there is surely none: on Linux, by what it has in ``devices``."""
    return sys.platform != "linux" or any(next(devices.glob(name), None) for name in GPUS)


def info(sdl: Any, renderer: Any) -> Any:
    """What a renderer says of itself: its name and flags."""
    said = sdl.SDL_RendererInfo()  # of zeros, where it says nothing
    sdl.SDL_GetRendererInfo(renderer, ctypes.byref(said))
    return said


def _is_a_program(sdl: Any, renderer: Any) -> bool:
    """Whether this is OpenGL that is computed on the CPU."""
    if not (info(sdl, renderer).name or b"").startswith(b"opengl"):
        return False
    address = sdl.SDL_GL_GetProcAddress(b"glGetString")
    if not address:
        return False
    called = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_uint)(address)(_GL_RENDERER) or b""
    return any(word in called.decode(errors="replace").lower() for word in ON_THE_CPU)
