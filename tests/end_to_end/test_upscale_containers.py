"""Inputs and names that containers make hard: what is copied arrives whole, at its own time."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from support.clips import SOUND_RATE, make_clip, wrap_clock
from vidlift.errors import InputError, OutputError
from vidlift.jobs import join as join_module
from vidlift.jobs.damage import ADVICE
from vidlift.jobs.join import Picture, join
from vidlift.jobs.upscale import UpscaleOptions, upscale_file
from vidlift.jobs.verify import verify
from vidlift.sinks.file import EncoderOptions, FileSink
from vidlift.sources.decode import open_container
from vidlift.sources.file import FileSource

FAST = UpscaleOptions(model="bicubic-x2")

BOTH = pytest.mark.parametrize("container", ["mp4", "mkv"])


def _add(clip: Path, where: Path, packets: Sequence[Any], **made: Any) -> Path:
    """``clip`` and one more stream, of packets whose times are in order; ``made`` is set on it."""
    with av.open(str(clip)) as entry, av.open(str(where), "w") as out:
        twins = {old.index: out.add_stream_from_template(old) for old in entry.streams}
        codec, rate = made.pop("codec"), made.pop("rate", None)
        new: Any = out.add_stream(codec, rate=rate)
        for name, value in made.items():
            target = new if name == "disposition" else new.codec_context
            setattr(target, name, value)
        for packet in entry.demux():
            if packet.size:
                packet.stream = twins[packet.stream_index]
                out.mux(packet)
        for packet in packets:
            packet.stream = new
            out.mux(packet)
    return where


def _noise(channels: int) -> Iterator[Any]:
    """16 bit samples, 20 ms in a packet: a time that Matroska keeps exactly."""
    for index in range(4):
        packet: Any = av.Packet(os.urandom(960 * 2 * channels))
        packet.pts = packet.dts = 960 * index
        packet.time_base = Fraction(1, SOUND_RATE)
        yield packet


def _samples(where: Path) -> bytes:
    """Those of the first sound, where it is PCM: how many make a packet, the reader chooses."""
    with av.open(str(where)) as container:
        return b"".join(bytes(packet) for packet in container.demux(audio=0))


def _heard(where: Path) -> int:
    """How many samples a player plays of the first sound."""
    with av.open(str(where)) as container:
        return sum(frame.samples for frame in container.decode(audio=0))


class TestSoundWithoutALayout:
    """PCM in Matroska, AVI, ASF and MXF says how many channels it has, not which."""

    def _clip(self, tmp_path: Path, channels: int) -> Path:
        clip = make_clip(tmp_path / "clip.mp4", sounds=0)
        layout = f"{channels}C"
        packets = list(_noise(channels))
        made: dict[str, Any] = {"codec": "pcm_s16le", "rate": SOUND_RATE, "layout": layout}
        return _add(clip, tmp_path / "sound.mkv", packets, **made)

    @BOTH
    @pytest.mark.parametrize(
        ("channels", "layout"), [(1, "1 channels"), (2, "stereo"), (6, "5.1"), (8, "7.1")]
    )
    def test_gets_the_usual_one(
        self, container: str, channels: int, layout: str, tmp_path: Path
    ) -> None:
        clip = self._clip(tmp_path, channels)
        output = tmp_path / f"out.{container}"
        receipt = upscale_file(clip, output, FAST)
        assert not [warning for warning in receipt.warnings if "left out" in warning]
        assert _samples(output) == _samples(clip)
        with av.open(str(output)) as out:
            said = out.streams.audio[0].layout.name
        assert said == (layout if container == "mp4" else f"{channels} channels")

    def test_is_left_out_where_there_is_none(self, tmp_path: Path) -> None:
        clip = self._clip(tmp_path, 9)
        receipt = upscale_file(clip, tmp_path / "out.mp4", FAST)
        assert "stream 1 (audio, pcm_s16le) is left out: mp4 cannot hold it" in receipt.warnings
        upscale_file(clip, tmp_path / "out.mkv", FAST)
        assert len(verify(clip, tmp_path / "out.mkv").streams) == 1


class TestNames:
    @pytest.mark.parametrize("name", ["Alien:Romulus.mkv", "http:a.mp4", "a%02d?b#c.mp4"])
    def test_a_name_is_a_name(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clip = make_clip(tmp_path / "clip.mp4")
        monkeypatch.chdir(tmp_path)
        upscale_file(clip, name, FAST)
        verify(clip, name)
        assert sorted(found.name for found in tmp_path.iterdir()) == sorted(["clip.mp4", name])

    def test_an_error_shows_it_as_it_is(self, tmp_path: Path) -> None:
        where = tmp_path / "no:folder" / "a.nut"
        with (
            closing(FileSource(make_clip(tmp_path / "clip.mp4"))) as source,
            pytest.raises(OutputError, match=f"^cannot write {where}: No such file"),
        ):
            FileSink(where, source.info, EncoderOptions())


def _cover(codec: str) -> bytes:
    encoder: Any = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.time_base = 32, 32, Fraction(1, 25)
    encoder.pix_fmt = {"mjpeg": "yuvj420p", "png": "rgb24"}[codec]
    picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
    return b"".join(
        bytes(packet) for packet in encoder.encode(picture.reformat(format=encoder.pix_fmt))
    )


COVERS = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}


class TestCovers:
    def _film(self, tmp_path: Path, kind: str, codec: str, image: bytes) -> Path:
        clip = make_clip(tmp_path / f"clip.{kind}")
        film = tmp_path / f"film.{kind}"
        if kind == "mp4":
            packet: Any = av.Packet(image)
            packet.pts = packet.dts = 0
            packet.time_base = Fraction(1, 25)
            pix_fmt = {"mjpeg": "yuvj420p", "png": "rgb24"}[codec]
            made: dict[str, Any] = {"width": 32, "height": 32, "pix_fmt": pix_fmt}
            return _add(
                clip, film, [packet], codec=codec, disposition=Disposition.attached_pic, **made
            )
        with av.open(str(clip)) as entry, av.open(str(film), "w") as out:
            twins = {old.index: out.add_stream_from_template(old) for old in entry.streams}
            out.add_attachment(*COVERS[codec], image)
            out.add_attachment("font.ttf", "application/x-truetype-font", b"\x00\x01\x00\x00")
            for packet in entry.demux():
                if packet.size:
                    packet.stream = twins[packet.stream_index]
                    out.mux(packet)
        return film

    @pytest.mark.parametrize("kind", ["mp4", "mkv"])
    @pytest.mark.parametrize("codec", ["mjpeg", "png"])
    def test_a_cover_in_matroska_is_an_attachment(
        self, kind: str, codec: str, tmp_path: Path
    ) -> None:
        image = _cover(codec)
        film, output = self._film(tmp_path, kind, codec, image), tmp_path / "out.mkv"
        receipt = upscale_file(film, output, FAST)
        assert not [warning for warning in receipt.warnings if "left out" in warning]
        with av.open(str(output)) as out:
            covers = [s for s in out.streams.video if s.disposition & Disposition.attached_pic]
            assert len(out.streams.video) == 2
            assert [cover.codec_context.name for cover in covers] == [codec]
            name, mimetype = COVERS[codec]
            said = covers[0].metadata
            assert (said["filename"], said["mimetype"]) == (name, mimetype)
            assert bytes(next(out.demux(covers[0]))) == image
            assert len(list(out.decode(audio=0))) > 10
        if kind == "mkv":
            verify(film, output)

    def test_a_cover_in_mp4_stays_one(self, tmp_path: Path) -> None:
        film, output = self._film(tmp_path, "mkv", "mjpeg", _cover("mjpeg")), tmp_path / "out.mp4"
        upscale_file(film, output, FAST)
        verify(film, output)


@BOTH
def test_sound_whose_packets_say_no_duration_is_heard_to_its_end(
    container: str, tmp_path: Path
) -> None:
    encoder: Any = av.CodecContext.create("alac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SOUND_RATE, "stereo", "s16p"
    encoder.time_base = Fraction(1, SOUND_RATE)
    packets = []
    for begin in range(0, 12288, 4096):
        samples = np.zeros((2, 4096), np.int16)
        chunk = av.AudioFrame.from_ndarray(samples, format="s16p", layout="stereo")
        chunk.sample_rate, chunk.pts = SOUND_RATE, begin
        chunk.time_base = encoder.time_base
        packets += encoder.encode(chunk)
    packets += encoder.encode(None)
    clip = make_clip(tmp_path / "clip.mp4", sounds=0)
    made: dict[str, Any] = {"codec": "alac", "rate": SOUND_RATE, "extradata": encoder.extradata}
    film = _add(clip, tmp_path / "film.mkv", packets, layout="stereo", format="s16p", **made)
    with av.open(str(film)) as entry:
        assert not any(packet.duration for packet in entry.demux(audio=0))
    upscale_file(film, tmp_path / f"out.{container}", FAST)
    assert _heard(tmp_path / f"out.{container}") == _heard(film) == 12288
    verify(film, tmp_path / f"out.{container}")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A stream that holds a packet of sound without its beginning."""
    film = make_clip(tmp_path / "film.ts", frames=24)
    with av.open(str(film)) as entry:
        pid = entry.streams.audio[0].id
    content = bytearray(film.read_bytes())
    starts = [
        at
        for at in range(0, len(content), 188)
        if (content[at + 1] & 31) << 8 | content[at + 2] == pid and content[at + 1] & 0x40
    ]
    at = starts[len(starts) // 2]
    adts = content.index(b"\xff\xf1", at + 4)
    content[adts : at + 188] = bytes(at + 188 - adts)
    film.write_bytes(content)
    return film


@pytest.fixture
def picture(tmp_path: Path, film: Path) -> Picture:
    with closing(FileSource(film)) as source:
        info, frames = source.info, list(source)
    sink = FileSink(tmp_path / "0.nut", info, EncoderOptions(), container="nut")
    for frame in frames:
        sink.write(frame)
    sink.close()
    end = frames[-1].pts + frames[-1].duration
    return Picture(segments=((tmp_path / "0.nut", Fraction(0)),), info=info, end=end)


class TestSoundThatIsTorn:
    """A packet that the muxer refuses, though the picture is whole."""

    def test_is_the_fault_of_the_input(self, film: Path, picture: Picture, tmp_path: Path) -> None:
        with pytest.raises(
            InputError, match=rf"film.*stream 1 \(audio, aac\).* at 0\.\d+ s .*{ADVICE}"
        ):
            join(picture, film, tmp_path / "out.mp4", container="mp4", name="film")

    @BOTH
    def test_is_passed_over_where_that_is_asked_for(
        self, container: str, film: Path, picture: Picture, tmp_path: Path
    ) -> None:
        output, kind = tmp_path / f"out.{container}", {"mkv": "matroska"}.get(container, container)
        warnings = join(picture, film, output, container=kind, name="film", keep_going=True)
        passed = [warning for warning in warnings if "stream 1 (audio, aac)" in warning]
        assert len(passed) == 1, warnings
        assert "packet" in passed[0]
        with av.open(str(output)) as out:
            assert len(list(out.decode(video=0))) == 24
        assert SOUND_RATE * 8 // 10 < _heard(output) <= SOUND_RATE * 11 // 10


class _Breaking:
    """An open input that can be read for ten packets."""

    def __init__(self, entry: Any) -> None:
        self._entry = entry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)

    def __enter__(self) -> _Breaking:
        return self

    def __exit__(self, *_: object) -> None:
        self._entry.close()

    def demux(self, streams: object) -> Iterator[Any]:
        yield from islice(self._entry.demux(streams), 10)
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("keep_going", [False, True])
def test_an_input_that_breaks_is_not_said_to_be_the_output(
    keep_going: bool, film: Path, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        join_module, "open_container", lambda *a, **k: _Breaking(open_container(*a, **k))
    )
    output = film.with_name("out.mp4")
    said = r"film: cannot be read on from 0\.\d+ s: Input/output error"
    if not keep_going:
        with pytest.raises(InputError, match=said):
            join(picture, film, output, container="mp4", name="film")
        return
    warnings = join(picture, film, output, container="mp4", name="film", keep_going=True)
    assert any(re.match(said, warning) for warning in warnings)
    with av.open(str(output)) as out:
        assert len(list(out.decode(video=0))) == 24


