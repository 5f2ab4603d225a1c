"""Compare what goes along with the picture: sound, subtitles, covers, chapters.

Of sound that is not coded the samples are compared, not the packets: each container cuts it as it
likes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import tee, zip_longest
from pathlib import Path
from typing import Any

from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.stream import AttachmentStream, Disposition, Stream

from vidlift.errors import VerificationError
from vidlift.jobs.agree import agree, same_time
from vidlift.jobs.join import CONTAINERS
from vidlift.jobs.streams import codec_name, copyable
from vidlift.sources import opened_bytes, shown_name
from vidlift.sources.decode import open_container

Timed = tuple[Fraction | None, bytes]
"""When a packet is to be heard or read, in seconds, and what is in it."""


def same_companions(
    source: str | Path, output: Path, later: Fraction
) -> tuple[list[str], list[str]]:
    """Compare chapters and all streams but the video's; returns what agreed and what is missing."""
    missing: list[str] = []
    with _open(source) as old, _open(output) as new:
        container = CONTAINERS.get(output.suffix.lower(), new.format.name)
        wanted = list(copyable(old, container, missing, name=shown_name(str(source))))
        came = list(copyable(new, container, [], name=str(output)))
        agree("number of other streams", len(wanted), len(came))
        _same_chapters(old, new, later)
        agreed = [f"stream {a.index} ({a.type}, {codec_name(a)})" for a in wanted]
        for what, a, b in zip(agreed, wanted, came, strict=True):
            if not (_is_cover(a) and isinstance(b, AttachmentStream)):
                agree(f"{what}: kind", _kind(a), _kind(b))
            agree(f"{what}: language", a.language or "und", b.language or "und")
        pairs = [(a.index, b.index) for a, b in zip(wanted, came, strict=True)]
    for what, (a_index, b_index) in zip(agreed, pairs, strict=True):
        with _open(source) as old, _open(output) as new:
            _same_packets(what, old.streams[a_index], new.streams[b_index], later)
    return agreed, missing


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


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


def _same_chapters(old: InputContainer, new: InputContainer, later: Fraction) -> None:
    (titles, wanted), (came_titles, came) = _chapters(old, later), _chapters(new, Fraction(0))
    agree("chapters", titles, came_titles)
    if any(abs(a - b) > (1 if later else 0) for a, b in zip(wanted, came, strict=True)):
        agree("starts and ends of chapters, in ms", wanted, came)


def _chapters(container: InputContainer, later: Fraction) -> tuple[list[str | None], list[int]]:
    """Titles, starts and ends in milliseconds: containers differ in the unit they keep."""
    found: list[Any] = container.chapters()
    edges = [c[edge] * (c["time_base"] or 0) for c in found for edge in ("start", "end")]
    titles = [c["metadata"].get("title") for c in found]
    return titles, [round((edge + later) * 1000) for edge in edges]


def _same_packets(what: str, old: Stream, new: Stream, later: Fraction) -> None:
    """Compare two streams packet by packet: the bytes, and when they are to be heard or read."""
    tick = new.time_base or Fraction(1, 1000)
    coarser = max(tick, old.time_base or tick)
    timeless = _is_cover(old)
    wanted, came = _packets(old), _packets(new)
    rate = _bytes_a_second(new)
    if rate is not None:
        wanted, like = tee(wanted)
        came = _cut_alike(like, came, rate)
    for index, (a, b) in enumerate(zip_longest(wanted, came)):
        if a is None or b is None:
            longer = "output" if a is None else "input"
            raise VerificationError(f"{what}: the {longer} has more than {index} packets")
        if a[1] != b[1]:
            raise VerificationError(
                f"{what}: packet {index} differs: {len(a[1])} bytes in the input, "
                f"{len(b[1])} in the output, and not the same ones"
            )
        if a[0] is not None and not timeless:
            # Muxers round a codec's run-up on its own, and then all times of that stream.
            slack = coarser if later or rate is not None else tick if a[0] % tick else 0
            same_time(f"{what}: time of packet {index}", a[0] + later, b[0], tick, slack=slack)


def _packets(stream: Stream) -> Iterator[Timed]:
    """Time and bytes of each packet of one stream, as an ISO file or Matroska stores them."""
    if isinstance(stream, AttachmentStream):
        yield None, stream.data
        return
    container: Any = stream.container
    strip = _adts_stripper(stream)
    for packet in container.demux(stream):
        if packet.size:
            pts = packet.pts * packet.time_base if packet.pts is not None else None
            for bare in strip(packet):
                yield pts, bytes(bare)


def _bytes_a_second(stream: Stream) -> int | None:
    """Of sound that is not coded; None: it is, or is none."""
    context: Any = stream.codec_context
    found = re.fullmatch(r"pcm_[suf](\d+)(le|be)?", codec_name(stream))
    if found is None or not context.sample_rate:
        return None
    return int(context.sample_rate) * len(context.layout.channels) * int(found[1]) // 8


def _cut_alike(like: Iterable[Timed], came: Iterator[Timed], rate: int) -> Iterator[Timed]:
    """Bytes that came, cut as others are; the time of each piece is that of its first sample."""
    held, begins = b"", Fraction(0)
    for _, wanted in like:
        while len(held) < len(wanted) and (more := next(came, None)) is not None:
            if not held:
                begins = more[0] or Fraction(0)
            held += more[1]
        if not held:
            return
        yield begins, held[: len(wanted)]
        held, begins = held[len(wanted) :], begins + Fraction(len(wanted), rate)
    if held:
        yield begins, held
    yield from came


def _adts_stripper(stream: Stream) -> Callable[[Any], Iterable[Any]]:
    """AAC in MPEG-TS carries a header in every packet that other containers keep once."""
    context = stream.codec_context
    if context is None or context.name != "aac" or context.extradata:
        return lambda packet: (packet,)
    return BitStreamFilterContext("aac_adtstoasc", stream).filter
