"""Join finished segments and the input's other streams into the output file.

The picture comes from the segments, everything else from the input, packet by packet and
unchanged: sound, subtitles, chapters, attachments, tags. What the container cannot hold is
left out and named.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor, lcm
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import Stream
from numpy.typing import NDArray

from vidlift.errors import InputError, OutputError, UsageError
from vidlift.jobs.damage import ADVICE
from vidlift.jobs.streams import (
    ReadError,
    copyable,
    covers_of,
    demux,
    described,
    is_attached,
    kept,
    reason,
    tag,
    twins_of,
)
from vidlift.jobs.timetable import timetable
from vidlift.sources.decode import open_container, video_stream
from vidlift.video import VideoInfo

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mkv": "matroska"}
"""Endings of files that can be written, and FFmpeg's name of the format."""

Timed: TypeAlias = tuple[Fraction, Any]
"""A packet and when it is to be decoded."""

_MAX_TIMESCALE = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The finished picture, in segments."""

    segments: tuple[tuple[Path, Fraction], ...]
    """Each with the time its own times count from, in seconds."""

    info: VideoInfo
    end: Fraction
    """When the last frame stops being shown, in seconds."""


def container_of(output: Path) -> str:
    """FFmpeg's name of the format for a file name. Raises ``UsageError``."""
    try:
        return CONTAINERS[output.suffix.lower()]
    except KeyError:
        raise UsageError(
            f"output {output.name}: the ending says the container, and {output.suffix or 'none'} "
            f"is not one of {', '.join(CONTAINERS)}"
        ) from None


def check_container(container: str, codec: str, info: VideoInfo) -> None:
    """Raises ``UsageError`` where codec and container together cannot say a picture's shape."""
    if (container, codec) == ("matroska", "av1") and info.sar != 1:
        raise UsageError(
            f"samples of shape {info.sar.numerator}:{info.sar.denominator} cannot be told by AV1 "
            "in Matroska as it is written here; use .mp4, or h264 or hevc"
        )


def join(
    picture: Picture,
    source: str | Path | BinaryIO,
    target: Path,
    *,
    container: str,
    name: str,
    keep_going: bool = False,
) -> list[str]:
    """Write ``target``; returns what was left out or moved, a line each.

    Raises ``OutputError`` when it cannot be written, and ``InputError`` when the input cannot be
    read or, unless ``keep_going``, holds packets that no muxer takes; with whatever was written
    left behind.
    """
    warnings: list[str] = []
    covers = covers_of(source, name=name) if container == "matroska" else {}
    with open_container(source, name=name) as entry:
        copied = list(copyable(entry, container, warnings, name=name))
        later = _until_zero(picture, copied)
        if later:
            picture = _moved(picture, later)
            warnings.append(
                f"its times begin before zero, where few players start: all are {float(later):.3f} "
                "s later in the output"
            )
        rest = _Rest(
            entry=entry,
            streams=copied,
            covers=covers,
            later=later,
            name=name,
            keep_going=keep_going,
        )
        options = _options(picture, container, copied)
        try:
            with av.open(f"file:{target}", "w", format=container, options=options) as out:
                warnings += _write(picture, rest, out)
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"cannot write {target}: {reason(error)}") from error
    if container == "matroska" and _finer_than_milliseconds(picture):
        warnings.append(
            "Matroska keeps times in whole milliseconds: this video's are finer and were rounded; "
            "mp4 keeps them exactly"
        )
    return warnings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rest:
    """What of the input goes along with the picture."""

    entry: InputContainer
    streams: list[Stream]
    covers: dict[int, bytes]
    """Pictures that become attachments, by the number of their stream."""

    later: Fraction
    """What is added to all times, in seconds."""

    name: str
    keep_going: bool


_REFUSALS = (av.InvalidDataError, av.PatchWelcomeError, av.ArgumentError)
"""What a muxer says to a packet that is not as it should be; not what it says to a full disk."""


def _write(picture: Picture, rest: _Rest, out: OutputContainer) -> list[str]:
    """Returns what of the rest was passed over."""
    stream = _picture_stream(picture, video_stream(rest.entry, name=rest.name), out)
    twins = twins_of(rest.streams, rest.covers, out)
    out.metadata.update(kept(rest.entry.metadata))
    out.set_chapters([_later(chapter, rest.later) for chapter in rest.entry.chapters()])
    out.start_encoding()
    names = {twins[old.index].index: described(old) for old in rest.streams if old.index in twins}
    refused: dict[str, list[Fraction]] = defaultdict(list)
    warnings: list[str] = []
    for time, packet in heapq.merge(
        _picture_packets(picture, stream), _copied_packets(rest, twins, warnings), key=_when
    ):
        try:
            out.mux_one(packet)
        except _REFUSALS as error:
            if packet.stream_index not in names:
                raise
            what = names[packet.stream_index]
            if not rest.keep_going:
                raise InputError(
                    f"{rest.name}: {what}: a packet at {float(time - rest.later):.3f} s cannot be "
                    f"copied: {reason(error)}; what is finished is kept, and {ADVICE}"
                ) from error
            refused[what].append(time - rest.later)
    for what, times in refused.items():
        warnings.append(
            f"{what}: {len(times)} x a packet that is damaged is left out, "
            f"first at {float(times[0]):.3f} s"
        )
    return warnings


