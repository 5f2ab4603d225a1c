"""What holds for every source of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from support.clips import make_clip
from support.shared import shared
from vidlift.frame import Frame
from vidlift.sinks.digest import DigestSink
from vidlift.sources.base import Source
from vidlift.sources.file import FileSource
from vidlift.sources.split import Split
from vidlift.sources.synthetic import SyntheticSource
from vidlift.video import VideoInfo

FRAMES = 7

Opener = Callable[[], Source]
Maker = Callable[[Path], Opener]


class SplitPictures:
    """The pictures' side of a split as a source: what a player pulls frames from."""

    def __init__(self, where: Path) -> None:
        self._split = Split(where)
        self._split.mute()
        self.info: VideoInfo = self._split.pictures.info
        self.lost = self._split.pictures.lost

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._split.pictures)

    def close(self) -> None:
        self._split.close()


def synthetic(**options: Any) -> Maker:
    return lambda _folder: lambda: SyntheticSource(frames=FRAMES, **options)


def from_file(source: Callable[[Path], Source], name: str, **options: Any) -> Maker:
    def make(folder: Path) -> Opener:
        where = make_clip(folder / name, frames=FRAMES, **options)
        return lambda: source(where)

    return make


UNEVEN = [Fraction(n, 1000) for n in (500, 533, 600, 601, 1100, 1200, 1900)]
MPEG4 = {"codec": "mpeg4", "options": {"q": "5"}}
HEVC10 = {
    "codec": "libx265",
    "pix_fmt": "yuv420p10le",
    "options": {"x265-params": "log-level=none"},
}
FFV1 = {"codec": "ffv1", "options": {"level": "3"}}

SOURCES: dict[str, Maker] = {
    "synthetic": synthetic(width=48, height=32),
    "synthetic, 10 bit, odd, late": synthetic(width=47, height=31, bits=10, start=Fraction(5, 3)),
    "synthetic, between two frames": synthetic(width=48, height=32, start=Fraction(1, 7)),
    "file, h264 mp4": from_file(FileSource, "a.mp4"),
    "file, h264 ts": from_file(FileSource, "a.ts", start=Fraction(10)),
    "file, mpeg4 avi": from_file(FileSource, "a.avi", **MPEG4),
    "file, uneven mkv": from_file(FileSource, "a.mkv", times=UNEVEN),
    "file, mkv from before zero": from_file(
        FileSource, "a.mkv", start=Fraction(-1, 6), muxing={"avoid_negative_ts": "disabled"}
    ),
    "file, 10 bit hevc": from_file(FileSource, "a.mp4", **HEVC10),
    "file, 4:2:2": from_file(FileSource, "a.mkv", pix_fmt="yuv422p"),
    "file, 4:4:4 odd": from_file(FileSource, "a.mkv", pix_fmt="yuv444p", width=51, height=35),
    "file, rgb": from_file(FileSource, "a.mkv", pix_fmt="bgr0", **FFV1),
    "file, grey": from_file(FileSource, "a.mkv", pix_fmt="gray", **FFV1),
    "file, 12 bit": from_file(FileSource, "a.mkv", pix_fmt="yuv420p12le", **FFV1),
    "split, h264 mp4": from_file(SplitPictures, "a.mp4"),
    "split, no sound": from_file(SplitPictures, "a.mp4", sounds=0),
}


@pytest.fixture(params=SOURCES)
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    return SOURCES[request.param](tmp_path)


def check_source(opener: Opener) -> None:
    with closing(opener()) as source:
        info = source.info
        frames = list(source)
        assert not source.lost
    assert len(frames) == FRAMES
    for frame in frames:
        assert frame.size == (info.width, info.height)
        assert (frame.bits, frame.layout, frame.sar) == (info.bits, info.layout, info.sar)
        assert frame.color == info.color
        assert (frame.pts / info.time_base).denominator == 1, "a pts is a multiple of time_base"
    for frame, following in pairwise(frames):
        assert frame.pts < following.pts
        assert frame.pts + frame.duration == following.pts
    assert frames[-1].duration > 0


def test_a_source_keeps_its_promises(opener: Opener) -> None:
    check_source(opener)


def test_a_source_gives_the_same_each_time_it_is_opened(opener: Opener) -> None:
    digests = set()
    for _ in range(2):
        sink = DigestSink()
        with closing(opener()) as source:
            for frame in source:
                sink.write(frame)
        digests.add(sink.hexdigest())
    assert len(digests) == 1


def test_a_source_is_given_once(opener: Opener) -> None:
    with closing(opener()) as source:
        frames = iter(source)
        assert len(list(frames)) == FRAMES
        assert next(frames, None) is None


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_source_may_be_closed_early(opener: Opener, taken: int) -> None:
    with closing(opener()) as source:
        frames = [frame for frame, _ in zip(source, range(taken), strict=False)]
    # What was given stays whole after its source is gone.
    assert all(plane.sum() > 0 for frame in frames for plane in frame.planes)


FIRST = 10
"""Frames looked at in each file of the shared data."""


def test_real_files_keep_the_promises_too() -> None:
    for where in sorted(shared("data", "real").iterdir()):
        with closing(FileSource(where)) as source:
            info = source.info
            frames = [frame for frame, _ in zip(source, range(FIRST), strict=False)]
            assert not source.lost, where.name
        for frame, following in pairwise(frames):
            assert frame.pts < following.pts, where.name
            assert frame.pts + frame.duration == following.pts, where.name
        for frame in frames:
            assert (frame.pts / info.time_base).denominator == 1, where.name
            assert (frame.size, frame.bits, frame.layout, frame.color) == (
                (info.width, info.height),
                info.bits,
                info.layout,
                info.color,
            ), where.name
