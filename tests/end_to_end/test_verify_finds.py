"""What ``verify`` must find in a damaged output, and what it must take for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
import pytest
from av.stream import Disposition

from support.cli import vidlift
from support.clips import join_tracks, make_clip, wrap_clock
from support.shared import shared
from vidlift.errors import VerificationError
from vidlift.frame import Frame, Plane
from vidlift.jobs.upscale import UpscaleOptions, upscale_file
from vidlift.jobs.verify import verify
from vidlift.sinks import file as file_sink
from vidlift.sinks.file import CODECS, EncoderOptions, FileSink
from vidlift.sources.file import FileSource
from vidlift.video import VideoInfo

Change: TypeAlias = Callable[[list[Frame]], Sequence[Frame]]

FAST = UpscaleOptions(model="bicubic-x2")

AS_THEY_ARE = {"avoid_negative_ts": "disabled"}
"""For muxers: times are not to be moved."""

INFO = VideoInfo(
    width=64,
    height=48,
    bits=8,
    layout="yuv420p",
    codec="raw",
    time_base=Fraction(1, 24),
    rate=Fraction(24),
)


@pytest.fixture(autouse=True)
def _quick_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, preset in (("h264", "veryfast"), ("hevc", "veryfast"), ("av1", "11")):
        quick = replace(CODECS[name], options={"preset": preset})
        monkeypatch.setitem(file_sink.CODECS, name, quick)


def _film(where: Path, lumas: Sequence[Plane], *, chroma: tuple[int, int] = (128, 128)) -> Path:
    """A file of these pictures, each of one colour, stored with next to no loss."""
    flat = tuple(np.full((24, 32), code, np.uint8) for code in chroma)
    frames = [
        Frame(planes=(luma, *flat), pts=Fraction(index, 24), duration=Fraction(1, 24))
        for index, luma in enumerate(lumas)
    ]
    return _write(where, INFO, frames, crf=4)


def _write(where: Path, info: VideoInfo, frames: Sequence[Frame], *, crf: int) -> Path:
    with closing(FileSink(where, info, EncoderOptions(crf=crf))) as sink:
        for frame in frames:
            sink.write(frame)
    return where


def _spoilt(output: Path, target: Path, change: Change) -> Path:
    """The output, encoded again after ``change`` was done to its pictures; times stay."""
    with closing(FileSource(output)) as source:
        frames = list(source)
        info = source.info
    changed = [
        replace(frame, pts=was.pts, duration=was.duration)
        for was, frame in zip(frames, change(frames), strict=True)
    ]
    return _write(target, info, changed, crf=18)


def _slow_pan(frames: int = 6) -> list[Plane]:
    """A soft pattern that moves slowly: neighbours are about 30 dB apart."""
    y, x = np.mgrid[:48, :64]
    wave = [np.sin((x + n) / 6) + np.sin(y / 5) for n in range(frames)]
    return [(126 + 50 * each).astype(np.uint8) for each in wave]


def _recoloured(change: Callable[[Plane, Plane], tuple[Plane, Plane]]) -> Change:
    def recolour(frames: list[Frame]) -> list[Frame]:
        return [replace(f, planes=(f.luma, *change(*f.planes[1:]))) for f in frames]

    return recolour


def _order(*numbers: int) -> Change:
    return lambda frames: [frames[number] for number in numbers]


def _black_corner(frames: list[Frame]) -> list[Frame]:
    black = frames[2].luma.copy()
    black[:16, :16] = 16
    return [*frames[:2], replace(frames[2], planes=(black, *frames[2].planes[1:])), *frames[3:]]


class TestPictures:
    @pytest.fixture
    def made(self, tmp_path: Path) -> tuple[Path, Path]:
        clip = _film(tmp_path / "clip.mp4", _slow_pan(), chroma=(110, 150))
        output = tmp_path / "out.mp4"
        upscale_file(clip, output, FAST)
        return clip, output

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda u, v: (np.full_like(u, 128), np.full_like(v, 128)), id="grey"),
            pytest.param(lambda u, v: (np.full_like(u, 30), np.full_like(v, 30)), id="green"),
            pytest.param(lambda u, v: (v, u), id="U and V swapped"),
            pytest.param(lambda u, v: (u + 8, v), id="tinted"),
        ],
    )
    def test_other_colours(
        self,
        change: Callable[[Plane, Plane], tuple[Plane, Plane]],
        made: tuple[Path, Path],
        tmp_path: Path,
    ) -> None:
        spoilt = _spoilt(made[1], tmp_path / "spoilt.mp4", _recoloured(change))
        with pytest.raises(VerificationError, match=r"frame 0 at 0\.000 s: .*colour"):
            verify(made[0], spoilt)

    def test_colour_where_there_was_none(self, tmp_path: Path) -> None:
        clip = make_clip(tmp_path / "grey.mkv", codec="ffv1", pix_fmt="gray", frames=2, sounds=0)
        output = tmp_path / "out.mp4"
        upscale_file(clip, output, FAST)
        verify(clip, output)
        tint = _recoloured(lambda u, v: (np.full_like(u, 100), v))
        spoilt = _spoilt(output, tmp_path / "spoilt.mp4", tint)
        with pytest.raises(VerificationError, match="colour"):
            verify(clip, spoilt)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            pytest.param(_order(0, 1, 3, 2, 4, 5), "frame 2 .*is frame 3 of the input", id="swap"),
            pytest.param(
                _order(0, 1, 2, 2, 4, 5), "frame 3 .*is frame 2 of the input", id="double"
            ),
            pytest.param(_order(5, 4, 3, 2, 1, 0), r"frame \d ", id="backwards"),
            pytest.param(_black_corner, r"frame 2 at 0\.083 s: .*brightness", id="black corner"),
        ],
    )
    def test_other_pictures(
        self, change: Change, words: str, made: tuple[Path, Path], tmp_path: Path
    ) -> None:
        spoilt = _spoilt(made[1], tmp_path / "spoilt.mp4", change)
        with pytest.raises(VerificationError, match=words):
            verify(made[0], spoilt)

    @pytest.mark.parametrize(
        ("blocks", "by"), [(2, 55), (3, 60), (4, 65), (4, -65)], ids=["4%", "6%", "8%", "8% dark"]
    )
    def test_damage_of_a_small_part(
        self, blocks: int, by: int, made: tuple[Path, Path], tmp_path: Path
    ) -> None:
        """What is damaged is not to count towards what is taken for coarseness."""

        def damage(frames: list[Frame]) -> list[Frame]:
            luma = frames[2].luma.astype(np.int16)
            # Where the picture is half bright, so that it is not clipped.
            at = 32 if by > 0 else 48
            luma[at : at + 16, : 16 * blocks] += by
            spoilt = luma.clip(0, 255).astype(np.uint8)
            return [
                replace(f, planes=(spoilt, *f.planes[1:])) if n == 2 else f
                for n, f in enumerate(frames)
            ]

        spoilt = _spoilt(made[1], tmp_path / "spoilt.mp4", damage)
        with pytest.raises(VerificationError, match=r"frame 2 .*in one place"):
            verify(made[0], spoilt)

    def test_encoded_again_it_is_still_the_same(
        self, made: tuple[Path, Path], tmp_path: Path
    ) -> None:
        verify(made[0], _spoilt(made[1], tmp_path / "again.mp4", lambda frames: frames))

    def test_the_input_itself_is_not_its_output(self, made: tuple[Path, Path]) -> None:
        with pytest.raises(VerificationError, match=r"1 times as large.*2, 3 or 4"):
            verify(made[0], made[0])
        ended = vidlift("verify", made[0], made[0])
        assert ended.code == 7


FINE: dict[str, Callable[[Any, Any, int], Any]] = {
    "checkerboard": lambda x, y, _n: (x + y) % 2,
    "columns": lambda x, _y, _n: x % 2,
    "rows": lambda _x, y, _n: y % 2,
    "flicker": lambda x, y, n: (x + y + n) % 2,
    "noise": lambda x, _y, n: np.random.default_rng(n).integers(0, 2, x.shape),
}
"""Patterns at the limit of what samples can hold: no network can tell what they are of."""


@pytest.mark.parametrize("model", ["bicubic-x2", "xs-x2", "xs-x3"])
@pytest.mark.parametrize("pattern", list(FINE))
def test_fine_patterns_are_good(pattern: str, model: str, tmp_path: Path) -> None:
    y, x = np.mgrid[:48, :64]
    codes = [16 + 219 * FINE[pattern](x, y, n) for n in range(3)]
    clip = _film(tmp_path / "clip.mp4", [each.astype(np.uint8) for each in codes])
    upscale_file(clip, tmp_path / "out.mp4", UpscaleOptions(model=model))
    verify(clip, tmp_path / "out.mp4")


@pytest.mark.parametrize("codec", list(CODECS))
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuv444p", "rgb24", "gray"])
def test_coarsely_stored_is_good(pix_fmt: str, codec: str, tmp_path: Path) -> None:
    if codec == "av1" and pix_fmt not in ("yuv420p", "gray"):
        pytest.skip("AV1 is written as 4:2:0 only")
    known = {"rgb24": "libx264rgb", "gray": "ffv1"}
    clip = make_clip(
        tmp_path / "clip.mkv",
        codec=known.get(pix_fmt, "libx264"),
        pix_fmt=pix_fmt,
        frames=4,
        width=128,
        height=96,
        sounds=0,
    )
    options = UpscaleOptions(model="xs-x2", encoder=EncoderOptions(codec=codec, crf=35))
    upscale_file(clip, tmp_path / "out.mp4", options)
    verify(clip, tmp_path / "out.mp4")


@pytest.mark.parametrize("codec", list(CODECS))
@pytest.mark.parametrize("file", ["face_av1_aac.mp4", "face_640x428_vfr_bt709_aac.mov"])
def test_a_real_film_as_coarse_as_can_be_is_good(file: str, codec: str, tmp_path: Path) -> None:
    source = shared("data", "real", file)
    encoder = EncoderOptions(codec=codec, crf=CODECS[codec].max_crf)
    upscale_file(source, tmp_path / "out.mp4", UpscaleOptions(model="xs-x2", encoder=encoder))
    verify(source, tmp_path / "out.mp4")


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