def _picture_stream(picture: Picture, main: Stream, out: OutputContainer) -> Stream:
    with av.open(f"file:{picture.segments[0][0]}", "r") as first:
        # Opaque: its decoder is not asked whether it can encode as well.
        stream = out.add_stream_from_template(first.streams.video[0], opaque=True)
    tag(stream, main)
    stream.time_base = picture.info.time_base
    # Inside the stream as well for every codec but AV1, which has no word for it.
    stream.codec_context.sample_aspect_ratio = picture.info.sar
    if picture.info.display_matrix is not None:
        stream.set_display_matrix(picture.info.display_matrix)
    if out.format.name == "mp4" and stream.codec_context.name == "hevc":
        stream.codec_context.codec_tag = "hvc1"  # what Apple's players ask for
    return stream


def _until_zero(picture: Picture, streams: Iterable[Stream]) -> Fraction:
    """How much later everything has to be for nothing to begin before zero.

    Nothing where the picture does not: sound may, for a codec's run-up.
    """
    begins = picture.segments[0][1]
    if begins >= 0:
        return Fraction(0)
    for stream in streams:
        if stream.start_time is not None and stream.time_base is not None:
            begins = min(begins, stream.start_time * stream.time_base)
    unit = picture.info.time_base
    return -floor(begins / unit) * unit


def _moved(picture: Picture, later: Fraction) -> Picture:
    segments = tuple((path, start + later) for path, start in picture.segments)
    return replace(picture, segments=segments, end=picture.end + later)


def _later(chapter: Any, later: Fraction) -> Any:
    ticks = round(later / chapter["time_base"]) if later else 0
    return {**chapter, "start": chapter["start"] + ticks, "end": chapter["end"] + ticks}


def _finer_than_milliseconds(picture: Picture) -> bool:
    milliseconds = 1000 * picture.info.time_base
    times = presented(picture) * milliseconds.numerator
    return bool((times % milliseconds.denominator).any())


def _when(timed: Timed) -> Fraction:
    return timed[0]


def _picture_packets(picture: Picture, stream: Stream) -> Iterator[Timed]:
    """The packets of all segments, in order of decoding, with times that belong together."""
    unit = picture.info.time_base
    coded = presented(picture)
    durations, decoded = timetable(coded, end=int(picture.end / unit))
    for (_, packet), *times in zip(_packets(picture), coded, durations, decoded, strict=True):
        packet.pts, packet.duration, packet.dts = (int(time) for time in times)
        packet.time_base = unit
        packet.stream = stream
        yield packet.dts * unit, packet


def presented(picture: Picture) -> NDArray[np.int64]:
    """The pts of all packets, in order of decoding, in the unit of the picture's time base."""
    unit = picture.info.time_base
    # NUT stores times in a unit of its own, of which ours is a multiple.
    times = (start + packet.pts * packet.time_base for start, packet in _packets(picture))
    return np.fromiter((int(time / unit) for time in times), np.int64)


def _packets(picture: Picture) -> Iterator[tuple[Fraction, Any]]:
    """Every packet of the picture, and the time that its segment counts from."""
    for segment, start in picture.segments:
        with av.open(f"file:{segment}", "r") as container:
            for packet in container.demux(video=0):
                if packet.size:
                    yield start, packet


def _copied_packets(rest: _Rest, twins: dict[int, Stream], warnings: list[str]) -> Iterator[Timed]:
    streams = [old for old in rest.streams if old.index in twins]
    flowing = [old for old in streams if not is_attached(twins[old.index])]
    if not flowing:
        return
    sounds = {stream.index for stream in flowing if isinstance(stream, AudioStream)}
    before: dict[int, int] = {}
    latest = Fraction(0)
    try:
        for packet in demux(rest.entry, flowing):
            index, dts = packet.stream_index, packet.dts
            if dts is not None and packet.time_base is not None:
                latest = dts * packet.time_base + rest.later
                if index in sounds and not packet.duration:
                    # Of all these, ISO files keep the last packet's alone.
                    packet.duration = dts - before.get(index, dts)
                before[index] = dts
            _put_off(packet, rest.later)
            packet.stream = twins[index]
            yield latest, packet
    except ReadError as error:
        what = f"{rest.name}: cannot be read on from {float(latest - rest.later):.3f} s: {error}"
        if not rest.keep_going:
            raise InputError(f"{what}; what is finished is kept, and {ADVICE}") from error
        warnings.append(f"{what}; sound and subtitles end there")


def _put_off(packet: Any, later: Fraction) -> None:
    if later and packet.time_base is not None:
        ticks = round(later / packet.time_base)
        packet.dts = None if packet.dts is None else packet.dts + ticks
        packet.pts = None if packet.pts is None else packet.pts + ticks


def _options(picture: Picture, container: str, streams: Iterable[Stream]) -> dict[str, str]:
    """What keeps every time: in mp4, a time scale for the video and one for the whole file.

    The start of each track is written in the file's time scale, rounded down, so that one is to
    be a multiple of the tracks' as far as a number that large can be stored. A sound track's time
    scale is its sample rate.
    """
    if container != "mp4":
        # Sound may begin before zero: a codec's run-up. Moving it would move everything else.
        return {"avoid_negative_ts": "disabled"}
    scale = picture.info.time_base.denominator
    whole = scale
    for stream in streams:
        rate = stream.codec_context.sample_rate if isinstance(stream, AudioStream) else 0
        own = rate or (stream.time_base.denominator if stream.time_base is not None else 1)
        if lcm(whole, own) <= _MAX_TIMESCALE:
            whole = lcm(whole, own)
    return {
        "movflags": "+faststart",
        "video_track_timescale": str(scale),
        "movie_timescale": str(whole),
        # A time code, which cameras tag the picture with, would become a track, and fail for a
        # picture without a rate that it knows.
        "write_tmcd": "0",
    }
