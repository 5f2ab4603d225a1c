"""What holds for every sink of frames."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from support.frames import make_frame
from vidlift.frame import Frame
from vidlift.sinks import SINKS
from vidlift.sinks.base import Sink
from vidlift.sinks.file import CODECS, EncoderOptions, FileSink
from vidlift.sinks.window import Window
from vidlift.video import VideoInfo

SIZE = (96, 64)
RATE = Fraction(24)

Maker = Callable[[Path, int], Sink]


def file_sink(codec: str) -> Maker:
    def make(folder: Path, bits: int) -> Sink:
        info = VideoInfo(
            width=SIZE[0],
            height=SIZE[1],
            bits=bits,
            layout="yuv420p",
            codec="raw",
            time_base=1 / RATE,
            rate=RATE,
        )
        return FileSink(folder / "out.mkv", info, EncoderOptions(codec=codec))

    return make


def plain(name: str) -> Maker:
    return lambda _folder, _bits: SINKS[name]()


MAKERS: dict[str, Maker] = {
    **{name: plain(name) for name in SINKS},
    **{f"file, {codec}": file_sink(codec) for codec in CODECS},
    "window": lambda _folder, _bits: Window("test", source_height=SIZE[1], dummy=True),
}


@pytest.fixture(params=MAKERS)
def maker(request: pytest.FixtureRequest) -> Maker:
    return MAKERS[request.param]


def check_sink(sink: Sink, frames: list[Frame]) -> None:
    """Frames go in, one by one, unchanged; ``close`` is called once."""
    kept = [[plane.copy() for plane in frame.planes] for frame in frames]
    for frame in frames:
        for plane in frame.planes:
            plane.flags.writeable = False
        sink.write(frame)
    sink.close()
    for frame, planes in zip(frames, kept, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(frame.planes, planes, strict=True))


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("count", [1, 5])
def test_a_sink_takes_frames(maker: Maker, tmp_path: Path, bits: int, count: int) -> None:
    frames = [make_frame(n / RATE, size=SIZE, bits=bits, seed=n) for n in range(count)]
    check_sink(maker(tmp_path, bits), frames)


def test_a_sink_takes_planes_that_are_windows_on_larger_ones(maker: Maker, tmp_path: Path) -> None:
    large = make_frame(size=(SIZE[0] * 2, SIZE[1] * 2))
    planes = tuple(plane[::2, : plane.shape[1] // 2] for plane in large.planes)
    check_sink(
        maker(tmp_path, 8), [Frame(planes=planes, pts=Fraction(0), duration=Fraction(1, 24))]
    )


def test_a_sink_may_be_closed_without_a_frame(maker: Maker, tmp_path: Path) -> None:
    check_sink(maker(tmp_path, 8), [])
