"""Encoding: times to the tick, tags, what a codec cannot hold, disks that are full."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.frames import make_frame
from vidlift.color import ColorTags, Range
from vidlift.errors import OutputError, UsageError
from vidlift.frame import Frame
from vidlift.metrics import psnr
from vidlift.sinks.file import CODECS, EncoderOptions, FileSink, check_format
from vidlift.sources.file import FileSource
from vidlift.sources.synthetic import SyntheticSource
from vidlift.video import ContentLight, MasteringDisplay, VideoInfo

INFO = VideoInfo(
    width=64,
    height=48,
    bits=8,
    layout="yuv420p",
    codec="raw",
    time_base=Fraction(1, 24),
    rate=Fraction(24),
)


def write(where: Path, info: VideoInfo, frames: list[Frame], codec: str = "h264") -> Path:
    sink = FileSink(where, info, EncoderOptions(codec=codec))
    for frame in frames:
        sink.write(frame)
    sink.close()
    return where


def read(where: Path) -> tuple[VideoInfo, list[Frame]]:
    with closing(FileSource(where)) as source:
        return source.info, list(source)


class TestTimes:
    @settings(max_examples=20)
    @given(gaps=st.lists(st.integers(1, 5000), min_size=1, max_size=12), start=st.integers(0, 9000))
    def test_every_pts_is_kept_exactly(
        self, tmp_path_factory: pytest.TempPathFactory, gaps: list[int], start: int
    ) -> None:
        times = [Fraction(tick, 1001) for tick in accumulate(gaps, initial=start)]
        info = replace(INFO, time_base=Fraction(1, 1001))
        where = tmp_path_factory.getbasetemp() / "times.nut"
        write(where, info, [make_frame(time, size=(64, 48)) for time in times])
        assert [frame.pts for frame in read(where)[1]] == times

    def test_a_time_between_two_ticks_is_refused(self, tmp_path: Path) -> None:
        sink = FileSink(tmp_path / "a.nut", INFO, EncoderOptions())
        with pytest.raises(ValueError, match="1/25 is no multiple of the time base 1/24"):
            sink.write(make_frame(Fraction(1, 25), size=(64, 48)))
        sink.abandon()


@pytest.mark.parametrize("codec", CODECS)
class TestEveryCodec:
    @pytest.mark.parametrize("bits", [8, 10])
    def test_the_picture_comes_back(self, tmp_path: Path, codec: str, bits: int) -> None:
        frames = list(SyntheticSource(width=64, height=64, frames=3, bits=bits))
        info = replace(INFO, bits=bits, height=64)
        _, found = read(write(tmp_path / "a.mkv", info, frames, codec))
        assert [frame.bits for frame in found] == [bits] * 3
        peak = (1 << bits) - 1
        for frame, before in zip(found, frames, strict=True):
            for plane, wanted in zip(frame.planes, before.planes, strict=True):
                assert psnr(plane, wanted, peak=peak) > 25

    def test_tags_are_carried(self, tmp_path: Path, codec: str) -> None:
        tags = ColorTags(matrix=9, primaries=9, transfer=16, range=Range.STUDIO)
        info = replace(INFO, height=64, color=tags, sar=Fraction(4, 3), bits=10)
        frames = [make_frame(Fraction(n, 24), size=(64, 64), bits=10) for n in range(2)]
        found, _ = read(write(tmp_path / "a.mkv", info, frames, codec))
        assert found.color == tags
        if codec != "av1":  # which has no place for it: containers have, see jobs/join.py
            assert found.sar == Fraction(4, 3)

    def test_hdr10_data_are_carried(self, tmp_path: Path, codec: str) -> None:
        mastering = MasteringDisplay(
            primaries=(
                (Fraction(34000, 50000), Fraction(16000, 50000)),
                (Fraction(13250, 50000), Fraction(34500, 50000)),
                (Fraction(7500, 50000), Fraction(3000, 50000)),
            ),
            white=(Fraction(15635, 50000), Fraction(16450, 50000)),
            luminance=(Fraction(50, 10000), Fraction(1000)),
        )
        light = ContentLight(max_content=1000, max_average=400)
        info = replace(INFO, height=64, bits=10, mastering=mastering, light=light)
        frames = [make_frame(Fraction(n, 24), size=(64, 64), bits=10) for n in range(2)]
        found, _ = read(write(tmp_path / "a.mkv", info, frames, codec))
        assert found.light == light
        assert found.mastering is not None
        stored = [*found.mastering.luminance, *found.mastering.white]
        stored += [number for point in found.mastering.primaries for number in point]
        wanted = [*mastering.luminance, *mastering.white]
        wanted += [number for point in mastering.primaries for number in point]
        # AV1 stores binary fractions, 14 to 16 bits behind the point.
        assert all(abs(a - b) <= Fraction(1, 1 << 12) for a, b in zip(stored, wanted, strict=True))

    def test_a_rate_that_is_none_is_no_hindrance(self, tmp_path: Path, codec: str) -> None:
        info = replace(INFO, height=64, rate=None, time_base=Fraction(1, 1000))
        frames = [make_frame(Fraction(n * n, 1000), size=(64, 64)) for n in range(4)]
        _, found = read(write(tmp_path / "a.nut", info, frames, codec))
        assert [frame.pts for frame in found] == [frame.pts for frame in frames]


def test_grey_becomes_colour_without_any(tmp_path: Path) -> None:
    frames = [make_frame(Fraction(n, 24), size=(64, 48), layout="gray") for n in range(2)]
    info, found = read(write(tmp_path / "a.mkv", replace(INFO, layout="gray"), frames))
    assert info.layout == "yuv420p"
    assert all((plane == 128).all() for frame in found for plane in frame.planes[1:])


@pytest.mark.parametrize("layout", ["yuv422p", "yuv444p"])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_other_layouts(tmp_path: Path, layout: str, codec: str) -> None:
    frames = [make_frame(Fraction(n, 24), size=(64, 48), layout=layout) for n in range(2)]
    info, _ = read(write(tmp_path / "a.mkv", replace(INFO, layout=layout), frames, codec))
    assert info.layout == layout


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "codec", "message"),
        [
            ({"width": 63}, "h264", "the result would be 63x48, and 4:2:0 video needs even sides"),
            ({"height": 47}, "hevc", "the result would be 64x47, and 4:2:0 video needs even"),
            ({"width": 63, "layout": "gray"}, "h264", "4:2:0 video needs even sides"),
            ({"width": 63, "layout": "yuv422p"}, "h264", "63x48, and 4:2:2 video needs an even"),
            ({"layout": "yuv444p"}, "av1", "av1 cannot hold yuv444p pictures; h264 and hevc can"),
        ],
    )
    def test_what_a_codec_cannot_hold(
        self, change: dict[str, object], codec: str, message: str
    ) -> None:
        with pytest.raises(UsageError, match=message):
            check_format(replace(INFO, **change), EncoderOptions(codec=codec))  # type: ignore[arg-type]

    @pytest.mark.parametrize(("layout", "size"), [("yuv444p", (63, 47)), ("yuv422p", (64, 47))])
    def test_odd_sides_where_they_may_be(
        self, tmp_path: Path, layout: str, size: tuple[int, int]
    ) -> None:
        info = replace(INFO, width=size[0], height=size[1], layout=layout)
        _, found = read(write(tmp_path / "a.mkv", info, [make_frame(0, size=size, layout=layout)]))
        assert found[0].size == size

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"codec": "vp9"}, "no codec named 'vp9'; there are h264, hevc, av1"),
            ({"crf": 52}, "crf of h264 is 0 to 51, got 52"),
            ({"codec": "av1", "crf": -1}, "crf of av1 is 0 to 63, got -1"),
        ],
    )
    def test_options(self, options: dict[str, object], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            EncoderOptions(**options)  # type: ignore[arg-type]

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match=r"cannot write .*No such file"):
            FileSink(tmp_path / "gone" / "a.mkv", INFO, EncoderOptions())

    def test_a_disk_that_is_full(self) -> None:
        full = Path("/dev/full")
        if not full.exists():
            pytest.skip("no /dev/full on this system")
        frames = [make_frame(Fraction(n, 24), size=(64, 48), seed=n) for n in range(60)]

        def fill() -> None:
            sink = FileSink(full, INFO, EncoderOptions(crf=0), container="nut")
            for frame in frames:
                sink.write(frame)
            sink.close()

        with pytest.raises(OutputError, match="cannot write /dev/full: No space left on device"):
            fill()

    def test_a_frame_of_another_kind(self, tmp_path: Path) -> None:
        sink = FileSink(tmp_path / "a.mkv", INFO, EncoderOptions())
        with pytest.raises(ValueError, match=r"takes 64x48 yuv420p 8 bit, got .*32x24"):
            sink.write(make_frame(0, size=(32, 24)))
        sink.abandon()

    def test_an_encoder_that_refuses(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(CODECS["h264"].options, "preset", "no such preset")
        with pytest.raises(OutputError, match="cannot write"):
            FileSink(tmp_path / "a.mkv", INFO, EncoderOptions())


def test_abandoning_leaves_no_handle_open(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "a.mkv", INFO, EncoderOptions())
    sink.write(make_frame(0, size=(64, 48)))
    sink.abandon()
    (tmp_path / "a.mkv").unlink()


def test_bytes_are_counted(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "a.nut", INFO, EncoderOptions())
    rng = np.random.default_rng(0)
    for n in range(4):
        sink.write(make_frame(Fraction(n, 24), size=(64, 48), seed=int(rng.integers(1000))))
    sink.close()
    with av.open(str(tmp_path / "a.nut")) as container:
        stored = sum(packet.size for packet in container.demux(video=0))
    assert sink.bytes == stored > 0
