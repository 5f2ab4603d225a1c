"""Packets of many short streams into one file, none of them encoded anew.

    stretches ──> one demuxer each ──> packets at their new times ──> in order of decoding ──> file

Rungs of a film have parameters of their own, of which a file states one set. So where they differ,
those of H.264 and HEVC go before every key picture, where decoders look for them as well.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.container import InputContainer, OutputContainer

from vidlift.errors import InputError, OutputError
from vidlift.sources.decode import open_container

_PICTURES = ("video", 0)

Move = Callable[[Fraction], Fraction | None]
"""From a packet's time in seconds to that in the file; None: it is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Bytes that one demuxer takes from end to end."""

    content: Callable[[], BinaryIO | Path]
    """Opens them, at their beginning, each time it is called."""

    move: Callable[[Fraction], Move]
    """Where its packets go, once the time of the first one is known. Asked in order."""


def remux(target: Path, lines: Sequence[Sequence[Stretch]], *, container: str, name: str) -> None:
    """Write ``target``: the streams of all lines beside one another, each line's stretches in turn.

    A line is pictures, with or without sound, or sound alone; a stretch that cannot be read is
    passed over. ``name`` is what errors call the input. Raises ``OutputError``, with whatever was
    written left behind, and ``InputError`` where no line holds anything.
    """
    try:
        with av.open(f"file:{target}", "w", format=container) as out:
            tracks = [track for line in lines if (track := _Track(line, out, name)).streams]
            if not tracks:
                raise InputError(f"{name}: nothing of it can be read")
            for _, packet in heapq.merge(*(track.packets() for track in tracks), key=_when):
                out.mux_one(packet)
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"cannot write {target.name}: {reason}") from error


