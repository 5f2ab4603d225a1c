"""The sound tracks of a video as renditions of their own: AAC, in fragments."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer

from vidlift.cloud.boxes import Sample, codec_string, fragment, header_of, timescale
from vidlift.jobs.notes import write_whole
from vidlift.sources import opened_file, shown_name
from vidlift.sources.decode import open_container
from vidlift.sources.split import RATE, Sound, SoundChunk, sound_streams

BITRATE = 128_000
"""Bits a second of sound that is not AAC already."""


SILENT = Fraction(1, 2)
"""Seconds without sound, before it begins or between, that are filled with silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundTrack:
    """A finished rendition of one sound track."""

    name: str
    """Of its folder."""

    title: str
    language: str | None
    default: bool
    channels: int
    codecs: str
    segments: tuple[tuple[str, float], ...]
    """File and seconds of each."""

    bytes: int
    peak: int
    """Bits a second of its largest segment."""


def write_sounds(
    video: str | Path,
    folder: Path,
    *,
    origin: Fraction,
    end: Fraction,
    length: Fraction,
    warnings: list[str],
) -> list[SoundTrack]:
    """Write each track of a video into a folder of its own below ``folder``.

    ``origin`` is the time in the file that is 0 in the title, ``end`` where the picture ends;
    segments are cut at multiples of ``length`` seconds, at the nearest packet. What cannot be
    decoded is named in ``warnings``.
    """
    found, name = [], shown_name(str(video))
    with opened_file(str(video)) as entry, open_container(entry, name=name) as container:
        count = len(sound_streams(container))
    for number in range(count):
        # Each track in a pass of its own: tracks may lie far apart, and memory is bounded.
        with opened_file(str(video)) as entry, open_container(entry, name=name) as container:
            lost = Counter[str]()
            track = _write_track(container, number, folder, origin, end, length, lost)
            warnings += [f"sound {number + 1}: {n} x {reason}" for reason, n in lost.items()]
            if track is not None:
                found.append(track)
    return found


def _write_track(
    container: InputContainer,
    number: int,
    folder: Path,
    origin: Fraction,
    end: Fraction,
    length: Fraction,
    lost: Counter[str],
) -> SoundTrack | None:
    stream = sound_streams(container)[number]
    language = stream.metadata.get("language")
    language = None if language in (None, "und") else language
    coder: _Copied | _Encoded
    if _is_plain_aac(stream) and not _is_late(stream, origin):
        coder = _Copied(container, stream)
    else:
        coder = _Encoded(container, stream, lost, since=origin)
    ticks = timescale(coder.header)
    timed = _in_ticks(coder, ticks, origin=origin, end=end)
    name = f"sound-{number}"
    where = folder / name
    where.mkdir(exist_ok=True)
    write_whole(where / "init.mp4", coder.header)
    segments: list[tuple[str, float]] = []
    total = len(coder.header)
    peak, ended = 0.0, 0
    for index, (at, samples) in enumerate(_cut(timed, int(length * ticks))):
        data = fragment(samples, number=index + 1, decoded_at=at)
        # In a list each segment begins where the one before it ends.
        begun, ended = ended, at + sum(sample.duration for sample in samples)
        seconds = (ended - begun) / ticks
        file = f"{index:05d}.m4s"
        write_whole(where / file, data)
        segments.append((file, seconds))
        total += len(data)
        peak = max(peak, 8 * len(data) / seconds)
    if not segments:
        return None
    return SoundTrack(
        name=name,
        title=stream.metadata.get("title") or language or f"Sound {number + 1}",
        language=language,
        default=number == 0,
        channels=coder.channels,
        codecs=codec_string(coder.header),
        segments=tuple(segments),
        bytes=total,
        peak=round(peak),
    )


def _is_plain_aac(stream: AudioStream) -> bool:
    """AAC as MP4 holds it, its description apart from the packets."""
    context = stream.codec_context
    return context.name == "aac" and bool(context.extradata) and context.sample_rate > 0


def _is_late(stream: AudioStream, origin: Fraction) -> bool:
    """Whether it begins so long after the pictures that players would stop for want of it."""
    if stream.start_time is None or stream.time_base is None:
        return False
    return stream.start_time * stream.time_base - origin > SILENT


