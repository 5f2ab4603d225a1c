"""A window and a loudspeaker through SDL 2. The only file that knows SDL.

All calls come from one thread, the main one: SDL asks for that. With ``dummy`` neither a screen
nor a sound card is needed: SDL's dummy drivers take pictures and sound at the same pace.
"""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidlift.color import matrix_for_display
from vidlift.errors import OutputError
from vidlift.frame import Frame, Plane
from vidlift.sinks import screen

NEARLY_709 = (1, 9)
"""Matrices shown as BT.709: SDL knows that and BT.601, and BT.2020 is nearer to the former."""

RATE = 48_000
BUFFER = 1024
"""Samples that the sound device takes at a time."""

_BYTES_A_SAMPLE = 4


class Window:
    """Shows frames as they come, whole and in shape. A ``Sink``.

    It opens with the first frame, in the size of that frame or what the screen has room for.
    """

    def __init__(
        self,
        title: str,
        *,
        source_height: int,
        display_matrix: tuple[int, ...] | None = None,
        dummy: bool = False,
    ) -> None:
        """``source_height`` decides the matrix where the tags do not. Raises ``OutputError``."""
        self._sdl = _sdl()
        self._title = title
        self._source_height = source_height
        self._turn = screen.turn(display_matrix)
        self._window: Any = None
        self._renderer: Any = None
        self._texture: Any = None
        self._textured: tuple[tuple[int, int], int] | None = None
        """Size and matrix the texture was made for."""

        self._shown = (1, 1)
        _hint(self._sdl, b"SDL_VIDEODRIVER", b"dummy" if dummy else b"")
        if self._sdl.SDL_InitSubSystem(self._sdl.SDL_INIT_VIDEO):
            raise OutputError(
                f"no screen to open a window on: {_error(self._sdl)}; "
                "`--display none` plays without one"
            )

    @property
    def screen_size(self) -> tuple[int, int]:
        """Width and height of the screen in its own dots."""
        mode = self._sdl.SDL_DisplayMode()
        self._check(self._sdl.SDL_GetDesktopDisplayMode(0, ctypes.byref(mode)) == 0)
        return mode.w, mode.h

    def write(self, frame: Frame) -> None:
        """Show a frame; it is on the screen when this returns."""
        sdl = self._sdl
        shown = screen.shown_size(frame.size, sar=frame.sar, turn=self._turn)
        if self._window is None:
            self._open(shown)
        self._shown = shown
        matrix = matrix_for_display(frame.color, height=self._source_height)
        if self._textured != (frame.size, matrix):
            self._make_texture(frame.size, matrix)
        planes = screen.planes_420(frame)
        self._check(sdl.SDL_UpdateYUVTexture(self._texture, None, *_memory(planes)) == 0)
        self._present()

    def keys(self, wait: float) -> Iterator[str]:
        """Names of the keys pressed, ``close`` for the window's button, in order.

        Waits up to ``wait`` seconds for the first thing to happen, in whole milliseconds.
        """
        sdl, event = self._sdl, self._sdl.SDL_Event()
        happened = sdl.SDL_WaitEventTimeout(ctypes.byref(event), max(0, int(wait * 1000)))
        while happened:
            if event.type == sdl.SDL_QUIT:
                yield "close"
            elif event.type == sdl.SDL_KEYDOWN and not event.key.repeat:
                yield sdl.SDL_GetKeyName(event.key.keysym.sym).decode().lower()
            elif event.type == sdl.SDL_WINDOWEVENT and self._textured is not None:
                self._present()  # uncovered, or of a new size
            happened = sdl.SDL_PollEvent(ctypes.byref(event))

    def toggle_full_screen(self) -> None:
        sdl = self._sdl
        if self._window is not None:
            full = sdl.SDL_WINDOW_FULLSCREEN_DESKTOP
            on = sdl.SDL_GetWindowFlags(self._window) & full == full
            self._check(sdl.SDL_SetWindowFullscreen(self._window, 0 if on else full) == 0)

    def close(self) -> None:
        sdl = self._sdl
        if self._texture is not None:
            sdl.SDL_DestroyTexture(self._texture)
        if self._renderer is not None:
            sdl.SDL_DestroyRenderer(self._renderer)
        if self._window is not None:
            sdl.SDL_DestroyWindow(self._window)
        self._window = self._renderer = self._texture = self._textured = None
        sdl.SDL_QuitSubSystem(sdl.SDL_INIT_VIDEO)

    def _open(self, shown: tuple[int, int]) -> None:
        sdl = self._sdl
        bounds = sdl.SDL_Rect()
        self._check(sdl.SDL_GetDisplayUsableBounds(0, ctypes.byref(bounds)) == 0)
        width, height = shown
        if width > bounds.w or height > bounds.h:
            _, _, width, height = screen.fit(shown, (bounds.w, bounds.h))
        centred = sdl.SDL_WINDOWPOS_CENTERED
        flags = sdl.SDL_WINDOW_RESIZABLE | sdl.SDL_WINDOW_ALLOW_HIGHDPI
        self._window = sdl.SDL_CreateWindow(
            self._title.encode(), centred, centred, width, height, flags
        )
        self._check(self._window)
        sdl.SDL_SetHint(b"SDL_RENDER_SCALE_QUALITY", b"linear")
        # The screen's own pace where it tells; a machine without GL draws in software.
        self._renderer = sdl.SDL_CreateRenderer(
            self._window, -1, sdl.SDL_RENDERER_PRESENTVSYNC
        ) or sdl.SDL_CreateRenderer(self._window, -1, sdl.SDL_RENDERER_SOFTWARE)
        self._check(self._renderer)

    def _make_texture(self, size: tuple[int, int], matrix: int) -> None:
        sdl = self._sdl
        if self._texture is not None:
            sdl.SDL_DestroyTexture(self._texture)
        # Before the texture: some renderers look at the mode when they make one.
        sdl.SDL_SetYUVConversionMode(
            sdl.surface.SDL_YUV_CONVERSION_BT709
            if matrix in NEARLY_709
            else sdl.surface.SDL_YUV_CONVERSION_BT601
        )
        self._texture = sdl.SDL_CreateTexture(
            self._renderer, sdl.SDL_PIXELFORMAT_IYUV, sdl.SDL_TEXTUREACCESS_STREAMING, *size
        )
        self._check(self._texture)
        self._textured = (size, matrix)

    def _present(self) -> None:
        """Draw the texture: turned about the middle of the area, which is black around it."""
        sdl, turn = self._sdl, self._turn
        width, height = ctypes.c_int(), ctypes.c_int()
        sdl.SDL_GetRendererOutputSize(self._renderer, ctypes.byref(width), ctypes.byref(height))
        x, y, w, h = screen.fit(self._shown, (max(1, width.value), max(1, height.value)))
        if turn.on_its_side:  # the rectangle is that of the picture before it is turned
            x, y, w, h = x + (w - h) // 2, y + (h - w) // 2, h, w
        where = sdl.SDL_Rect(x, y, w, h)
        flip = sdl.SDL_FLIP_HORIZONTAL if turn.mirrored else sdl.SDL_FLIP_NONE
        sdl.SDL_SetRenderDrawColor(self._renderer, 0, 0, 0, 255)
        sdl.SDL_RenderClear(self._renderer)
        drawn = sdl.SDL_RenderCopyEx(
            self._renderer, self._texture, None, ctypes.byref(where), turn.degrees, None, flip
        )
        self._check(drawn == 0)
        sdl.SDL_RenderPresent(self._renderer)

    def _check(self, succeeded: Any) -> None:
        if not succeeded:
            raise OutputError(f"the window cannot show the picture: {_error(self._sdl)}")