GAPS = [(2, 8, 10), (7, 8, 10), (2, 8, 2500), (0, 8, 2500), (1, 3, 2), (1, 5, 30), (2, 12, 10)]


@BOTH
@pytest.mark.parametrize(("start", "at", "gap"), GAPS)
def test_a_gap_among_reordered_frames_moves_none(
    container: str, start: int, at: int, gap: int, tmp_path: Path
) -> None:
    """FFmpeg's mov muxer moves a track that starts late and is decoded long before that."""
    unit = Fraction(1, 25)
    times = [unit * (start + index + (gap if index >= at else 0)) for index in range(20)]
    film = make_clip(tmp_path / "film.mp4", times=times, rate=Fraction(25), sounds=0)
    output = tmp_path / f"out.{container}"
    upscale_file(film, output, FAST)
    verify(film, output)


class TestTimesBelowZero:
    """A recording whose clock wraps in its first minute begins before zero, as FFmpeg reads it."""

    @pytest.fixture
    def wrapped(self, tmp_path: Path) -> Path:
        return wrap_clock(make_clip(tmp_path / "clip.ts", frames=24), tmp_path / "film.ts")

    @BOTH
    def test_all_streams_move_by_as_much(
        self, container: str, wrapped: Path, tmp_path: Path
    ) -> None:
        output = tmp_path / f"out.{container}"
        receipt = upscale_file(wrapped, output, FAST)
        said = [warning for warning in receipt.warnings if "before zero" in warning]
        assert len(said) == 1, receipt.warnings
        old, new = _begins(wrapped), _begins(output)
        assert old[0] < 0
        assert min(new) >= 0
        assert new[0] - old[0] == pytest.approx(new[1] - old[1], abs=0.0011)
        with av.open(str(output)) as out:
            assert len(list(out.decode(video=0))) == 24

    @BOTH
    def test_matroska_loses_no_picture(self, container: str, tmp_path: Path) -> None:
        """FFmpeg tells no times before zero of it."""
        raw = {"avoid_negative_ts": "disabled"}
        film = make_clip(tmp_path / "film.mkv", frames=24, start=Fraction(-1, 4), muxing=raw)
        output = tmp_path / f"out.{container}"
        receipt = upscale_file(film, output, FAST)
        assert [said for said in receipt.warnings if "0.250 s later" in said], receipt.warnings
        assert (receipt.frames_out, receipt.dropped) == (24, {})
        assert verify(film, output).frames == 24
        assert _begins(output) == pytest.approx([0.0, 0.25], abs=0.03)

    def test_what_begins_at_zero_or_later_stays(self, tmp_path: Path) -> None:
        clip = make_clip(tmp_path / "clip.mp4", start=Fraction(1, 24))
        receipt = upscale_file(clip, tmp_path / "out.mp4", FAST)
        assert not receipt.warnings


def _begins(where: Path) -> list[float]:
    """When the first picture and the first sound are due, in seconds."""
    first: dict[int, float] = {}
    with av.open(str(where)) as container:
        for packet in container.demux():
            if packet.pts is not None:
                time = float(packet.pts * packet.time_base)
                first[packet.stream_index] = min(time, first.get(packet.stream_index, time))
    return [first[index] for index in sorted(first)]


@BOTH
def test_the_time_code_of_a_camera_is_left_out(container: str, tmp_path: Path) -> None:
    """Kept as a tag of the picture, of which FFmpeg would make a track as of any rate it can."""
    clip, output = tmp_path / "clip.mov", tmp_path / f"out.{container}"
    with av.open(str(clip), "w") as out:
        stream: Any = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.metadata["timecode"] = "01:00:00:00"
        for index in range(6):
            picture = av.VideoFrame(64, 48, "yuv420p")
            picture.pts = index
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    receipt = upscale_file(clip, output, FAST)
    assert any("(data, " in warning for warning in receipt.warnings)
    assert verify(clip, output).frames == 6
