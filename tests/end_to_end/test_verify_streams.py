"""``verify`` of times, sound and covers: what containers change is good, the rest is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from support.clips import join_tracks, make_clip, wrap_clock
from support.shared import shared
from vidlift.errors import VerificationError
from vidlift.jobs.upscale import UpscaleOptions, upscale_file
from vidlift.jobs.verify import verify
from vidlift.sinks.file import EncoderOptions

pytestmark = pytest.mark.usefixtures("quick_encoders")

FAST = UpscaleOptions(model="bicubic-x2")

AS_THEY_ARE = {"avoid_negative_ts": "disabled"}
"""For muxers: times are not to be moved."""


class TestTimes:
    """Matroska keeps times in milliseconds, and rounds some of them on its own."""

    def test_sound_with_a_run_up(self, tmp_path: Path) -> None:
        clip = join_tracks(
            tmp_path / "clip.mp4",
            [
                (make_clip(tmp_path / "picture.mp4", sounds=0), 0, {}),
                (_opus(tmp_path / "sound.mp4"), 0, {}),
            ],
        )
        upscale_file(clip, tmp_path / "out.mkv", FAST)
        assert "opus" in verify(clip, tmp_path / "out.mkv").streams[0]

    def test_the_last_frame_of_av1(self, tmp_path: Path) -> None:
        source = shared("data", "real", "face_rotate_reflect_aac.mp4")
        output = tmp_path / "out.mkv"
        options = UpscaleOptions(model="bicubic-x2", encoder=EncoderOptions(codec="av1"))
        upscale_file(source, output, options)
        verify(source, output)

    @pytest.fixture
    def early(self, tmp_path: Path) -> Path:
        """A recording whose clock wraps begins before zero, as FFmpeg reads it."""
        return wrap_clock(make_clip(tmp_path / "clip.ts"), tmp_path / "film.ts")

    def test_all_may_be_moved_where_it_begins_before_zero(
        self, early: Path, tmp_path: Path
    ) -> None:
        upscale_file(early, tmp_path / "out.mkv", FAST)
        verify(early, tmp_path / "out.mkv")
        upscale_file(early, tmp_path / "out.mp4", FAST)
        verify(early, tmp_path / "out.mp4")
        verify(early, _moved(tmp_path / "out.mp4", tmp_path / "on.mkv", [250, 250]))

    def test_but_not_one_stream_alone(self, early: Path, tmp_path: Path) -> None:
        upscale_file(early, tmp_path / "out.mp4", FAST)
        apart = _moved(tmp_path / "out.mp4", tmp_path / "apart.mkv", [250, 260])
        with pytest.raises(VerificationError, match="time of packet 0"):
            verify(early, apart)

    def test_nor_anything_that_begins_at_zero(self, tmp_path: Path) -> None:
        clip = make_clip(tmp_path / "clip.mp4")
        upscale_file(clip, tmp_path / "out.mp4", FAST)
        moved = _moved(tmp_path / "out.mp4", tmp_path / "moved.mkv", [250, 250])
        with pytest.raises(VerificationError, match="frame 0: time"):
            verify(clip, moved)


class TestPcm:
    """Sound that is not coded: each container cuts it into packets of its own."""

    @pytest.mark.parametrize("ending", ["mp4", "mkv"])
    @pytest.mark.parametrize("samples", [160, 777, 1024, 1470, 12_000])
    @pytest.mark.parametrize("source", ["mkv", "mov"])
    def test_cut_in_another_way_is_the_same(
        self, source: str, samples: int, ending: str, tmp_path: Path
    ) -> None:
        clip = _with_pcm(tmp_path / f"clip.{source}", samples)
        upscale_file(clip, tmp_path / f"out.{ending}", FAST)
        assert verify(clip, tmp_path / f"out.{ending}").streams == ("stream 1 (audio, pcm_s16le)",)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"wrong": 9000}, "packet 9 differs"),
            ({"length": 15_999}, "packet 17 differs"),
            ({"length": 16_001}, "the output has more"),
            ({"late": Fraction(1, 100)}, "time of packet 0"),
        ],
        ids=["a sample", "shorter", "longer", "later"],
    )
    def test_but_not_other_samples(
        self, change: dict[str, Any], words: str, tmp_path: Path
    ) -> None:
        clip = _with_pcm(tmp_path / "clip.mkv", 940)
        upscale_file(clip, tmp_path / "out.mp4", FAST)
        other = _with_pcm(tmp_path / "other.mov", 940, **change)
        spoilt = join_tracks(
            tmp_path / "spoilt.mp4", [(tmp_path / "out.mp4", 0, {}), (other, 1, {})]
        )
        with pytest.raises(VerificationError, match=words):
            verify(clip, spoilt)


def _with_pcm(
    where: Path,
    samples: int,
    *,
    wrong: int | None = None,
    length: int = 16_000,
    late: Fraction = Fraction(0),
) -> Path:
    """A third of a second of pictures, and noise in packets of so many samples."""
    noise = np.random.default_rng(0).integers(-9000, 9000, (1, 2 * length), np.int16)
    if wrong is not None:
        noise[0, 2 * wrong] += 1
    picture = make_clip(where.with_name(f"picture-{where.name}"), sounds=0)
    with av.open(str(picture)) as entry, av.open(str(where), "w", options=AS_THEY_ARE) as out:
        twins = {0: out.add_stream_from_template(entry.streams[0])}
        track: Any = out.add_stream("pcm_s16le", rate=48_000)
        track.codec_context.layout = "stereo"
        _copy(entry, out, twins)
        for begin in range(0, length, samples):
            part = noise[:, 2 * begin : 2 * min(begin + samples, length)]
            chunk = av.AudioFrame.from_ndarray(part, format="s16", layout="stereo")
            chunk.sample_rate, chunk.time_base = 48_000, Fraction(1, 48_000)
            chunk.pts = begin + int(late * 48_000)
            out.mux(track.encode(chunk))
    return where


class TestCovers:
    """In an ISO file a cover is a stream of one picture, in Matroska it is an attachment."""

    @pytest.fixture
    def clip(self, tmp_path: Path) -> Path:
        return _with_cover(make_clip(tmp_path / "plain.mp4"), tmp_path / "clip.mp4", _cover(1))

    def test_kept_as_an_attachment(self, clip: Path, tmp_path: Path) -> None:
        upscale_file(clip, tmp_path / "out.mp4", FAST)
        assert "mjpeg" in verify(clip, tmp_path / "out.mp4").streams[-1]
        for kind in ("image/jpeg", "application/octet-stream"):
            kept = _attached(tmp_path / "out.mp4", tmp_path / "kept.mkv", _cover(1), kind)
            found = verify(clip, kept)
            assert len(found.streams) == 2
            assert not found.missing

    def test_another_cover(self, clip: Path, tmp_path: Path) -> None:
        upscale_file(clip, tmp_path / "out.mp4", FAST)
        other = _attached(tmp_path / "out.mp4", tmp_path / "other.mkv", _cover(2), "image/jpeg")
        with pytest.raises(VerificationError, match=r"mjpeg.*packet 0 differs"):
            verify(clip, other)


def _moved(source: Path, target: Path, milliseconds: Sequence[int]) -> Path:
    """Copy packets, each stream that much later."""
    with av.open(str(source)) as entry, av.open(str(target), "w", options=AS_THEY_ARE) as out:
        twins = {s.index: out.add_stream_from_template(s) for s in entry.streams}
        for packet in entry.demux():
            if packet.size:
                _put_off(packet, milliseconds[packet.stream_index])
                packet.stream = twins[packet.stream_index]
                out.mux(packet)
    return target


def _put_off(packet: Any, milliseconds: int) -> None:
    ticks = round(Fraction(milliseconds, 1000) / packet.time_base)
    packet.pts += ticks
    packet.dts += ticks


def _cover(seed: int) -> bytes:
    picture = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
    context: Any = av.CodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = 16, 16, "yuvj420p"
    context.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuvj420p")
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def _with_cover(source: Path, target: Path, cover: bytes) -> Path:
    with av.open(str(source)) as entry, av.open(str(target), "w") as out:
        twins = {s.index: out.add_stream_from_template(s) for s in entry.streams}
        still: Any = out.add_stream("mjpeg", rate=1)
        still.width, still.height, still.pix_fmt = 16, 16, "yuvj420p"
        still.disposition = Disposition.attached_pic
        packet: Any = av.Packet(cover)
        packet.pts = packet.dts = 0
        packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 1), still, True
        out.mux(packet)
        _copy(entry, out, twins)
    return target


def _attached(source: Path, target: Path, cover: bytes, kind: str) -> Path:
    """The pictures and the sound of a file, and that cover as Matroska keeps one."""
    with av.open(str(source)) as entry, av.open(str(target), "w", options=AS_THEY_ARE) as out:
        kept = [s for s in entry.streams if not s.disposition & Disposition.attached_pic]
        twins = {s.index: out.add_stream_from_template(s) for s in kept}
        out.add_attachment("cover.jpg", kind, cover)
        _copy(entry, out, twins)
    return target


def _copy(entry: Any, out: Any, twins: dict[int, Any]) -> None:
    for packet in entry.demux():
        if packet.size and packet.stream_index in twins:
            packet.stream = twins[packet.stream_index]
            out.mux(packet)


def _opus(where: Path) -> Path:
    with av.open(str(where), "w") as container:
        track: Any = container.add_stream("libopus", rate=48_000)
        track.codec_context.layout = "stereo"
        for packet in _silence(track):
            container.mux(packet)
    return where


def _silence(track: Any) -> Iterator[Any]:
    for begin in range(0, 16_000, 960):
        chunk = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), format="s16")
        chunk.sample_rate, chunk.pts, chunk.time_base = 48_000, begin, Fraction(1, 48_000)
        yield from track.encode(chunk)
    yield from track.encode(None)
