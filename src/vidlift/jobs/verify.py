"""Prove that one file is the other, super-resolved: every frame, every time, every other stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import zip_longest
from math import floor, inf
from pathlib import Path
from typing import Any

from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.stream import AttachmentStream, Stream

from vidlift import metrics
from vidlift.color import ColorTags, Range
from vidlift.errors import VerificationError
from vidlift.frame import Frame
from vidlift.jobs.join import CONTAINERS, codec_name, copyable
from vidlift.jobs.progress import Progress, Report, estimate_frames, silent
from vidlift.jobs.work import scaled
from vidlift.resample import quick_resize
from vidlift.sources import opened_bytes, shown_name
from vidlift.sources.decode import open_container
from vidlift.sources.file import FileSource
from vidlift.video import VideoInfo

MIN_PSNR = 20.0
"""A frame whose down-scaled luma is further than this from the input's, in dB, is another frame.

Encoding at ordinary quality leaves 30 dB and more; a neighbouring frame of a moving picture, or
one that was damaged, falls well below.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found to agree."""

    frames: int
    scale: int
    exact_times: bool
    """False where the output's container rounds times, and they agree after rounding."""

    min_psnr: float
    mean_psnr: float
    """Of the output's luma, scaled down, against the input's; dB."""

    streams: tuple[str, ...]
    """What was compared packet by packet, a line each."""

    missing: tuple[str, ...]
    """Streams of the input that the output's container cannot hold."""


def verify(source: str | Path, output: str | Path, *, report: Report = silent) -> Verification:
    """Compare a super-resolved file with its input. Raises ``VerificationError`` at the first
    difference, ``InputError`` where either cannot be read."""
    with (
        opened_bytes(str(source)) as entry,
        closing(FileSource(entry, name=shown_name(str(source)))) as old,
        closing(FileSource(output)) as new,
    ):
        scale = _same_stream(old.info, new.info)
        frames, exact, psnrs = _same_frames(old, new, scale, report)
    streams, missing = _same_companions(source, Path(output))
    finite = [value for value in psnrs if value < inf]
    return Verification(
        frames=frames,
        scale=scale,
        exact_times=exact,
        min_psnr=min(psnrs),
        mean_psnr=sum(finite) / len(finite) if finite else inf,
        streams=tuple(streams),
        missing=tuple(missing),
    )


def _agree(what: str, wanted: object, came: object) -> None:
    if wanted != came:
        raise VerificationError(f"{what}: the input has {wanted}, the output {came}")


def _same_stream(old: VideoInfo, new: VideoInfo) -> int:
    scale = new.width // old.width
    if scale < 1 or (new.width, new.height) != (old.width * scale, old.height * scale):
        raise VerificationError(
            f"size: {new.width}x{new.height} is not a whole multiple of {old.width}x{old.height}"
        )
    wanted = scaled(old, scale)
    _agree("bits a sample", wanted.bits, new.bits)
    _agree("sample aspect ratio", wanted.sar, new.sar)
    _agree("colour tags", _said(wanted.color), _said(new.color))
    _agree("rotation", wanted.display_matrix, new.display_matrix)
    _agree("mastering display", wanted.mastering, new.mastering)
    _agree("content light level", wanted.light, new.light)
    return scale


def _said(tags: ColorTags) -> ColorTags:
    """Tags with the range spelt out: codecs leave "studio" unsaid, for it is what silence means."""
    return replace(tags, range=Range.STUDIO) if tags.range is Range.UNKNOWN else tags


def _same_frames(
    old: FileSource, new: FileSource, scale: int, report: Report
) -> tuple[int, bool, list[float]]:
    tick = new.info.time_base
    exact, total = True, estimate_frames(old.info)
    psnrs: list[float] = []
    for index, (a, b) in enumerate(zip_longest(old, new)):
        if a is None or b is None:
            longer = "output" if a is None else "input"
            raise VerificationError(f"number of frames: the {longer} has more than {index}")
        exact = exact and (a.pts, a.duration) == (b.pts, b.duration)
        _agree(f"frame {index}: time", _to_tick(a.pts, tick), b.pts)
        _same_duration(index, a, b, tick)
        psnrs.append(_likeness(a, b))
        if psnrs[-1] < MIN_PSNR:
            raise VerificationError(
                f"frame {index} at {float(a.pts):.3f} s: scaled down by {scale} it is "
                f"{psnrs[-1]:.2f} dB from the input's, less than {MIN_PSNR:.0f}"
            )
        report(Progress(done=index + 1, resumed=0, total=total, bytes=0))
    return len(psnrs), exact, psnrs


