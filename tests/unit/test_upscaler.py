"""Pictures in, bigger pictures out: planes, depths, odd sides, chroma in its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from support.frames import make_frame
from vidlift import models
from vidlift.color import ColorTags, Range, Siting
from vidlift.descriptor import SCALES
from vidlift.engines.base import MIN_SIDE, PairPlanes
from vidlift.errors import ModelError, UsageError
from vidlift.frame import SUBSAMPLED
from vidlift.models import Model
from vidlift.resample import resize
from vidlift.upscaler import Upscaler

LAYOUTS = ["gray", *SUBSAMPLED]


@pytest.fixture(scope="module", params=SCALES)
def upscaler(request: pytest.FixtureRequest) -> Iterator[Upscaler]:
    with Upscaler(f"bicubic-x{request.param}", engine="onnxruntime", threads=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def twice() -> Iterator[Upscaler]:
    with Upscaler("bicubic-x2", engine="onnxruntime", threads=1) as opened:
        yield opened


class TestFrames:
    @pytest.mark.parametrize(
        ("layout", "bits", "size"), [*product(LAYOUTS, (8, 10), ((40, 32), (37, 23), (5, 3)))]
    )
    def test_every_plane_grows_by_the_scale(
        self, upscaler: Upscaler, layout: str, bits: int, size: tuple[int, int]
    ) -> None:
        frame = make_frame(size=size, layout=layout, bits=bits)
        big = upscaler.frame(frame)
        assert big.size == (size[0] * upscaler.scale, size[1] * upscaler.scale)
        assert (big.layout, big.bits) == (layout, bits)
        if layout != "gray":
            down, across = SUBSAMPLED[layout]
            wanted = (-(-big.height // down), -(-big.width // across))
            assert [plane.shape for plane in big.planes[1:]] == [wanted] * 2

    def test_times_and_tags_stay(self, twice: Upscaler) -> None:
        tags = ColorTags(matrix=9, primaries=9, transfer=16, range=Range.FULL)
        frame = make_frame(3, bits=10, color=tags)
        big = twice.frame(frame)
        assert (big.pts, big.duration) == (frame.pts, frame.duration)
        assert (big.sar, big.color) == (frame.sar, tags)

    def test_a_pair_is_its_frames(self, twice: Upscaler) -> None:
        first, second = make_frame(0, seed=1), make_frame(1, seed=2)
        for big, alone in zip(twice.pair(first, second), (first, second), strict=True):
            wanted = twice.frame(alone)
            assert all(np.array_equal(a, b) for a, b in zip(big.planes, wanted.planes, strict=True))

    def test_a_frame_alone_is_done_once(self, twice: Upscaler) -> None:
        one, other = twice.pair(frame := make_frame(), frame)
        assert one is other

    @pytest.mark.parametrize("other", [{"size": (34, 24)}, {"bits": 10}, {"layout": "gray"}])
    def test_frames_that_do_not_match_are_refused(
        self, twice: Upscaler, other: dict[str, Any]
    ) -> None:
        with pytest.raises(UsageError, match="one size, layout and depth"):
            twice.pair(make_frame(), make_frame(**other))


class TestChromaSiting:
    """A slope stays the same slope: each chroma sample keeps its place among the luma samples."""

    @pytest.mark.parametrize("siting", Siting)
    @pytest.mark.parametrize("scale", SCALES)
    @pytest.mark.parametrize("layout", SUBSAMPLED)
    def test_a_slope_stays_in_place(self, layout: str, scale: int, siting: Siting) -> None:
        steps = SUBSAMPLED[layout][::-1]
        # Where the first chroma sample lies, in luma samples, across and down.
        places = tuple(
            0.0 if step == 1 or cosited else 0.5
            for step, cosited in zip(
                steps, (siting is not Siting.CENTER, siting is Siting.TOPLEFT), strict=True
            )
        )

        def slope(shape: tuple[int, ...], scale: int) -> NDArray[Any]:
            """Code values by position in the small picture's luma samples."""
            x, y = (
                (step * np.arange(side) + place + 0.5) / scale - 0.5
                for step, place, side in zip(steps, places, shape[::-1], strict=True)
            )
            return 200 + 6 * x[None, :] + 4 * y[:, None]

        frame = make_frame(size=(64, 48), layout=layout, bits=10)
        for plane in frame.planes[1:]:
            plane[...] = np.rint(slope(plane.shape, 1))
        options: dict[str, Any] = {"engine": "onnxruntime", "threads": 1, "siting": siting}
        with Upscaler(f"bicubic-x{scale}", **options) as upscaler:
            big = upscaler.frame(frame)
        inner = (slice(4 * scale, -4 * scale),) * 2
        for plane in big.planes[1:]:
            wrong = plane[inner] - slope(plane.shape, scale)[inner]
            assert np.abs(wrong).max() <= 1.0, "rounded going in, and coming out"


