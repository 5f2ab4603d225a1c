"""The protocol for clips: what is sent, what is compared, what stability means."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from support.clips import make_clip
from support.shared import require, shared
from vidlift import metrics, vmaf
from vidlift.errors import InputError, UsageError
from vidlift.evaluation import clips, networks, streams, subjects
from vidlift.evaluation.networks import Bicubic
from vidlift.evaluation.runtimes import EXACT
from vidlift.frame import Frame

CLEAN = streams.parse("clean")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "zone.mkv", frames=5, width=100, height=74, sounds=0)


@pytest.mark.parametrize(
    ("scale", "low", "high"), [(2, (50, 36), (100, 72)), (3, (32, 24), (96, 72))]
)
def test_a_clip_is_cropped_and_shrunk_to_even_sides(
    clip: Path, scale: int, low: tuple[int, int], high: tuple[int, int]
) -> None:
    found = clips.load(clip, scale, CLEAN)
    assert [frame.size for frame in found.low] == [low] * 5
    assert {plane.shape for frame in found.low for plane in frame.planes[1:]} == {
        (low[1] // 2, low[0] // 2)
    }
    assert {plane.shape[::-1] for plane in found.high} == {high}


@pytest.mark.parametrize("name", ["h264-18", "h264-35", "av1-35"])
def test_a_compressed_stream_loses_quality_and_no_frame(clip: Path, name: str) -> None:
    clean = clips.load(clip, 2, CLEAN)
    sent = clips.load(clip, 2, streams.parse(name))
    assert [frame.size for frame in sent.low] == [frame.size for frame in clean.low]
    assert [frame.pts for frame in sent.low] == [frame.pts for frame in clean.low]
    assert any((a.luma != b.luma).any() for a, b in zip(sent.low, clean.low, strict=True))


@pytest.mark.parametrize("name", ["", "h264", "23", "h264-", "h264-x", "mpeg2-3", "h264-99"])
def test_a_stream_that_is_not_there(name: str) -> None:
    with pytest.raises(UsageError):
        streams.parse(name)


def test_the_original_itself_has_every_figure_at_its_top(clip: Path) -> None:
    found = clips.score(perfect(clip), [clip], CLEAN, scale=2)
    assert found.mean.psnr == found.mean.psnr_shifted == found.mean.stability == metrics.CEILING
    assert found.mean.ssim == pytest.approx(1)
    assert found.mean.vmaf is None
    assert list(found.clips) == ["zone"]


def test_a_constant_error_is_stable_and_flicker_is_not(clip: Path) -> None:
    darker = clips.score(perfect(clip, errors=[1, 1, 1, 1, 1]), [clip], CLEAN, scale=2).mean
    flicker = clips.score(perfect(clip, errors=[1, -1, 1, -1, 1]), [clip], CLEAN, scale=2).mean
    assert darker.psnr == pytest.approx(flicker.psnr) == pytest.approx(48.13, abs=0.01)
    assert darker.stability == metrics.CEILING
    assert flicker.stability == pytest.approx(48.13 - 6.02, abs=0.01)


def test_frames_that_come_first_and_second_in_their_pair_are_told_apart(clip: Path) -> None:
    found = clips.score(perfect(clip, errors=[1, 4, 1, 4, 1]), [clip], CLEAN, scale=2).mean
    assert found.psnr_even - found.psnr_odd == pytest.approx(12.04, abs=0.01)


@pytest.mark.parametrize(("first_pair", "pairs"), [(0, "01 23 44"), (1, "00 12 34")])
def test_pairs_start_at_the_frame_asked_for(first_pair: int, pairs: str) -> None:
    network = networks.Ours(subjects.load("bicubic-x2"), setup=EXACT, threads=1)
    seen = []

    def run(planes: NDArray[Any]) -> NDArray[Any]:
        seen.append("".join(str(plane[0, 0]) for plane in planes[0]))
        return planes

    network._run = run  # in place of the runtime; frames are as large as it asks
    found = list(network.frames([flat(code) for code in range(5)], first_pair=first_pair))
    assert " ".join(seen) == pairs
    assert [int(plane[0, 0]) for plane in found] == [0, 1, 2, 3, 4]


def test_clips_that_differ_in_their_ending_alone_both_count(clip: Path) -> None:
    other = make_clip(clip.with_suffix(".mp4"), frames=5, width=64, height=48, sounds=0)
    third = make_clip(clip.with_name("third.mkv"), frames=5, sounds=0)
    found = clips.score(
        Bicubic(2).frames, [clip, other, third], CLEAN, scale=2, paired=Bicubic.paired
    )
    assert list(found.clips) == ["zone.mkv", "zone.mp4", "third"]
    assert found.mean.psnr == pytest.approx(np.mean([s.psnr for s in found.clips.values()]))


def test_our_bicubic_model_is_as_good_as_the_published_one(clip: Path) -> None:
    network = networks.open_network(subjects.load("bicubic-x2"), threads=1)
    ours = clips.score(network.frames, [clip], CLEAN, scale=2).mean
    network.close()
    published = clips.score(Bicubic(2).frames, [clip], CLEAN, scale=2, paired=False).mean
    # It rounds once and repeats borders; the published one rounds twice and mirrors them.
    assert ours.psnr == pytest.approx(published.psnr, abs=0.2)
    assert ours.psnr == ours.psnr_shifted


def test_deep_clips_are_refused(tmp_path: Path) -> None:
    deep = make_clip(
        tmp_path / "deep.mkv", frames=2, codec="libx265", pix_fmt="yuv420p10le", sounds=0,
        options={"preset": "ultrafast", "x265-params": "log-level=none:bframes=0"},
    )  # fmt: skip
    with pytest.raises(InputError, match="10 bits"):
        clips.load(deep, 2, CLEAN)


def test_bicubic_on_the_shared_clips() -> None:
    folder = shared("data", "test", "vid4")
    found = clips.score(Bicubic(4).frames, [folder / "walk.mkv"], CLEAN, scale=4, paired=False)
    assert found.mean.psnr == pytest.approx(26.108, abs=0.005)


def test_vmaf_knows_the_original_from_a_blur(clip: Path) -> None:
    require("vmaf")
    high = clips.load(clip, 2, CLEAN).high
    same = vmaf.measure(high, high, threads=1)
    worse = vmaf.measure([np.full_like(plane, 128) for plane in high], high, threads=1)
    assert same.vmaf > 90
    assert worse.vmaf < same.vmaf - 20
    assert worse.neg < same.neg - 20


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    vmaf._ffmpeg.cache_clear()
    with pytest.raises(UsageError, match=r"vidlift\[vmaf\]"):
        vmaf.measure([np.zeros((32, 32))], [np.zeros((32, 32))])


def test_without_a_program_in_the_extra_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", SimpleNamespace(get_ffmpeg_exe=gone))
    vmaf._ffmpeg.cache_clear()
    with pytest.raises(UsageError, match="No ffmpeg exe could be found"):
        vmaf.measure([np.zeros((32, 32))], [np.zeros((32, 32))])
    assert not vmaf.is_there()


def perfect(clip: Path, errors: Sequence[int] = (0,) * 5) -> clips.Enlarge:
    """Gives the original back, each frame off by so many code values."""
    high = clips.load(clip, 2, CLEAN).high

    def enlarge(low: Sequence[Frame], *, first_pair: int = 0) -> Iterator[NDArray[Any]]:
        return (plane.astype(np.int16) + e for plane, e in zip(high, errors, strict=True))

    return enlarge


def flat(code: int) -> Frame:
    return Frame(
        planes=(np.full((16, 16), code, np.uint8),), pts=Fraction(code), duration=Fraction(1)
    )


def test_vmaf_of_some_frames_is_what_it_is_among_all(clip: Path) -> None:
    require("vmaf")
    high = clips.load(clip, 1, CLEAN).high
    blurred = [np.full_like(plane, 100 + 20 * index) for index, plane in enumerate(high)]
    each = vmaf.measure_each(blurred, high, threads=1)
    assert len(each) == len(high) == 5
    assert vmaf.measure_each(blurred, high, threads=1, every=2) == each[::2]
    assert vmaf.measure(blurred, high, threads=1) == vmaf.average(each)


def test_a_program_that_fails_at_once_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vmaf, "_ffmpeg", lambda: "false")
    planes = [np.zeros((512, 512), np.uint8)] * 8
    with pytest.raises(UsageError, match="ffmpeg failed"):
        vmaf.measure(planes, planes)