def _same_duration(index: int, a: Frame, b: Frame, tick: Fraction) -> None:
    end = a.pts + a.duration
    wanted = _to_tick(end, tick) - b.pts
    # Matroska stores no end of the last frame but a nominal duration, rounded on its own.
    slack = 0 if end % tick == 0 else tick
    if abs(b.duration - wanted) > slack:
        _agree(f"frame {index}: duration", wanted, b.duration)


def _to_tick(time: Fraction, tick: Fraction) -> Fraction:
    """The time as a container with that unit stores it: the nearest, the later of two."""
    return floor(time / tick + Fraction(1, 2)) * tick


def _likeness(small: Frame, big: Frame) -> float:
    peak = (1 << small.bits) - 1
    return metrics.psnr(quick_resize(big.luma, small.size), small.luma, peak=peak)


def _same_companions(source: str | Path, output: Path) -> tuple[list[str], list[str]]:
    """Compare chapters and all streams but the video's; returns what agreed and what is missing."""
    missing: list[str] = []
    with _open(source) as old, _open(output) as new:
        container = CONTAINERS.get(output.suffix.lower(), new.format.name)
        wanted = list(copyable(old, container, missing, name=shown_name(str(source))))
        came = list(copyable(new, container, [], name=str(output)))
        _agree("number of other streams", len(wanted), len(came))
        _agree("chapters", _chapters(old), _chapters(new))
        agreed = [f"stream {a.index} ({a.type}, {codec_name(a)})" for a in wanted]
        for what, a, b in zip(agreed, wanted, came, strict=True):
            _agree(f"{what}: kind", _kind(a), _kind(b))
            _agree(f"{what}: language", a.language or "und", b.language or "und")
            if isinstance(a, AttachmentStream) and isinstance(b, AttachmentStream):
                _agree(f"{what}: content", a.data == b.data, True)
        pairs = [(a.index, b.index) for a, b in zip(wanted, came, strict=True)]
    for what, (a_index, b_index) in zip(agreed, pairs, strict=True):
        with _open(source) as old, _open(output) as new:
            _same_packets(what, old.streams[a_index], new.streams[b_index])
    return agreed, missing


def _kind(stream: Stream) -> tuple[str, str]:
    """Type and codec; ISO files do not say which layer of MPEG sound they hold."""
    codec = codec_name(stream)
    return stream.type, "MPEG audio" if codec in ("mp1", "mp2", "mp3") else codec


@contextmanager
def _open(where: str | Path) -> Iterator[InputContainer]:
    with (
        opened_bytes(str(where)) as entry,
        open_container(entry, name=shown_name(str(where))) as container,
    ):
        yield container


def _chapters(container: InputContainer) -> list[tuple[object, ...]]:
    """Starts, ends in milliseconds, and titles: containers differ in the unit they keep."""
    return [
        (
            *(_milliseconds(c[edge] * (c["time_base"] or 0)) for edge in ("start", "end")),
            c["metadata"].get("title"),
        )
        for c in container.chapters()
    ]


def _milliseconds(time: Fraction | int) -> int:
    return round(time * 1000)


def _same_packets(what: str, old: Stream, new: Stream) -> None:
    """Compare two streams packet by packet: the bytes, and when they are to be heard or read."""
    if isinstance(old, AttachmentStream):
        return
    tick = new.time_base or Fraction(1, 1000)
    for index, (a, b) in enumerate(zip_longest(_packets(old), _packets(new))):
        if a is None or b is None:
            longer = "output" if a is None else "input"
            raise VerificationError(f"{what}: the {longer} has more than {index} packets")
        if a[1] != b[1]:
            raise VerificationError(
                f"{what}: packet {index} differs: {len(a[1])} bytes in the input, "
                f"{len(b[1])} in the output, and not the same ones"
            )
        if a[0] is not None:
            _agree(f"{what}: time of packet {index}", _to_tick(a[0], tick), b[0])


def _packets(stream: Stream) -> Iterator[tuple[Fraction | None, bytes]]:
    """Time and bytes of each packet of one stream, as an ISO file or Matroska stores them."""
    container: Any = stream.container
    strip = _adts_stripper(stream)
    for packet in container.demux(stream):
        if packet.size:
            pts = packet.pts * packet.time_base if packet.pts is not None else None
            for bare in strip(packet):
                yield pts, bytes(bare)


def _adts_stripper(stream: Stream) -> Callable[[Any], Iterable[Any]]:
    """AAC in MPEG-TS carries a header in every packet that other containers keep once."""
    context = stream.codec_context
    if context is None or context.name != "aac" or context.extradata:
        return lambda packet: (packet,)
    return BitStreamFilterContext("aac_adtstoasc", stream).filter
