"""What a screen needs of a frame: a turn, a shape, 8-bit 4:2:0 in studio range."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.frames import make_frame
from vidlift.color import ColorTags, Range
from vidlift.frame import Frame
from vidlift.sinks.screen import Turn, fit, planes_420, shown_size, turn

ONE = 1 << 16


@pytest.mark.parametrize(
    ("a", "b", "c", "d", "wanted"),
    [
        pytest.param(1, 0, 0, 1, Turn(), id="as it is"),
        pytest.param(0, 1, -1, 0, Turn(degrees=90), id="a phone held upright"),
        pytest.param(-1, 0, 0, -1, Turn(degrees=180), id="upside down"),
        pytest.param(0, -1, 1, 0, Turn(degrees=270), id="the other way"),
        pytest.param(-1, 0, 0, 1, Turn(mirrored=True), id="left and right changed"),
        pytest.param(1, 0, 0, -1, Turn(degrees=180, mirrored=True), id="top and bottom changed"),
    ],
)
def test_a_display_matrix_is_a_turn(a: int, b: int, c: int, d: int, wanted: Turn) -> None:
    assert turn((a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)) == wanted


def test_no_matrix_no_turn() -> None:
    assert turn(None) == Turn()


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_mirroring_then_turning_is_what_the_matrix_does(degrees: int, mirrored: bool) -> None:
    """A turn is drawn as SDL draws it, and compared with where the matrix takes a point."""
    angle = np.radians(degrees)
    spin = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    flip = np.diag([-1 if mirrored else 1, 1])
    matrix = np.rint(flip @ spin * ONE).astype(int)  # rows a b, c d; points are rows too
    found = turn((*map(int, matrix[0]), 0, *map(int, matrix[1]), 0, 0, 0, 1 << 30))
    assert found == Turn(degrees=degrees, mirrored=mirrored)


@pytest.mark.parametrize(
    ("size", "sar", "degrees", "wanted"),
    [
        ((720, 576), Fraction(64, 45), 0, (1024, 576)),
        ((1440, 1080), Fraction(4, 3), 0, (1920, 1080)),
        ((640, 360), Fraction(1, 2), 0, (640, 720)),
        ((1920, 1080), Fraction(1), 90, (1080, 1920)),
    ],
)
def test_no_side_is_shrunk(
    size: tuple[int, int], sar: Fraction, degrees: int, wanted: tuple[int, int]
) -> None:
    assert shown_size(size, sar=sar, turn=Turn(degrees=degrees)) == wanted


sides = st.integers(1, 5000)


@given(shown=st.tuples(sides, sides), area=st.tuples(sides, sides))
def test_the_picture_fills_one_side_and_lies_in_the_middle(
    shown: tuple[int, int], area: tuple[int, int]
) -> None:
    x, y, width, height = fit(shown, area)
    assert width == area[0] or height == area[1]
    assert 0 <= x <= area[0] - width
    assert 0 <= y <= area[1] - height
    assert abs((area[0] - width) - 2 * x) <= 1
    assert abs((area[1] - height) - 2 * y) <= 1
    scale = min(area[0] / shown[0], area[1] / shown[1])
    assert abs(width - max(1, shown[0] * scale)) <= 0.51
    assert abs(height - max(1, shown[1] * scale)) <= 0.51


class TestPlanes:
    def test_what_is_right_already_is_not_copied(self) -> None:
        frame = make_frame(size=(32, 24))
        found = planes_420(frame)
        assert all(a is b for a, b in zip(found, frame.planes, strict=True))

    @pytest.mark.parametrize("layout", ["gray", "yuv420p", "yuv422p", "yuv444p"])
    @pytest.mark.parametrize("size", [(32, 24), (33, 25)])
    @pytest.mark.parametrize("bits", [8, 10])
    @pytest.mark.parametrize("kind", [Range.STUDIO, Range.FULL])
    def test_any_frame_becomes_8_bit_420(
        self, layout: str, size: tuple[int, int], bits: int, kind: Range
    ) -> None:
        frame = make_frame(size=size, layout=layout, bits=bits, color=ColorTags(range=kind))
        y, u, v = planes_420(frame)
        half = (-(-size[1] // 2), -(-size[0] // 2))
        assert [y.shape, u.shape, v.shape] == [size[::-1], half, half]
        assert all(plane.dtype == np.uint8 and plane.strides[1] == 1 for plane in (y, u, v))

    def test_grey_has_no_colour(self) -> None:
        for kind in Range:
            _, u, v = planes_420(make_frame(layout="gray", color=ColorTags(range=kind)))
            assert (u == 128).all()
            assert (v == 128).all()

    @pytest.mark.parametrize("layout", ["yuv420p", "yuv422p", "yuv444p"])
    def test_a_flat_colour_stays(self, layout: str) -> None:
        frame = make_frame(size=(33, 25), layout=layout, bits=10)
        for plane, code in zip(frame.planes, (700, 300, 801), strict=True):
            plane[...] = code
        assert [set(np.unique(plane)) for plane in planes_420(frame)] == [{175}, {75}, {200}]

    @pytest.mark.parametrize(
        ("code", "wanted"), [((0, 128, 128), (16, 128, 128)), ((255, 0, 255), (235, 16, 239))]
    )
    def test_full_range_becomes_studio(
        self, code: tuple[int, int, int], wanted: tuple[int, int, int]
    ) -> None:
        planes = tuple(np.full((8, 8), value, np.uint8) for value in code)
        frame = Frame(
            planes=planes,
            pts=Fraction(0),
            duration=Fraction(0),
            color=ColorTags(range=Range.FULL),
        )
        found = [int(plane[0, 0]) for plane in planes_420(frame)]
        assert np.abs(np.subtract(found, wanted)).max() <= 1