class _Copied:
    """Packets of a track that is AAC already, as they are."""

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        self._container, self._stream = container, stream
        self.channels: int = stream.codec_context.channels
        file = io.BytesIO()
        with av.open(file, "w", format="mp4", options=_MUXING) as out:
            out.add_stream_from_template(stream)
            out.start_encoding()
        self.header = header_of(file.getvalue())

    def __iter__(self) -> Iterator[tuple[bytes, Fraction]]:
        for packet in self._container.demux(self._stream):
            if packet.size and packet.pts is not None:
                yield bytes(packet), packet.pts * packet.time_base


class _Encoded:
    """A track of any other kind, decoded, mixed to stereo and encoded."""

    def __init__(
        self,
        container: InputContainer,
        stream: AudioStream,
        lost: Counter[str],
        *,
        since: Fraction,
    ) -> None:
        """``lost`` takes what cannot be decoded; there is sound from ``since``, if only silence."""
        self._packets, self._lost, self._since = container.demux(stream), lost, since
        self._encoder = SoundEncoder()
        self.channels = 2
        self.header = self._encoder.header

    def __iter__(self) -> Iterator[tuple[bytes, Fraction]]:
        for chunk in _with_silence(Sound(self._packets, self._lost), self._since):
            yield from self._encoder.encode(chunk)
        yield from self._encoder.finish()


def _with_silence(chunks: Iterable[SoundChunk], since: Fraction) -> Iterator[SoundChunk]:
    """The chunks, and silence, a second at a time, where nothing is for longer than ``SILENT``."""
    reached = since
    for chunk in chunks:
        missing = int((chunk.pts - reached) * RATE)
        for begin in range(0, missing if missing > SILENT * RATE else 0, RATE):
            samples = np.zeros((min(RATE, missing - begin), 2), np.int16)
            yield SoundChunk(samples=samples, pts=reached + Fraction(begin, RATE))
        yield chunk
        reached = max(reached, chunk.pts + Fraction(len(chunk.samples), RATE))


class SoundEncoder:
    """Chunks of sound to AAC packets and their times, in seconds, which follow the chunks'."""

    def __init__(self) -> None:
        self._file = io.BytesIO()
        self._out = av.open(self._file, "w", format="mp4", options=_MUXING)
        coded: Any = self._out.add_stream("aac", rate=RATE)
        coded.codec_context.layout = "stereo"
        coded.codec_context.bit_rate = BITRATE
        self._coded = coded
        self._resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
        self._out.start_encoding()
        self.header = header_of(self._file.getvalue())

    def encode(self, chunk: SoundChunk) -> Iterator[tuple[bytes, Fraction]]:
        samples = np.ascontiguousarray(chunk.samples).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate = RATE
        frame.pts, frame.time_base = round(chunk.pts * RATE), Fraction(1, RATE)
        for part in self._resampler.resample(frame):
            yield from self._packets(part)

    def finish(self) -> Iterator[tuple[bytes, Fraction]]:
        """What the encoder still holds. It is gone afterwards."""
        yield from self._packets(None)
        self._out.close()

    def _packets(self, frame: av.AudioFrame | None) -> Iterator[tuple[bytes, Fraction]]:
        for packet in self._coded.encode(frame):
            yield bytes(packet), packet.pts * packet.time_base


_MUXING = {"movflags": "empty_moov+default_base_moof+cmaf", "use_editlist": "0"}


def _in_ticks(
    packets: Iterator[tuple[bytes, Fraction]] | _Copied | _Encoded,
    ticks: int,
    *,
    origin: Fraction,
    end: Fraction,
) -> Iterator[tuple[int, bytes]]:
    """Packets that sound between ``origin`` and ``end``, at their times in the segments."""
    latest = -1
    for data, pts in packets:
        at = round((pts - origin) * ticks)
        if at <= latest:
            continue  # before the picture, or the encoder's run-up
        if pts >= end:
            return
        latest = at
        yield at, data


def _cut(timed: Iterator[tuple[int, bytes]], length: int) -> Iterator[tuple[int, list[Sample]]]:
    """Segments: when each begins and its samples, which last until the next one begins."""
    samples: list[Sample] = []
    start = 0
    waiting: tuple[int, bytes] | None = None
    usual = 1024
    for at, data in timed:
        if waiting is not None:
            usual = at - waiting[0]
            samples.append(Sample(data=waiting[1], duration=usual))
            if at // length > start // length:
                yield start, samples
                samples, start = [], at
        else:
            start = at
        waiting = at, data
    if waiting is not None:
        samples.append(Sample(data=waiting[1], duration=usual))
        yield start, samples