class TestLuma:
    @given(
        count=st.integers(0, 3),
        height=st.integers(1, MIN_SIDE + 3),
        width=st.integers(1, MIN_SIDE + 3),
        kind=st.sampled_from([np.uint8, np.uint16]),
    )
    def test_any_count_and_size(
        self, twice: Upscaler, count: int, height: int, width: int, kind: type
    ) -> None:
        y: NDArray[Any] = np.full((count, height, width), 77, kind)
        big = twice.luma(y)
        assert (big.shape, big.dtype) == ((count, 2 * height, 2 * width), y.dtype)
        assert (big == 77).all()

    def test_it_is_bicubic_interpolation(self, upscaler: Upscaler) -> None:
        y = np.random.default_rng(1).integers(0, 256, (1, 40, 32), np.uint8)
        scale = upscaler.scale
        wanted = resize(y[0], (32 * scale, 40 * scale))
        inner = (slice(3 * scale, -3 * scale),) * 2
        wrong = np.abs(upscaler.luma(y)[0][inner].astype(int) - wanted[inner])
        # One rounding here, two there; and there what is clipped in between rings less after.
        assert np.mean(wrong > 1) < 0.02

    def test_ten_bits_are_the_same_picture_finer(self, twice: Upscaler) -> None:
        y = np.random.default_rng(1).integers(16, 236, (2, 24, 32), np.uint8)
        fine = twice.luma(y.astype(np.uint16) << 2)
        assert np.abs(fine / 4 - twice.luma(y)).max() <= 0.625

    @pytest.mark.parametrize(
        ("y", "bits"),
        [
            (np.zeros((24, 32), np.uint8), None),
            (np.zeros((1, 24, 32), np.float32), None),
            (np.zeros((1, 0, 32), np.uint8), None),
            (np.zeros((1, 24, 32), np.uint8), 10),
            (np.zeros((1, 24, 32), np.uint16), 8),
            (np.zeros((1, 24, 32), np.uint16), 17),
        ],
    )
    def test_anything_else_is_refused(
        self, twice: Upscaler, y: NDArray[Any], bits: int | None
    ) -> None:
        with pytest.raises(UsageError, match="luma is"):
            twice.luma(y, bits=bits)


class TestPicture:
    @pytest.mark.parametrize("color", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (17, 99, 201)])
    def test_a_flat_colour_stays(self, twice: Upscaler, color: tuple[int, int, int]) -> None:
        big = twice.picture(np.full((20, 30, 3), color, np.uint8))
        assert big.shape == (40, 60, 3)
        assert (big == color).all()

    def test_each_colour_goes_through_the_network_as_luma_does(self, twice: Upscaler) -> None:
        rgb = np.random.default_rng(3).integers(0, 256, (20, 30, 3), np.uint8)
        planes = np.rint(256 * (16 + rgb * (219 / 255))).astype(np.uint16)
        luma = twice.luma(np.moveaxis(planes, -1, 0), bits=16)
        wanted = np.rint((luma / 256 - 16) * (255 / 219)).clip(0, 255)
        assert np.array_equal(np.moveaxis(twice.picture(rgb), -1, 0), wanted)

    def test_anything_else_is_refused(self, twice: Upscaler) -> None:
        with pytest.raises(UsageError, match="a picture is uint8"):
            twice.picture(np.zeros((20, 30), np.uint8))


def test_an_unknown_model_is_told_with_those_there_are() -> None:
    with pytest.raises(ModelError, match=r"no model named 'z-x9'; there are .*bicubic-x4"):
        Upscaler("z-x9")


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_scale_alone_says_which_network(scale: int) -> None:
    with Upscaler(scale=scale) as upscaler:
        assert upscaler.descriptor.name == f"m-x{scale}-clean"


class Noted:
    """An engine that compiles for sizes ahead, or only when it runs, and notes both."""

    def __init__(self, model: Model, *, ahead: bool) -> None:
        self.descriptor = replace(model.descriptor, multiple_of=4)
        self.compiled: list[tuple[int, int]] = []
        self.ran: list[tuple[int, ...]] = []
        self._ahead = ahead

    def planned(self, size: tuple[int, int], *, bits: int) -> bool:
        return not self._ahead or size in self.compiled

    def plan(self, size: tuple[int, int], *, bits: int) -> None:
        assert bits == 10
        self.compiled.append(size)

    def run(self, planes: PairPlanes, *, bits: int) -> PairPlanes:
        self.ran.append(planes.shape)
        return planes.repeat(2, axis=2).repeat(2, axis=3)


@pytest.mark.parametrize(
    ("size", "given"), [((40, 32), (32, 40)), ((37, 23), (24, 40)), ((5, 3), (16, 16))]
)
@pytest.mark.parametrize("ahead", [True, False])
def test_warming_compiles_what_running_needs_and_runs_where_nothing_else_does(
    ahead: bool, size: tuple[int, int], given: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Noted(models.load("bicubic-x2"), ahead=ahead)
    monkeypatch.setattr("vidlift.upscaler.open_engine", lambda *_args, **_more: engine)
    frame = make_frame(size=size, layout="gray", bits=10)
    opened = Upscaler("bicubic-x2")
    opened.warm(frame, frame)
    assert engine.compiled == ([given] if ahead else [])
    assert engine.ran == ([] if ahead else [(1, 2, *given)])
    opened.pair(frame, frame)
    assert engine.ran[-1] == (1, 1, *given)


def test_it_may_be_closed_twice() -> None:
    upscaler = Upscaler("bicubic-x2", engine="onnxruntime")
    upscaler.frame(make_frame())
    upscaler.close()
    upscaler.close()
