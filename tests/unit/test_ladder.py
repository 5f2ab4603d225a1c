"""Rungs: sizes, and frames brought down with luma and chroma where they belong."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.frames import make_frame
from vidlift.cloud.ladder import Rung, brought_down, rungs, shrink
from vidlift.color import ColorTags, Range, Siting
from vidlift.errors import UsageError
from vidlift.frame import Frame
from vidlift.resample import resize
from vidlift.sources.synthetic import SyntheticSource
from vidlift.video import VideoInfo


def video(width: int = 1920, height: int = 1080, **fields: object) -> VideoInfo:
    return replace(SyntheticSource(width=width, height=height).info, **fields)  # type: ignore[arg-type]


def test_rungs_lie_below_the_video() -> None:
    found = rungs(video(), [540, 270, 1080, 2160])
    assert [rung.size for rung in found] == [(480, 270), (960, 540)]
    assert [rung.name for rung in found] == ["270p", "540p"]


def test_a_small_video_keeps_its_size() -> None:
    assert [rung.size for rung in rungs(video(64, 48), [270])] == [(64, 48)]


def test_a_video_on_its_side_is_measured_by_its_shorter_side() -> None:
    assert rungs(video(720, 1280), [270])[0].size == (270, 480)


def test_rungs_that_fall_together_are_one() -> None:
    found = rungs(video(), [135, 136, 88, 89])
    assert [(rung.size, rung.name, rung.length) for rung in found] == [
        ((156, 88), "88p", 88),
        ((240, 136), "135p", 135),
    ]


@given(st.lists(st.integers(32, 2000), min_size=1, max_size=6), st.integers(32, 2000))
def test_no_two_rungs_share_a_name_or_a_size(lengths: list[int], height: int) -> None:
    found = rungs(video(2 * height, height), lengths)
    assert len(found) == len({rung.name for rung in found}) == len({rung.size for rung in found})


@pytest.mark.parametrize("lengths", [[], [0], [-270], [31, 270]])
def test_rungs_too_small(lengths: list[int]) -> None:
    with pytest.raises(UsageError):
        rungs(video(), lengths)


@given(st.integers(64, 4096), st.integers(64, 4096), st.integers(32, 1000))
def test_the_picture_keeps_its_shape(width: int, height: int, length: int) -> None:
    info = video(width, height, sar=Fraction(8, 9))
    small = brought_down(info, rungs(info, [length])[0])
    assert small.width % 2 == small.height % 2 == 0
    before = info.width * info.sar / info.height
    after = small.width * small.sar / small.height
    assert abs(after / before - 1) < 0.001


def test_colours_are_spelt_out_as_the_large_picture_was_seen() -> None:
    rung = Rung(width=480, height=270)
    assert brought_down(video(1920, 1080), rung).color.matrix == 1
    assert brought_down(video(720, 576), rung).color.matrix == 6
    tagged = ColorTags(matrix=9, primaries=9, transfer=16, range=Range.FULL)
    assert brought_down(video(color=tagged), rung).color == tagged


def test_luma_is_what_networks_are_trained_to_undo() -> None:
    frame = make_frame(size=(96, 64))
    rung = Rung(width=24, height=16)
    small = shrink(frame, rung, siting=Siting.LEFT, bits=8, color=ColorTags())
    inner = (slice(2, -2), slice(2, -2))  # Pillow cuts the kernel off at borders
    difference = small.luma.astype(int) - resize(frame.luma, rung.size).astype(int)
    assert np.abs(difference[inner]).max() <= 1


def ramp(layout: str, siting: Siting, *, width: int = 96, height: int = 48) -> Frame:
    """A frame whose chroma says where it stands: U its column, V its row, in samples of luma."""
    across, down = {"yuv420p": (2, 2), "yuv422p": (2, 1), "yuv444p": (1, 1)}[layout]
    x = np.arange(width // across) * across + 0.5
    y = np.arange(height // down) * down + 0.5
    if siting is Siting.CENTER:
        x += (across - 1) / 2
    if siting is not Siting.TOPLEFT:
        y += (down - 1) / 2
    u = np.broadcast_to(4 * x[None], (len(y), len(x)))
    v = np.broadcast_to(8 * y[:, None], (len(y), len(x)))
    luma = np.zeros((height, width), np.uint16)
    planes = (luma, np.rint(u).astype(np.uint16), np.rint(v).astype(np.uint16))
    return Frame(planes=planes, pts=Fraction(0), duration=Fraction(1), bits=10)


@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("siting", list(Siting))
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_chroma_stays_where_it_is(layout: str, siting: Siting, scale: int) -> None:
    rung = Rung(width=96 // scale, height=48 // scale)
    frame = ramp(layout, siting)
    small = shrink(frame, rung, siting=siting, bits=10, color=ColorTags())
    # Sited left: over column 2i of the new luma, between its rows 2j and 2j + 1.
    x = scale * (2 * np.arange(rung.width // 2) + 0.5)
    y = scale * (2 * np.arange(rung.height // 2) + 1)
    inner = slice(2, -2)
    assert np.abs(small.planes[1][0, inner] - 4 * x[inner]).max() <= 1.5
    assert np.abs(small.planes[2][inner, 0] - 8 * y[inner]).max() <= 1.5


def test_ten_bits_become_eight() -> None:
    frame = make_frame(size=(64, 64), bits=10)
    rung = Rung(width=32, height=32)
    deep = shrink(frame, rung, siting=Siting.LEFT, bits=10, color=ColorTags())
    flat = shrink(frame, rung, siting=Siting.LEFT, bits=8, color=ColorTags())
    assert flat.luma.dtype == np.uint8
    assert np.abs(flat.luma * 4.0 - deep.luma).max() <= 2.5


def test_grey_becomes_a_picture_without_colour() -> None:
    frame = make_frame(size=(64, 64), layout="gray")
    small = shrink(frame, Rung(width=32, height=32), siting=Siting.LEFT, bits=8, color=ColorTags())
    assert small.layout == "yuv420p"
    assert set(np.unique(small.planes[1])) == {128}
