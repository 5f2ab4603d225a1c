"""Join finished segments and the input's other streams into the output file.

The picture comes from the segments, everything else from the input, packet by packet and
unchanged: sound, subtitles, chapters, attachments, tags. What the container cannot hold is
left out and named.
"""

from __future__ import annotations

import heapq
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import AttachmentStream, Disposition, Stream
from numpy.typing import NDArray

from vidlift.errors import OutputError, UsageError
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
    picture: Picture, source: str | Path | BinaryIO, target: Path, *, container: str, name: str
) -> list[str]:
    """Write ``target``; returns what was left out, a line each.

    Raises ``OutputError`` when it cannot be written, with whatever was written left behind.
    """
    warnings: list[str] = []
    with open_container(source, name=name) as entry:
        copied = list(copyable(entry, container, warnings, name=name))
        try:
            with av.open(
                str(target), "w", format=container, options=_options(picture, container, copied)
            ) as out:
                _write(picture, entry, copied, out)
        except (av.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"cannot write {target}: {reason}") from error
    if container == "matroska" and _finer_than_milliseconds(picture):
        warnings.append(
            "Matroska keeps times in whole milliseconds: this video's are finer and were rounded; "
            "mp4 keeps them exactly"
        )
    return warnings


def _write(
    picture: Picture, entry: InputContainer, copied: list[Stream], out: OutputContainer
) -> None:
    main = video_stream(entry, name=entry.name)
    with av.open(str(picture.segments[0][0]), "r") as first:
        # Opaque: its decoder is not asked whether it can encode as well.
        stream = out.add_stream_from_template(first.streams.video[0], opaque=True)
    _tag(stream, main)
    stream.time_base = picture.info.time_base
    # Inside the stream as well for every codec but AV1, which has no word for it.
    stream.codec_context.sample_aspect_ratio = picture.info.sar
    if picture.info.display_matrix is not None:
        stream.set_display_matrix(picture.info.display_matrix)
    if out.format.name == "mp4" and stream.codec_context.name == "hevc":
        stream.codec_context.codec_tag = "hvc1"  # what Apple's players ask for
    twins = {old.index: _twin(old, out) for old in copied}
    out.metadata.update(_kept(entry.metadata))
    out.set_chapters(entry.chapters())
    flowing = [old for old in copied if not isinstance(old, AttachmentStream)]
    for _, packet in heapq.merge(
        _picture_packets(picture, stream), _copied_packets(entry, flowing, twins), key=_when
    ):
        out.mux_one(packet)


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


def timetable(coded: NDArray[np.int64], *, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Durations and decoding times of frames, from their pts in order of decoding.

    ISO files store, for each sample in order of decoding, how long until the next is decoded, and
    readers take that for how long the sample is *shown*. So decoding times are laid out such that
    both are the same, and begin early enough for no frame to be shown before it is decoded.
    ``end`` is when the last frame stops being shown, in the unit of ``coded``.
    """
    shown = np.sort(coded)
    durations = np.diff(np.append(shown, end))[np.searchsorted(shown, coded)]
    since_start = np.concatenate([[0], np.cumsum(durations)[:-1]])
    return durations, since_start + np.min(coded - since_start)


def _packets(picture: Picture) -> Iterator[tuple[Fraction, Any]]:
    """Every packet of the picture, and the time that its segment counts from."""
    for segment, start in picture.segments:
        with av.open(str(segment), "r") as container:
            for packet in container.demux(video=0):
                if packet.size:
                    yield start, packet


def _copied_packets(
    entry: InputContainer, streams: list[Stream], twins: dict[int, Stream]
) -> Iterator[Timed]:
    if not streams:
        return
    latest = Fraction(0)
    for packet in entry.demux(streams):
        if not packet.size:
            continue  # the empty packet that ends a stream
        if packet.dts is not None and packet.time_base is not None:
            latest = packet.dts * packet.time_base
        packet.stream = twins[packet.stream_index]
        yield latest, packet


def copyable(
    entry: InputContainer, container: str, warnings: list[str], *, name: str
) -> Iterator[Stream]:
    """The streams of the input that go along; what the container cannot hold is named instead."""
    main = video_stream(entry, name=name)
    for stream in entry.streams:
        if stream.index == main.index:
            continue
        cover = bool(stream.disposition & Disposition.attached_pic)
        kind = "picture" if cover else stream.type
        what = f"stream {stream.index} ({kind}, {codec_name(stream)})"
        if stream.type == "video" and not cover:
            warnings.append(f"{what} is left out: one video is super-resolved, the first")
        elif _can_hold(container, stream):
            yield stream
        else:
            warnings.append(f"{what} is left out: {container} cannot hold it")


def codec_name(stream: Stream) -> str:
    context = stream.codec_context
    return context.codec.canonical_name if context is not None else "unknown codec"


def _can_hold(container: str, stream: Stream) -> bool:
    """Ask the muxer itself, on a container in memory: only it knows all its rules."""
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            _twin(stream, trial)
            trial.start_encoding()
    except (av.FFmpegError, OSError, ValueError, RuntimeError):
        return False
    return True


def _twin(old: Stream, out: OutputContainer) -> Stream:
    """The stream of the output that takes the packets of ``old`` as they are."""
    if isinstance(old, AttachmentStream):
        kind = old.mimetype or "application/octet-stream"
        return out.add_attachment(old.name or f"attachment-{old.index}", kind, old.data)
    new: Stream = out.add_stream_from_template(old)
    _tag(new, old)
    new.time_base = old.time_base
    return new


def _tag(new: Stream, old: Stream) -> None:
    new.metadata.update(_kept(old.metadata))
    new.disposition = old.disposition


def _kept(metadata: dict[str, str]) -> dict[str, str]:
    """Tags without those that describe the old file rather than what is in it."""
    return {key: value for key, value in metadata.items() if key.lower() not in _OF_THE_FILE}


_OF_THE_FILE = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "bps"}
    | {"number_of_frames", "number_of_bytes", "_statistics_writing_app"}
    | {"_statistics_writing_date_utc", "_statistics_tags", "vendor_id"}
)


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
    }
