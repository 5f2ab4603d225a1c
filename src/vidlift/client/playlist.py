"""HLS playlists (RFC 8216) as values: parsed from text, every address judged, nothing fetched."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import m3u8

from vidlift.client import variables
from vidlift.client.hosts import host_of, shown
from vidlift.errors import InputError

TEXT_MAX = 8_000_000
"""Bytes of a playlist."""

SEGMENTS_MAX = 50_000
"""Segments of a playlist: two days of film."""

VARIANTS_MAX = 200
SECONDS_MAX = 86_400.0
"""Length of one segment: the subtitles of a whole film may be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Something to fetch: a URL, or a part of what it names."""

    url: str
    start: int = 0
    end: int | None = None
    """Byte after the last one, None: all from ``start``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """How a segment is encrypted: AES-128 in CBC mode."""

    url: str
    iv: bytes | None
    """Sixteen bytes; None: the number of the segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    resource: Resource
    number: int
    """Media sequence number."""

    start: float
    """Seconds from the beginning of the list as it was first seen."""

    seconds: float
    epoch: int
    """Discontinuity sequence number: times in segments of one epoch belong together."""

    header: Resource | None
    """EXT-X-MAP: what goes before the segment for a demuxer that has not seen it."""

    key: Key | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaList:
    """The segments of one rendition."""

    url: str
    segments: tuple[Segment, ...]
    target: float
    """The most seconds of a segment."""

    ended: bool
    """Whether no more will come; otherwise it is live."""

    def holding(self, time: float) -> Segment | None:
        """The segment on the screen at a time, the last one after the end; None without any."""
        found = (each for each in self.segments if each.start + each.seconds > time)
        return next(found, self.segments[-1] if self.segments else None)

    def following(self, time: float) -> Segment | None:
        """The one that begins about when another ended, as lists round; None after the last."""
        found = (each for each in self.segments if each.start + each.seconds / 2 > time)
        return next(found, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to receive the film."""

    url: str
    bits_per_second: int
    """What it needs: its peak."""

    width: int | None
    height: int | None
    sounds: str | None
    """Group of the sound renditions that go with it; None: the sound is inside."""

    texts: str | None = None
    """Group of the subtitles that go with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """Sound or text with a list of its own."""

    url: str
    group: str
    name: str
    language: str | None
    default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterList:
    """What there is to choose from."""

    url: str
    variants: tuple[Variant, ...]
    """By what they need, least first; those of sound alone are left out where others are."""

    sounds: tuple[Rendition, ...]
    texts: tuple[Rendition, ...] = ()
    defined: Mapping[str, str] = field(default_factory=dict)
    """What its lists may take over from it (EXT-X-DEFINE)."""

    def sounds_of(self, variant: Variant) -> list[Rendition]:
        """The renditions of sound that may be played with it."""
        return [each for each in self.sounds if each.group == variant.sounds]

    def texts_of(self, variant: Variant) -> list[Rendition]:
        """The subtitles that may be shown with it."""
        return [each for each in self.texts if each.group == variant.texts]


def looks_like(first_bytes: bytes) -> bool:
    """Whether what begins like this is a playlist."""
    return first_bytes.removeprefix(b"\xef\xbb\xbf").startswith(b"#EXTM3U")


def parse(
    text: str, url: str, *, defined: Mapping[str, str] | None = None
) -> MasterList | MediaList:
    """A playlist that came from ``url``; ``defined``: what the list that led here defines.

    Raises ``InputError``, and ``NetworkError`` for an address that is none of http or https.
    """
    if not looks_like(text[:16].encode()):
        what = "it does not begin with #EXTM3U" if text else "it is empty"
        raise InputError(f"{shown(url)} is no playlist: {what}")
    if text.count("#EXTINF") > SEGMENTS_MAX:
        raise InputError(f"{shown(url)} lists more than {SEGMENTS_MAX} segments")
    text, known = variables.filled_in(text, url, defined or {}, most=TEXT_MAX)
    try:
        raw: Any = m3u8.loads(text)
        return _master(raw, url, known) if raw.is_variant else _media(raw, url)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{shown(url)} is a damaged playlist: {error}") from error


def _master(raw: Any, url: str, defined: Mapping[str, str]) -> MasterList:
    if len(raw.playlists) + len(raw.media) > VARIANTS_MAX:
        raise InputError(f"{shown(url)} lists more than {VARIANTS_MAX} renditions")
    variants = []
    for entry in raw.playlists:
        info = entry.stream_info
        width, height = info.resolution or (None, None)
        variants.append(
            Variant(
                url=_absolute(entry.uri, url),
                bits_per_second=int(info.bandwidth or 0),
                width=width,
                height=height,
                texts=info.subtitles,
                sounds=info.audio if _is_apart(raw.media, info.audio) else None,
            )
        )
    with_pictures = [v for v in variants if v.height] or variants
    if not with_pictures:
        raise InputError(f"{shown(url)} is a playlist without anything to play")
    return MasterList(
        url=url,
        variants=tuple(sorted(with_pictures, key=lambda v: v.bits_per_second)),
        sounds=tuple(_renditions(raw, url, "AUDIO")),
        texts=tuple(_renditions(raw, url, "SUBTITLES")),
        defined=defined,
    )


def _renditions(raw: Any, url: str, kind: str) -> Iterator[Rendition]:
    for media in raw.media:
        if media.type == kind and media.uri:
            yield Rendition(
                url=_absolute(media.uri, url),
                group=media.group_id,
                name=media.name or "",
                language=media.language,
                default=media.default == "YES",
            )


def _is_apart(media: Any, group: str | None) -> bool:
    """Whether the sound of a group has lists of its own: some has, and what is asked for is not
    inside, without one."""
    sounds = [each for each in media if each.type == "AUDIO" and each.group_id == group]
    inside = any(each.default == "YES" and not each.uri for each in sounds)
    return not inside and any(each.uri for each in sounds)


def _media(raw: Any, url: str) -> MediaList:
    if not raw.segments and raw.is_endlist:
        raise InputError(f"{shown(url)} is a playlist without segments")
    target = float(raw.target_duration or max((s.duration for s in raw.segments), default=1))
    if not 0 < target <= SECONDS_MAX:
        raise InputError(f"{shown(url)}: segments of {target:g} s; {SECONDS_MAX:g} at most")
    return MediaList(
        url=url, segments=tuple(_segments(raw, url)), target=target, ended=bool(raw.is_endlist)
    )


def _segments(raw: Any, url: str) -> Iterator[Segment]:
    epoch = int(raw.discontinuity_sequence or 0)
    start = 0.0
    before = Resource(url="", end=0)
    for place, entry in enumerate(raw.segments):
        seconds = float(entry.duration or 0)
        if not (math.isfinite(seconds) and 0 <= seconds <= SECONDS_MAX):
            raise InputError(f"{shown(url)}: a segment of {seconds:g} s")
        epoch += bool(entry.discontinuity) and place > 0
        address = _absolute(entry.uri, url)
        resource = _part(address, entry.byterange, before)
        header = None
        if entry.init_section is not None:
            where = _absolute(entry.init_section.uri, url)
            header = _part(where, entry.init_section.byterange, Resource(url=where, end=0))
        yield Segment(
            resource=resource,
            number=int(raw.media_sequence or 0) + place,
            start=start,
            seconds=seconds,
            epoch=epoch,
            header=header,
            key=_key(entry.key, url),
        )
        before = resource
        start += seconds


def _part(address: str, text: str | None, before: Resource) -> Resource:
    """LENGTH@START, or LENGTH alone: behind the part before it of the same resource."""
    if not text:
        return Resource(url=address)
    length, _, start = str(text).partition("@")
    if not length.isdecimal() or len(length) > 15 or len(start) > 15:
        raise InputError(f"a part of {shown(address)} given as {text[:40]!r}")
    if start:
        begin = int(start)
    elif before.url == address and before.end is not None:
        begin = before.end
    else:
        raise InputError(f"a part of {shown(address)} that does not say where it begins")
    return Resource(url=address, start=begin, end=begin + int(length))


def _key(raw: Any, url: str) -> Key | None:
    if raw is None or raw.method in (None, "NONE"):
        return None
    if raw.method != "AES-128" or raw.keyformat not in (None, "identity"):
        raise InputError(
            f"{shown(url)} is encrypted ({str(raw.method)[:20]}): only AES-128 can be played"
        )
    iv = None
    if raw.iv:
        digits = str(raw.iv).lower().removeprefix("0x")
        iv = bytes.fromhex(digits.zfill(32))
        if len(iv) != 16:
            raise InputError(f"{shown(url)}: an initialisation vector of {len(iv)} bytes")
    return Key(url=_absolute(raw.uri, url), iv=iv)


def _absolute(uri: str | None, base: str) -> str:
    """Where a line of a playlist leads. Raises ``NetworkError`` for anything but http(s)."""
    if not uri:
        raise InputError(f"{shown(base)}: a line of the playlist leads nowhere")
    try:
        found = urljoin(base, uri)
    except ValueError as error:
        raise InputError(f"{shown(base)}: {error}") from error
    host_of(found)
    return found
