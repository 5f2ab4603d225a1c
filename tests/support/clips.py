"""Tiny video files, made in milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from vidlift.frame import Frame
from vidlift.sources.split import RATE, SoundChunk
from vidlift.sources.synthetic import SyntheticSource

TICK = Fraction(1, 24000)
"""Time base of the pictures: 1000 ticks a frame at 24 frames a second."""

SOUND_RATE = 48_000


def make_clip(
    where: Path,
    *,
    frames: int = 8,
    width: int = 64,
    height: int = 48,
    rate: Fraction = Fraction(24),
    times: Sequence[Fraction] | None = None,
    start: Fraction = Fraction(0),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    sounds: int = 1,
    options: dict[str, str] | None = None,
    muxing: dict[str, str] | None = None,
    tags: dict[str, Any] | None = None,
) -> Path:
    """Write a drifting zone plate with ``sounds`` tracks of a sine; the ending says the container.

    ``times`` are those of the pictures, for a variable rate; else they lie ``1 / rate`` apart from
    ``start`` on. ``options`` go to the encoder, ``muxing`` to what writes the container, ``tags``
    are set on the encoder (``color_range``, …). Sound lasts from zero to the end of the pictures.
    """
    if times is None:
        times = [start + index / rate for index in range(frames)]
    with av.open(str(where), "w", options=muxing or {}) as container:
        video: Any = container.add_stream(codec, rate=rate, options=options or {"preset": "fast"})
        video.width, video.height, video.pix_fmt = width, height, pix_fmt
        video.codec_context.time_base = video.time_base = TICK
        for name, value in (tags or {}).items():
            setattr(video.codec_context, name, value)
        tracks: list[Any] = [container.add_stream("aac", rate=SOUND_RATE) for _ in range(sounds)]
        for track in tracks:
            track.codec_context.layout = "stereo"
        for time, frame in zip(times, _zone_plates(len(times), width, height), strict=True):
            picture = to_picture(frame).reformat(format=pix_fmt)
            picture.pts, picture.time_base = round(time / TICK), TICK
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        for number, track in enumerate(tracks):
            for chunk in _sine(times[-1] + 1 / rate, pitch=440 * (number + 1)):
                container.mux(track.encode(chunk))
            container.mux(track.encode(None))
    return where


def join_tracks(where: Path, tracks: Sequence[tuple[Path, int, dict[str, str]]]) -> Path:
    """Write a file of streams of others, by file and number, with these tags."""
    with av.open(str(where), "w") as out:
        entries = []
        for path, number, tags in tracks:
            entry = av.open(str(path))
            old: Any = entry.streams[number]
            new: Any = out.add_stream_from_template(old)
            new.metadata.update(tags)
            entries.append((entry, old, new))
        for entry, old, new in entries:
            for packet in entry.demux(old):
                if packet.size:
                    packet.stream = new
                    out.mux(packet)
            entry.close()
    return where


def wrap_clock(clip: Path, film: Path) -> Path:
    """Move a transport stream to where its clock wraps after half a second: as FFmpeg reads it,
    it begins before zero."""
    options = {"mpegts_copyts": "1", "avoid_negative_ts": "disabled"}
    with av.open(str(clip), "r") as entry, av.open(str(film), "w", options=options) as out:
        twins = {old.index: out.add_stream_from_template(old) for old in entry.streams}
        packets: list[Any] = [packet for packet in entry.demux() if packet.size]
        move = 2**33 - 45_000 - min(packet.dts for packet in packets)
        for packet in packets:
            packet.pts, packet.dts = packet.pts + move, packet.dts + move
            packet.stream = twins[packet.stream_index]
            out.mux(packet)
    return film


def pitch(sound: Iterable[SoundChunk]) -> int:
    """The frequency of half a second of sound, in Hz."""
    samples = np.concatenate([chunk.samples for chunk in sound])
    spectrum = np.abs(np.fft.rfft(samples[2048 : 2048 + RATE // 2, 0]))
    return int(spectrum.argmax()) * 2


def to_picture(frame: Frame) -> av.VideoFrame:
    """An 8-bit 4:2:0 frame as PyAV's."""
    picture = av.VideoFrame(frame.width, frame.height, "yuv420p")
    for plane, ours in zip(picture.planes, frame.planes, strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        rows[:, : plane.width] = ours
    return picture


def _zone_plates(frames: int, width: int, height: int) -> Iterator[Frame]:
    return iter(SyntheticSource(width=width, height=height, frames=frames))


def _sine(seconds: Fraction, *, pitch: int) -> Iterator[av.AudioFrame]:
    """A quiet stereo sine, in chunks of 1024 samples."""
    for begin in range(0, int(seconds * SOUND_RATE), 1024):
        turn = 2 * np.pi * pitch * np.arange(begin, begin + 1024) / SOUND_RATE
        samples = np.tile((0.1 * np.sin(turn)).astype(np.float32), (2, 1))
        chunk = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        chunk.sample_rate, chunk.pts, chunk.time_base = SOUND_RATE, begin, Fraction(1, SOUND_RATE)
        yield chunk
