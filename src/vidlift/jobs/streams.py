"""Streams that go along unchanged: which of the input's, and what takes them in the output."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import AttachmentStream, Disposition, Stream

from vidlift.errors import InputError
from vidlift.sources.decode import open_container, video_stream


def copyable(
    entry: InputContainer, container: str, warnings: list[str], *, name: str
) -> Iterator[Stream]:
    """The streams of the input that go along; what the container cannot hold is named instead."""
    main = video_stream(entry, name=name)
    # Where a cover becomes an attachment, it is read after all tracks.
    for stream in sorted(entry.streams, key=lambda each: is_cover(each) or is_attached(each)):
        what = described(stream)
        if stream.index == main.index:
            continue
        if stream.type == "video" and not is_cover(stream):
            warnings.append(f"{what} is left out: one video is super-resolved, the first")
        elif _can_hold(container, stream):
            yield stream
        else:
            warnings.append(f"{what} is left out: {container} cannot hold it")


def described(stream: Stream) -> str:
    """What messages call a stream of the input."""
    kind = "picture" if is_cover(stream) else stream.type
    return f"stream {stream.index} ({kind}, {codec_name(stream)})"


def codec_name(stream: Stream) -> str:
    context = stream.codec_context
    return context.codec.canonical_name if context is not None else "unknown codec"


def is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def is_attached(stream: Stream) -> bool:
    return isinstance(stream, AttachmentStream)


_COVERS = {
    "mjpeg": ("cover.jpg", "image/jpeg"),
    "png": ("cover.png", "image/png"),
    "gif": ("cover.gif", "image/gif"),
    "tiff": ("cover.tiff", "image/tiff"),
}
"""How Matroska names a cover of a codec, and which kinds are told to be pictures."""


def covers_of(source: str | Path | BinaryIO, *, name: str) -> dict[int, bytes]:
    """The pictures that lie beside the video, by the number of their stream.

    To be read apart: they are part of the header of what is written.
    """
    found: dict[int, bytes] = {}
    with open_container(source, name=name) as entry:
        try:
            for packet in demux(entry, list(entry.streams)):
                if not is_cover(packet.stream):
                    break  # pictures come before all else
                found.setdefault(packet.stream_index, bytes(packet))
        except ReadError as error:
            raise InputError(f"{name}: cannot be read: {error}") from error
    return found


def _can_hold(container: str, stream: Stream) -> bool:
    """Ask the muxer itself, on a container in memory: only it knows all its rules."""
    if container == "matroska" and is_cover(stream):
        return codec_name(stream) in _COVERS
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            twin = _twin(stream, trial)
            trial.start_encoding()
            if isinstance(stream, AudioStream) and codec_name(stream).startswith("pcm_"):
                # Which channels it holds is looked at when the file is finished.
                trial.mux_one(_silence(twin, stream.codec_context.layout.nb_channels))
    except (av.FFmpegError, OSError, ValueError, RuntimeError):
        return False
    return True


def _silence(stream: Stream, channels: int) -> Any:
    """Some samples, whatever the bytes in one."""
    packet: Any = av.Packet(bytes(24 * channels))
    packet.pts = packet.dts = 0
    packet.time_base, packet.stream = stream.time_base, stream
    return packet


def twins_of(
    streams: Iterable[Stream], covers: Mapping[int, bytes], out: OutputContainer
) -> dict[int, Stream]:
    """The streams of the output by the number that theirs has in the input.

    ``covers`` are the pictures that become attachments.
    """
    twins: dict[int, Stream] = {}
    for old in streams:
        if out.format.name == "matroska" and is_cover(old):
            if old.index in covers:
                name, kind = _COVERS[codec_name(old)]
                name = old.metadata.get("filename", name)
                twins[old.index] = out.add_attachment(name, kind, covers[old.index])
        else:
            twins[old.index] = _twin(old, out)
    return twins


def _twin(old: Stream, out: OutputContainer) -> Stream:
    """The stream of the output that takes the packets of ``old`` as they are."""
    if isinstance(old, AttachmentStream):
        kind = old.mimetype or "application/octet-stream"
        return out.add_attachment(old.name or f"attachment-{old.index}", kind, old.data)
    new: Stream = out.add_stream_from_template(old)
    if isinstance(new, AudioStream):
        _say_layout(new)
    tag(new, old)
    new.time_base = old.time_base
    return new


def _say_layout(sound: AudioStream) -> None:
    """Where it is not said which channels there are: the usual ones of that number, if any are."""
    context = sound.codec_context
    channels = context.layout.nb_channels
    if context.layout.name == f"{channels} channels":
        with suppress(ValueError):
            context.layout = AudioLayout(f"{channels}c")


def tag(new: Stream, old: Stream) -> None:
    new.metadata.update(kept(old.metadata))
    new.disposition = old.disposition


def kept(metadata: dict[str, str]) -> dict[str, str]:
    """Tags without those that describe the old file rather than what is in it."""
    return {key: value for key, value in metadata.items() if key.lower() not in _OF_THE_FILE}


_OF_THE_FILE = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "bps"}
    | {"number_of_frames", "number_of_bytes", "_statistics_writing_app"}
    | {"_statistics_writing_date_utc", "_statistics_tags", "vendor_id"}
)


class ReadError(Exception):
    """Of the input, not of what is written at the same time."""


def demux(entry: InputContainer, streams: list[Stream]) -> Iterator[Any]:
    try:
        for packet in entry.demux(streams):
            if packet.size:  # an empty packet ends a stream
                yield packet
    except (av.FFmpegError, OSError) as error:
        raise ReadError(reason(error)) from error


def reason(error: Exception) -> object:
    return getattr(error, "strerror", None) or error
