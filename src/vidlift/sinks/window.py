"""A window through SDL 2: pictures whole and in shape, and what lies over them.

All calls come from one thread, the main one: SDL asks for that. With ``dummy`` no screen is
needed: SDL's dummy driver takes pictures at the same pace.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidlift.color import matrix_for_display
from vidlift.errors import OutputError
from vidlift.frame import Frame, Plane
from vidlift.sinks import rendering, screen
from vidlift.sinks import sdl as sdl_library
from vidlift.sinks.events import Closed, Dropped, Event, Key, Pointer, Resized

NEARLY_709 = (1, 9)
"""Matrices shown as BT.709: SDL knows that and BT.601, and BT.2020 is nearer to the former."""

SCREENS = ("WAYLAND_DISPLAY", "DISPLAY")
"""Variables of the environment that say where the screen is."""

DIVIDER = 2
"""Width in dots of the line between two pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """A small picture that lies over the film. The same object costs nothing the second time."""

    x: int
    y: int
    """Where its upper left corner is, in dots of the window's area."""

    pixels: NDArray[np.uint8]
    """Red, green, blue and opacity, [H, W, 4]."""


class Window:
    """Shows frames as they come. A ``Sink``.

    It opens with the first frame, in ``opens_at``, where that is None in the size of the frame, or
    what the screen has room for.
    """

    opens_at: tuple[int, int] | None = None

    def __init__(
        self,
        title: str,
        *,
        source_height: int,
        display_matrix: tuple[int, ...] | None = None,
        dummy: bool = False,
    ) -> None:
        """See ``begin`` for the rest. Raises ``OutputError`` where there is no screen."""
        self._sdl = sdl_library.load()
        self._window: Any = None
        self._renderer: Any = None
        self._in_software = False
        self._textures: dict[str, _Texture] = {}
        self._sprites: dict[Sprite, Any] = {}
        self._shown = (1, 1)
        self._divider: float | None = None
        self.begin(title, source_height=source_height, display_matrix=display_matrix)
        sdl_library.hint(self._sdl, b"SDL_VIDEODRIVER", b"dummy" if dummy else b"")
        with sdl_library.quiet():
            failed = self._sdl.SDL_InitSubSystem(self._sdl.SDL_INIT_VIDEO)
        why = sdl_library.error(self._sdl) if failed else _where_none_is()
        # SDL's last resort, which nobody sees.
        if failed or self._sdl.SDL_GetCurrentVideoDriver() == b"offscreen":
            if not failed:
                self._sdl.SDL_QuitSubSystem(self._sdl.SDL_INIT_VIDEO)
            raise OutputError(
                f"no screen to open a window on: {why}; `--display none` plays without one"
            )

    def begin(
        self, title: str, *, source_height: int, display_matrix: tuple[int, ...] | None = None
    ) -> None:
        """What follows is another film. ``source_height`` decides the matrix where no tag does."""
        self._title = title.encode(errors="replace")  # names need not be text
        self._source_height = source_height
        self._turn = screen.turn(display_matrix)
        if self._window is not None:
            self._sdl.SDL_SetWindowTitle(self._window, self._title)

    @property
    def screen_size(self) -> tuple[int, int]:
        """Width and height of the screen in its own dots."""
        mode = self._sdl.SDL_DisplayMode()
        self._check(self._sdl.SDL_GetDesktopDisplayMode(0, ctypes.byref(mode)) == 0)
        return mode.w, mode.h

    @property
    def area(self) -> tuple[int, int]:
        """Width and height in dots of what the window can show; (0, 0) before it is open."""
        if self._renderer is None:
            return 0, 0
        width, height = ctypes.c_int(), ctypes.c_int()
        self._sdl.SDL_GetRendererOutputSize(
            self._renderer, ctypes.byref(width), ctypes.byref(height)
        )
        return max(1, width.value), max(1, height.value)

    @property
    def interval(self) -> float:
        """Seconds from one picture of the screen to the next, where it tells and sets the pace;
        else 0."""
        sdl = self._sdl
        if self._renderer is None:
            return 0.0
        if not rendering.info(sdl, self._renderer).flags & sdl.SDL_RENDERER_PRESENTVSYNC:
            return 0.0
        mode = sdl.SDL_DisplayMode()
        at = max(0, sdl.SDL_GetWindowDisplayIndex(self._window))
        told = sdl.SDL_GetCurrentDisplayMode(at, ctypes.byref(mode)) == 0
        return 1 / mode.refresh_rate if told and mode.refresh_rate else 0.0

    def write(self, frame: Frame) -> None:
        """Show a frame; it is on the screen when this returns."""
        self.show(frame)

    def show(
        self, frame: Frame, *, beside: Frame | None = None, divider: float | None = None
    ) -> None:
        """Show a frame, or ``beside`` left of ``divider``, a share of the width, and it right."""
        self._shown = screen.shown_size(frame.size, sar=frame.sar, turn=self._turn)
        if self._window is None:
            self._open(self.opens_at or self._shown)
        self._upload("picture", frame)
        self._divider = divider if beside is not None else None
        if beside is not None:
            self._upload("beside", beside)
        self.refresh()

    def divide(self, divider: float) -> None:
        """Move the line between two pictures that are shown side by side."""
        if self._divider is not None:
            self._divider = divider

    def cover(self, sprites: Sequence[Sprite]) -> None:
        """What lies over the film from the next picture or ``refresh`` on, lowest first."""
        kept = {sprite: self._sprites.pop(sprite, None) for sprite in sprites}
        for texture in self._sprites.values():
            if texture is not None:
                self._sdl.SDL_DestroyTexture(texture)
        self._sprites = kept

    def refresh(self) -> None:
        """Draw what is shown anew."""
        if "picture" in self._textures:
            self._draw()
            self._sdl.SDL_RenderPresent(self._renderer)

    def pixels(self) -> NDArray[np.uint8]:
        """What is shown, as red, green and blue [H, W, 3]: for tests and pictures of the window."""
        self._draw()
        width, height = self.area
        read = np.empty((height, width, 3), np.uint8)
        failed = self._sdl.SDL_RenderReadPixels(
            self._renderer,
            None,
            self._sdl.SDL_PIXELFORMAT_RGB24,
            read.ctypes.data_as(ctypes.c_void_p),
            read.strides[0],
        )
        self._check(failed == 0)
        return read

    def events(self, wait: float) -> Iterator[Event]:
        """What has happened, in order; waits up to ``wait`` seconds for the first, in whole ms."""
        sdl, event = self._sdl, self._sdl.SDL_Event()
        happened = sdl.SDL_WaitEventTimeout(ctypes.byref(event), max(0, int(wait * 1000)))
        while happened:
            yield from self._translate(event)
            happened = sdl.SDL_PollEvent(ctypes.byref(event))

    def toggle_full_screen(self) -> None:
        sdl = self._sdl
        if self._window is not None:
            full = sdl.SDL_WINDOW_FULLSCREEN_DESKTOP
            on = sdl.SDL_GetWindowFlags(self._window) & full == full
            self._check(sdl.SDL_SetWindowFullscreen(self._window, 0 if on else full) == 0)

    def close(self) -> None:
        sdl = self._sdl
        self.cover(())
        for texture in self._textures.values():
            sdl.SDL_DestroyTexture(texture.handle)
        if self._renderer is not None:
            sdl.SDL_DestroyRenderer(self._renderer)
        if self._window is not None:
            sdl.SDL_DestroyWindow(self._window)
        self._window = self._renderer = None
        self._textures = {}
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
        self._window = sdl.SDL_CreateWindow(self._title, centred, centred, width, height, flags)
        self._check(self._window)
        sdl.SDL_SetHint(b"SDL_RENDER_SCALE_QUALITY", b"linear")
        self._renderer = rendering.make(sdl, self._window)
        self._check(self._renderer)
        flags = rendering.info(sdl, self._renderer).flags
        self._in_software = bool(flags & sdl.SDL_RENDERER_SOFTWARE)

    def _upload(self, slot: str, frame: Frame) -> None:
        """Put a frame into one of the two textures, made anew where it does not fit."""
        sdl = self._sdl
        matrix = matrix_for_display(frame.color, height=self._source_height)
        texture = self._textures.get(slot)
        if texture is None or (texture.size, texture.matrix) != (frame.size, matrix):
            if texture is not None:
                sdl.SDL_DestroyTexture(texture.handle)
                del self._textures[slot]
            # Before the texture: some renderers look at the mode when they make one.
            sdl.SDL_SetYUVConversionMode(
                sdl.surface.SDL_YUV_CONVERSION_BT709
                if matrix in NEARLY_709
                else sdl.surface.SDL_YUV_CONVERSION_BT601
            )
            handle = sdl.SDL_CreateTexture(
                self._renderer,
                sdl.SDL_PIXELFORMAT_IYUV,
                sdl.SDL_TEXTUREACCESS_STREAMING,
                *frame.size,
            )
            self._check(handle)
            texture = self._textures[slot] = _Texture(handle, frame.size, matrix)
        if len(texture.holds) == len(frame.planes) and all(map(is_, texture.holds, frame.planes)):
            return  # the same picture again
        texture.holds = frame.planes
        planes = screen.planes_420(frame)
        self._check(sdl.SDL_UpdateYUVTexture(texture.handle, None, *_memory(planes)) == 0)

    def _draw(self) -> None:
        sdl, renderer = self._sdl, self._renderer
        width, height = self.area
        x, _, w, h = screen.fit(self._shown, (width, height))
        # A GPU wants to hear that nothing is kept; in software it is a fifth of the work.
        whole = (w, h) == (width, height) and not self._turn.degrees
        if not (whole and self._in_software):
            sdl.SDL_SetRenderDrawColor(renderer, 0, 0, 0, 255)
            sdl.SDL_RenderClear(renderer)
        if self._divider is None:
            self._copy("picture")
        else:
            middle = x + round(self._divider * w)
            for slot, left, right in (("beside", 0, middle), ("picture", middle, width)):
                part = sdl.SDL_Rect(left, 0, max(1, right - left), height)
                sdl.SDL_RenderSetClipRect(renderer, ctypes.byref(part))
                self._copy(slot)
            sdl.SDL_RenderSetClipRect(renderer, None)
            line = sdl.SDL_Rect(middle - DIVIDER // 2, 0, DIVIDER, height)
            sdl.SDL_SetRenderDrawColor(renderer, 255, 255, 255, 255)
            sdl.SDL_RenderFillRect(renderer, ctypes.byref(line))
        for sprite in self._sprites:
            self._lay(sprite)

    def _copy(self, slot: str) -> None:
        """Draw a texture: turned about the middle of the area, which is black around it."""
        sdl, turn = self._sdl, self._turn
        x, y, w, h = screen.fit(self._shown, self.area)
        if turn.on_its_side:  # the rectangle is that of the picture before it is turned
            x, y, w, h = x + (w - h) // 2, y + (h - w) // 2, h, w
        where = sdl.SDL_Rect(x, y, w, h)
        flip = sdl.SDL_FLIP_HORIZONTAL if turn.mirrored else sdl.SDL_FLIP_NONE
        handle = self._textures[slot].handle
        drawn = sdl.SDL_RenderCopyEx(
            self._renderer, handle, None, ctypes.byref(where), turn.degrees, None, flip
        )
        self._check(drawn == 0)

    def _lay(self, sprite: Sprite) -> None:
        sdl = self._sdl
        height, width, _ = sprite.pixels.shape
        if self._sprites[sprite] is None:
            handle = sdl.SDL_CreateTexture(
                self._renderer,
                sdl.SDL_PIXELFORMAT_RGBA32,
                sdl.SDL_TEXTUREACCESS_STATIC,
                width,
                height,
            )
            self._check(handle)
            pixels = np.ascontiguousarray(sprite.pixels)
            sdl.SDL_UpdateTexture(handle, None, pixels.ctypes.data, pixels.strides[0])
            sdl.SDL_SetTextureBlendMode(handle, sdl.SDL_BLENDMODE_BLEND)
            self._sprites[sprite] = handle
        where = sdl.SDL_Rect(sprite.x, sprite.y, width, height)
        sdl.SDL_RenderCopy(self._renderer, self._sprites[sprite], None, ctypes.byref(where))

    def _translate(self, event: Any) -> Iterator[Event]:
        sdl = self._sdl
        match event.type:
            case sdl.SDL_QUIT:
                yield Closed()
            case sdl.SDL_KEYDOWN:
                others = sdl.KMOD_CTRL | sdl.KMOD_ALT | sdl.KMOD_GUI  # keys of the desktop
                if not event.key.keysym.mod & others:
                    name = sdl.SDL_GetKeyName(event.key.keysym.sym).decode().lower()
                    yield Key(name, held=bool(event.key.repeat))
            case sdl.SDL_MOUSEMOTION:
                held = bool(event.motion.state & sdl.SDL_BUTTON_LMASK)
                yield self._pointer(event.motion, held)
            case sdl.SDL_MOUSEBUTTONDOWN if event.button.button == sdl.SDL_BUTTON_LEFT:
                yield self._pointer(event.button, True)
            case sdl.SDL_DROPFILE | sdl.SDL_DROPTEXT:
                # The field itself would be read as a copy, which is not SDL's to free.
                text = ctypes.c_void_p.from_buffer(event.drop, sdl.SDL_DropEvent.file.offset)
                where = ctypes.string_at(text.value or b"").decode(errors="replace")
                sdl.SDL_free(text)
                yield Dropped(_local(where.strip()))
            case sdl.SDL_WINDOWEVENT:
                if event.window.event == sdl.SDL_WINDOWEVENT_SIZE_CHANGED:
                    yield Resized()
                self.refresh()  # uncovered, or of a new size

    def _pointer(self, at: Any, pressed: bool) -> Pointer:
        """Where it is in dots: a screen may have more of them than SDL counts points."""
        width, height = ctypes.c_int(), ctypes.c_int()
        self._sdl.SDL_GetWindowSize(self._window, ctypes.byref(width), ctypes.byref(height))
        area = self.area
        return Pointer(
            at.x * area[0] // max(1, width.value), at.y * area[1] // max(1, height.value), pressed
        )

    def _check(self, succeeded: Any) -> None:
        if not succeeded:
            raise OutputError(f"the window cannot show the picture: {sdl_library.error(self._sdl)}")


def _where_none_is() -> str:
    asked = [f"{name}={os.environ[name]}" for name in SCREENS if os.environ.get(name)]
    return f"none answers at {' or '.join(asked)}" if asked else "there is none"


def _local(where: str) -> str:
    """A file by its name, also where a program gives it as a URL."""
    if not where.startswith("file:///"):
        return where
    from urllib.request import url2pathname  # which loads what speaks HTTP and TLS

    return url2pathname(where[7:])


@dataclass(slots=True)
class _Texture:
    handle: Any
    size: tuple[int, int]
    matrix: int
    holds: tuple[Plane, ...] = ()
    """The planes it was made from last."""


def _memory(planes: tuple[Plane, ...]) -> list[Any]:
    """Pointer and pitch of each plane, as SDL takes them.

    Without ``data_as`` of numpy, which leaves a cycle of objects behind each time.
    """
    firsts = [ctypes.c_ubyte.from_address(plane.ctypes.data) for plane in planes]
    return [
        part
        for plane, first in zip(planes, firsts, strict=True)
        for part in (ctypes.byref(first), plane.strides[0])
    ]
