"""The window, read back: right colours, right shape, right way up. SDL's dummy driver."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from support.frames import make_frame
from vidlift.color import ColorTags, Range
from vidlift.errors import OutputError
from vidlift.frame import Frame
from vidlift.rgb import to_rgb
from vidlift.sinks.events import Dropped, Key
from vidlift.sinks.window import Sprite, Window

PATCHES = [
    (y, u, v) for y in (16, 81, 126, 180, 235) for u, v in ((128, 128), (90, 170), (170, 90))
]
"""Code values of 8 bits, all of them inside R'G'B'."""

OFF_MAX = 3
"""Largest difference from the exact conversion, in levels: SDL works in integers of 8 bits, and
full range becomes studio range before (219 levels for 256)."""


@pytest.fixture
def window() -> Iterator[Window]:
    with closing(Window("test", source_height=1080, dummy=True)) as opened:
        yield opened


def patches(*, bits: int = 8, **tags: object) -> Frame:
    """A row of flat squares."""
    side, step = 16, 1 << (bits - 8)
    kind = np.uint8 if bits == 8 else np.uint16
    planes = []
    for index in range(3):
        size = side if index == 0 else side // 2
        row = np.repeat([patch[index] * step for patch in PATCHES], size)
        planes.append(np.tile(row, (size, 1)).astype(kind))
    return Frame(
        planes=tuple(planes),
        pts=Fraction(0),
        duration=Fraction(1),
        bits=bits,
        color=ColorTags(**tags),  # type: ignore[arg-type]
    )