class Speaker:
    """Plays what was pushed, in order; it stands until ``pause(False)``."""

    step = BUFFER / RATE
    """Seconds of sound that the device takes at a time."""

    def __init__(self, *, dummy: bool = False) -> None:
        """Opens the sound device. Raises ``OutputError`` where there is none."""
        self._sdl = sdl = _sdl()
        _hint(sdl, b"SDL_AUDIODRIVER", b"dummy" if dummy else b"")
        if sdl.SDL_InitSubSystem(sdl.SDL_INIT_AUDIO):
            raise OutputError(f"no sound device: {_error(sdl)}")
        # No callback: a Python one would run in SDL's thread and stutter with the interpreter.
        wanted = sdl.SDL_AudioSpec(RATE, sdl.AUDIO_S16SYS, 2, BUFFER)
        self._device = sdl.SDL_OpenAudioDevice(None, 0, ctypes.byref(wanted), None, 0)
        if not self._device:
            message = _error(sdl)
            sdl.SDL_QuitSubSystem(sdl.SDL_INIT_AUDIO)
            raise OutputError(f"no sound device: {message}")

    def push(self, samples: NDArray[np.int16]) -> None:
        """Queue stereo samples [n, 2]."""
        data = np.ascontiguousarray(samples)
        if self._sdl.SDL_QueueAudio(self._device, data.ctypes.data, data.nbytes):
            raise OutputError(f"the sound device takes no more: {_error(self._sdl)}")

    def queued(self) -> float:
        """Seconds of sound that the device has not taken yet."""
        left: int = self._sdl.SDL_GetQueuedAudioSize(self._device)
        return left / (_BYTES_A_SAMPLE * RATE)

    def pause(self, paused: bool) -> None:
        self._sdl.SDL_PauseAudioDevice(self._device, int(paused))

    def close(self) -> None:
        self._sdl.SDL_CloseAudioDevice(self._device)
        self._sdl.SDL_QuitSubSystem(self._sdl.SDL_INIT_AUDIO)


@cache
def _sdl() -> Any:
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
    _hint(sdl2, b"SDL_NO_SIGNAL_HANDLERS", b"1")
    return sdl2


def _hint(sdl: Any, name: bytes, value: bytes) -> None:
    """Set a hint, also over an environment variable; an empty one changes nothing."""
    if value:
        sdl.SDL_SetHintWithPriority(name, value, sdl.SDL_HINT_OVERRIDE)


def _error(sdl: Any) -> str:
    message: str = sdl.SDL_GetError().decode(errors="replace")
    return message or "SDL does not say why"


def _memory(planes: tuple[Plane, ...]) -> list[Any]:
    """Pointer and pitch of each plane, as SDL takes them."""
    pointer = ctypes.POINTER(ctypes.c_ubyte)
    return [part for p in planes for part in (p.ctypes.data_as(pointer), p.strides[0])]
