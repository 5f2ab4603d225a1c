"""What reading a file from end to end tells, without decoding it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer

from vidlift.errors import InputError
from vidlift.sources.decode import open_container, video_stream

SHORT = Fraction(1, 2)
"""Seconds that a file may end earlier than it says; what is more has been cut off."""

_SAY_HOW_LONG = ("mov", "matroska")
"""Formats whose header says how long the file is. For others FFmpeg guesses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    sha256: str
    """Of the file's bytes."""

    pictures: int
    """How many packets its video has: as many as it has frames, but for edits and damage."""

    bytes: int
    """Of those packets."""

    rate: Fraction | None
    """Pictures a second, on average, roughly; None for one picture alone."""

    damage: str | None
    """What is wrong with it, in words; None where nothing shows."""


def survey(entry: Path | BinaryIO, *, name: str) -> Survey:
    """Read all of a file. Raises ``InputError`` where it is no video at all, or is bytes that can
    be read only once: whoever surveys a file goes on to work on it."""
    if not isinstance(entry, Path) and not entry.seekable():
        raise InputError(
            f"{name}: the server does not tell its length, and it has to be read more than once; "
            "`vidlift play --save FILE` makes a file of it"
        )
    seen, damage = _look(entry, name)
    return Survey(
        sha256=_sha256(entry),
        pictures=seen.pictures,
        bytes=seen.bytes,
        rate=seen.rate,
        damage=damage,
    )


def damage_of(entry: Path | BinaryIO, *, name: str) -> str | None:
    """``Survey.damage`` alone; the bytes may be such as can be read only once."""
    return _look(entry, name)[1]


def _look(entry: Path | BinaryIO, name: str) -> tuple[_Seen, str | None]:
    with open_container(entry, name=name) as container:
        seen = _read(container, video_stream(container, name=name).index)
        stated = _stated_end(container)
    damage = None
    if seen.torn is not None:
        damage = f"its stream is torn at {float(seen.torn):.3f} s"
    elif stated is not None and stated - seen.end > SHORT:
        damage = (
            f"it ends at {float(seen.end):.3f} s and says that it lasts until "
            f"{float(stated):.3f} s; it may be cut short"
        )
    return seen, damage


@dataclass(slots=True)
class _Seen:
    pictures: int = 0
    bytes: int = 0
    first: Fraction | None = None
    """Time of the first picture, in order of the file."""

    last: Fraction = Fraction(0)
    """Latest time of any picture."""

    end: Fraction = Fraction(0)
    """Latest end of any packet."""

    torn: Fraction | None = None
    """Where the first packet is that is not whole."""

    @property
    def rate(self) -> Fraction | None:
        if self.first is None or self.last <= self.first:
            return None
        return ((self.pictures - 1) / (self.last - self.first)).limit_denominator(1001)


def _read(container: InputContainer, main: int) -> _Seen:
    seen = _Seen()
    try:
        for packet in container.demux():
            time = packet.pts if packet.pts is not None else packet.dts
            if not packet.size or packet.time_base is None or time is None:
                continue
            start = time * packet.time_base
            seen.end = max(seen.end, start + (packet.duration or 0) * packet.time_base)
            if packet.stream_index == main:
                seen.pictures += 1
                seen.bytes += packet.size
                seen.first = start if seen.first is None else seen.first
                seen.last = max(seen.last, start)
            if packet.is_corrupt and seen.torn is None:
                seen.torn = seen.end
    except (av.FFmpegError, OSError):
        seen.torn = seen.end if seen.torn is None else seen.torn
    return seen


def _stated_end(container: InputContainer) -> Fraction | None:
    if container.duration is None or not container.format.name.startswith(_SAY_HOW_LONG):
        return None
    # Matroska says when it ends, where others say how long they last.
    begins = 0 if container.format.name.startswith("matroska") else container.start_time or 0
    return Fraction(begins + container.duration, av.time_base)


def _sha256(entry: Path | BinaryIO) -> str:
    if isinstance(entry, Path):
        with entry.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    digest = hashlib.sha256()
    entry.seek(0)
    while block := entry.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