def middles(picture: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The colour in the middle of each square."""
    height, width, _ = picture.shape
    side = width // len(PATCHES)
    return picture[height // 2, side // 2 :: side].astype(np.int32)


@pytest.mark.parametrize(
    ("matrix", "full", "bits"),
    list(product((1, 6, 2), (Range.STUDIO, Range.FULL), (8, 10))),
    ids=str,
)
def test_colours_are_those_of_the_tags(window: Window, matrix: int, full: Range, bits: int) -> None:
    frame = patches(matrix=matrix, range=full, bits=bits)
    window.show(frame)
    wanted = middles(to_rgb(frame, source_height=1080))
    off = np.abs(middles(window.pixels()) - wanted)
    assert off.max() <= OFF_MAX, f"differences by square: {off.max(axis=1).tolist()}"


@pytest.mark.parametrize(("height", "matrix"), [(1080, 1), (576, 6), (480, 6)])
def test_without_a_tag_the_height_of_the_source_decides(height: int, matrix: int) -> None:
    with closing(Window("test", source_height=height, dummy=True)) as window:
        window.show(patches())
        untagged = window.pixels()
        window.show(patches(matrix=matrix))
        assert np.array_equal(window.pixels(), untagged)


def test_matrices_are_not_mixed_up(window: Window) -> None:
    window.show(patches(matrix=1))
    one = window.pixels().astype(int)
    window.show(patches(matrix=6))
    assert np.abs(window.pixels() - one).max() > 2 * OFF_MAX


@pytest.mark.parametrize("layout", ["gray", "yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("size", [(64, 48), (33, 17)], ids=str)
def test_every_layout_and_odd_sizes_are_shown_whole(
    window: Window, layout: str, size: tuple[int, int]
) -> None:
    frame = make_frame(size=size, layout=layout, color=ColorTags(matrix=1))
    window.show(frame)
    shown = window.pixels()
    assert shown.shape == (size[1], size[0], 3)
    # Luma alone, in the middle of what R, G and B say: chroma is noise and is interpolated.
    grey = shown.astype(int) @ [0.2126, 0.7152, 0.0722]
    y = (frame.luma.astype(int) - 16) * 255 / 219
    assert np.corrcoef(grey.ravel(), y.ravel())[0, 1] > (0.99 if layout == "gray" else 0.7)


ARROW = np.full((16, 32), 16, np.uint8)
ARROW[:8, :16] = 235
"""Bright in the upper left quarter."""


@pytest.mark.parametrize(
    ("display_matrix", "size", "bright"),
    [
        (None, (32, 16), (0, 0)),
        ((0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30), (16, 32), (0, 1)),
        ((-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30), (32, 16), (1, 1)),
        ((0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30), (16, 32), (1, 0)),
        ((-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30), (32, 16), (0, 1)),
    ],
    ids=["as it is", "clockwise", "upside down", "anticlockwise", "mirrored"],
)
def test_a_picture_is_the_right_way_up(
    display_matrix: tuple[int, ...] | None, size: tuple[int, int], bright: tuple[int, int]
) -> None:
    grey = np.full((8, 16), 128, np.uint8)
    frame = Frame(planes=(ARROW, grey, grey), pts=Fraction(0), duration=Fraction(1))
    with closing(
        Window("test", source_height=16, display_matrix=display_matrix, dummy=True)
    ) as window:
        window.show(frame)
        shown = window.pixels()
        assert window.area == size
    height, width, _ = shown.shape
    quarters = {
        (row, column): shown[
            row * height // 2 + 1 : (row + 1) * height // 2 - 1,
            column * width // 2 + 1 : (column + 1) * width // 2 - 1,
        ].mean()
        for row, column in product((0, 1), (0, 1))
    }
    assert max(quarters, key=lambda place: quarters[place]) == bright


@pytest.mark.parametrize(
    ("sar", "area"), [(Fraction(2), (128, 48)), (Fraction(1, 2), (64, 96)), (Fraction(1), (64, 48))]
)
def test_the_window_has_the_shape_of_what_is_shown(
    window: Window, sar: Fraction, area: tuple[int, int]
) -> None:
    window.show(make_frame(size=(64, 48), sar=sar))
    assert window.area == area


def test_it_opens_as_large_as_it_was_told_whatever_comes_first(window: Window) -> None:
    window.opens_at = (128, 96)
    window.show(make_frame(size=(32, 24)))
    assert window.area == (128, 96)


def test_side_by_side_shows_each_on_its_side_and_the_line_moves(window: Window) -> None:
    dark, light = (
        Frame(
            planes=(np.full((32, 64), code, np.uint8), *[np.full((16, 32), 128, np.uint8)] * 2),
            pts=Fraction(0),
            duration=Fraction(1),
        )
        for code in (16, 235)
    )
    window.show(light, beside=dark, divider=0.5)
    for middle in (32, 16):
        window.divide(middle / 64)
        row = window.pixels()[16, :, 0]
        assert row[: middle - 1].max() == 0
        assert row[middle + 1 :].min() == 255
    window.show(light)
    assert window.pixels().min() == 255


def test_sprites_lie_over_the_picture_by_their_opacity(window: Window) -> None:
    window.show(make_frame(size=(64, 48)))
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4] = (255, 0, 0, 255)
    bare = window.pixels()
    sprite = Sprite(10, 20, pixels)
    window.cover([sprite])
    covered = window.pixels()
    assert (covered[20:28, 10:14] == (255, 0, 0)).all()
    assert np.array_equal(covered[20:28, 14:18], bare[20:28, 14:18])
    window.cover([])
    assert np.array_equal(window.pixels(), bare)


@pytest.mark.parametrize(
    ("paced", "hertz", "interval"), [(True, 50, 0.02), (True, 0, 0.0), (False, 50, 0.0)]
)
def test_it_tells_how_often_the_screen_takes_a_picture(
    window: Window, paced: bool, hertz: int, interval: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert window.interval == 0, "it is not open"
    window.show(patches())
    sdl = window._sdl

    def mode(_display: int, found: Any) -> int:
        found._obj.refresh_rate = hertz
        return 0

    def about(_renderer: Any, found: Any) -> int:
        found._obj.flags = sdl.SDL_RENDERER_PRESENTVSYNC if paced else sdl.SDL_RENDERER_SOFTWARE
        return 0

    monkeypatch.setattr(sdl, "SDL_GetCurrentDisplayMode", mode)
    monkeypatch.setattr(sdl, "SDL_GetRendererInfo", about)
    assert window.interval == interval


def test_another_film_may_have_another_size(window: Window) -> None:
    window.show(make_frame(size=(64, 48)))
    window.begin("other", source_height=20)
    window.show(make_frame(size=(40, 20)))
    assert window.area == (64, 48)
    shown = window.pixels()
    assert shown[:7].max() == 0, "black above"
    assert shown[24].max() > 0


@pytest.mark.parametrize(
    ("given", "kind", "wanted"),
    [
        (b"/films/a b.mp4", "SDL_DROPFILE", "/films/a b.mp4"),
        (b"file:///films/a%20b.mp4", "SDL_DROPTEXT", "/films/a b.mp4"),
        (b"https://host/a.mp4 \r\n", "SDL_DROPTEXT", "https://host/a.mp4"),
    ],
)
def test_what_is_dropped_on_it_is_a_file_or_a_url(
    window: Window, given: bytes, kind: str, wanted: str
) -> None:
    import sdl2

    window.show(make_frame(size=(64, 48)))
    list(window.events(0.0))
    event = sdl2.SDL_Event()
    event.type = getattr(sdl2, kind)
    text = sdl2.SDL_malloc(len(given) + 1)  # the window gives it back
    ctypes.memmove(text, given + b"\0", len(given) + 1)
    ctypes.c_void_p.from_buffer(event.drop, sdl2.SDL_DropEvent.file.offset).value = text
    sdl2.SDL_PushEvent(event)
    assert [each for each in window.events(0.0) if isinstance(each, Dropped)] == [Dropped(wanted)]


def test_nothing_happens_in_a_window_that_nobody_touches(window: Window) -> None:
    window.show(make_frame())
    list(window.events(0.0))
    assert not list(window.events(0.0))
    window.toggle_full_screen()
    window.refresh()


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize(
    ("mod", "heeded"), [("KMOD_NONE", True), ("KMOD_LSHIFT", True), ("KMOD_LCTRL", False)]
)
def test_keys_of_the_desktop_are_not_the_players(
    window: Window, mod: str, heeded: bool, held: bool
) -> None:
    sdl = window._sdl
    window.show(make_frame(size=(64, 48)))
    list(window.events(0))
    event = sdl.SDL_Event()
    event.type = sdl.SDL_KEYDOWN
    event.key.keysym.sym = sdl.SDLK_c
    event.key.keysym.mod = getattr(sdl, mod)
    event.key.repeat = held
    sdl.SDL_PushEvent(ctypes.byref(event))
    keys = [each for each in window.events(0) if isinstance(each, Key)]
    assert keys == ([Key("c", held=held)] if heeded else [])


def test_a_name_that_is_no_text_is_a_title(window: Window) -> None:
    window.begin("caf\udce9", source_height=48)
    window.show(make_frame(size=(64, 48)))


def test_a_screen_that_does_not_answer_is_named(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.close()  # what was set for it does not stay
    monkeypatch.setenv("DISPLAY", ":98765")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for driver, why in (("", "none answers at DISPLAY=:98765"), ("moon", "moon not available")):
        monkeypatch.setenv("SDL_VIDEODRIVER", driver)
        with pytest.raises(OutputError, match=why):
            Window("test", source_height=48)