class _Track:
    """A line on its way into the file."""

    def __init__(self, stretches: Sequence[Stretch], out: OutputContainer, name: str) -> None:
        self._name = name
        seen = [(stretch, shape) for stretch in stretches if (shape := self._look(stretch))]
        self.streams: dict[tuple[str, int], Any] = {}
        """Those of the file, by kind and number."""

        if not seen:
            return
        best = max(seen, key=lambda each: each[1].area)
        self._several = len({shape.header for _, shape in seen}) > 1
        self._stretches = [each for each, shape in seen if shape.codecs == best[1].codecs]
        with self._open(best[0]) as entry:
            for key, stream in kept_streams(entry).items():
                self.streams[key] = out.add_stream_from_template(stream, opaque=True)
                self.streams[key].time_base = stream.time_base

    def packets(self) -> Iterator[tuple[Fraction, Any]]:
        """With the time to decode each at, which grows."""
        coded = [shown for key, _, shown in self._moved() if key == _PICTURES]
        table = iter(_timetable(coded))
        last: dict[tuple[str, int], Fraction] = {}
        for key, packet, shown in self._moved():
            unit = packet.time_base
            decoded = shown
            if key == _PICTURES:
                decoded, lasts = next(table)
                packet.duration = _ticks(lasts, unit)
            if key in last and decoded <= last[key]:
                decoded = last[key] + unit
            last[key] = decoded
            packet.dts = _ticks(decoded, unit)
            packet.pts = max(_ticks(shown, unit), packet.dts)
            packet.stream = self.streams[key]
            yield decoded, packet

    def _moved(self) -> Iterator[tuple[tuple[str, int], Any, Fraction]]:
        """What goes into the file, of which stream, and when it is shown or heard there."""
        for stretch in self._stretches:
            with self._open(stretch) as entry:
                streams = kept_streams(entry)
                keys = {stream.index: key for key, stream in streams.items()}
                headers = {
                    key: _parameter_sets(stream) if self._several else b""
                    for key, stream in streams.items()
                }
                move: Move | None = None
                for packet in _demux(entry, list(streams.values())):
                    time = packet.pts * packet.time_base
                    if move is None:
                        move = stretch.move(time)
                    key, shown = keys[packet.stream_index], move(time)
                    if key not in self.streams or shown is None:
                        continue
                    if headers[key] and packet.is_keyframe:
                        packet = _with_header(packet, headers[key])
                    yield key, packet, shown

    def _look(self, stretch: Stretch) -> _Shape | None:
        try:
            with self._open(stretch) as entry:
                return _shape(kept_streams(entry))
        except InputError:
            return None

    def _open(self, stretch: Stretch) -> InputContainer:
        return open_container(stretch.content(), name=self._name)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What of a stretch has to agree with the others, or not."""

    area: int
    header: bytes
    codecs: tuple[str, ...]


def _shape(streams: dict[tuple[str, int], Any]) -> _Shape | None:
    if not streams:
        return None
    video = streams.get(("video", 0))
    return _Shape(
        area=0 if video is None else video.width * video.height,
        header=b"" if video is None else bytes(video.codec_context.extradata or b""),
        codecs=tuple(stream.codec_context.name for stream in streams.values()),
    )


def kept_streams(entry: InputContainer) -> dict[tuple[str, int], Any]:
    """Pictures and sound, by kind and number; covers are none."""
    found: dict[tuple[str, int], Any] = {}
    for kind, streams in (("video", entry.streams.video), ("audio", entry.streams.audio)):
        wanted: list[Any] = [
            stream
            for stream in streams
            if stream.codec_context is not None
            and not stream.disposition & av.stream.Disposition.attached_pic
        ]
        found |= {(kind, n): stream for n, stream in enumerate(wanted)}
    return found


def _demux(entry: InputContainer, streams: list[Any]) -> Iterator[Any]:
    """The packets that have a time, as far as they can be read."""
    try:
        for packet in entry.demux(streams):
            if packet.size and packet.pts is not None and not packet.is_corrupt:
                yield packet
    except (av.FFmpegError, OSError):
        return


def _timetable(coded: Sequence[Fraction]) -> Iterator[tuple[Fraction, Fraction]]:
    """When to decode each picture, and how long it is shown, by the times at which they are.

    Segments squeeze the first ones, since they cannot be decoded before time 0; here they may be.
    """
    places = sorted(range(len(coded)), key=coded.__getitem__)
    lasts = [Fraction(0)] * len(coded)
    for this, following in pairwise(places):
        lasts[this] = coded[following] - coded[this]
    if len(places) > 1:
        lasts[places[-1]] = lasts[places[-2]]
    begins = list(accumulate(lasts, initial=Fraction(0)))
    early = min((a - b for a, b in zip(coded, begins, strict=False)), default=Fraction(0))
    for begin, length in zip(begins, lasts, strict=False):
        yield begin + early, length


def _with_header(packet: Any, header: bytes) -> Any:
    longer: Any = av.Packet(header + bytes(packet))
    longer.pts, longer.dts, longer.duration = packet.pts, packet.dts, packet.duration
    longer.time_base, longer.is_keyframe = packet.time_base, True
    return longer


def _parameter_sets(stream: Any) -> bytes:
    """Those that the stream's header holds, each behind its length, as they lie in packets.

    Nothing for a stream that carries them in its packets anyway (ISO 14496-15, annex B), and for
    codecs that always do.
    """
    header = bytes(stream.codec_context.extradata or b"")
    if not header or header[0] != 1:
        return b""
    try:
        match stream.codec_context.name:
            case "h264":
                return _avc(header)
            case "hevc":
                return _hevc(header)
    except IndexError:
        pass  # cut short: there is nothing to be had
    return b""


def _avc(header: bytes) -> bytes:
    length = (header[4] & 3) + 1
    at, found = 5, b""
    for mask in (0x1F, 0xFF):  # sequence, then picture parameter sets
        count, at = header[at] & mask, at + 1
        for _ in range(count):
            size = header[at] << 8 | header[at + 1]
            found += size.to_bytes(length, "big") + header[at + 2 : at + 2 + size]
            at += 2 + size
    return found


def _hevc(header: bytes) -> bytes:
    length = (header[21] & 3) + 1
    at, found = 23, b""
    for _ in range(header[22]):
        count, at = header[at + 1] << 8 | header[at + 2], at + 3
        for _ in range(count):
            size = header[at] << 8 | header[at + 1]
            found += size.to_bytes(length, "big") + header[at + 2 : at + 2 + size]
            at += 2 + size
    return found


def _ticks(time: Fraction, unit: Fraction) -> int:
    return int((time / unit + Fraction(1, 2)) // 1)


def _when(timed: tuple[Fraction, Any]) -> Fraction:
    return timed[0]
