"""The boxes of ISO base media files (ISO 14496-12) that fragments are made of.

init.mp4      ftyp moov             what a decoder is set up with
00042.m4s     styp moof mdat        one fragment of one track (CMAF)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_KEY = 0x02000000
"""Sample flags: depends on no other, may be begun with."""

_OTHER = 0x01010000
"""Sample flags: depends on others."""

_HOLDING = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One packet as a fragment has it; times count in ticks of the track."""

    data: bytes
    duration: int
    offset: int = 0
    """From when it is decoded to when it is shown; may be negative."""

    key: bool = True


def boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first byte of the content, and end of each box, as far as they are whole."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        if size < head or at + size > len(data):
            return
        yield kind, at + head, at + size
        at += size


def header_of(file: bytes) -> bytes:
    """The beginning of an MP4 file up to its samples: ``ftyp`` and ``moov``."""
    parts = [(start, end) for kind, start, end in boxes(file) if kind in (b"ftyp", b"moov")]
    assert len(parts) == 2
    return b"".join(file[start - 8 : end] for start, end in parts)


def fragment(samples: Sequence[Sample], *, number: int, decoded_at: int) -> bytes:
    """One fragment of track 1. ``decoded_at`` is when its first sample is, in ticks."""
    flags = 0x000001 | 0x000100 | 0x000200 | 0x000400 | 0x000800
    rows = b"".join(
        struct.pack(">IIIi", s.duration, len(s.data), _KEY if s.key else _OTHER, s.offset)
        for s in samples
    )

    def moof(data_at: int) -> bytes:
        trun = _box(b"trun", struct.pack(">IIi", 0x01000000 | flags, len(samples), data_at) + rows)
        tfhd = _box(b"tfhd", struct.pack(">II", 0x020000, 1))
        tfdt = _box(b"tfdt", struct.pack(">IQ", 0x01000000, decoded_at))
        mfhd = _box(b"mfhd", struct.pack(">II", 0, number))
        return _box(b"moof", mfhd + _box(b"traf", tfhd + tfdt + trun))

    styp = _box(b"styp", b"msdh" + struct.pack(">I", 0) + b"msdh" + b"cmfs")
    head = moof(len(moof(0)) + 8)
    return styp + head + _box(b"mdat", b"".join(s.data for s in samples))


def codec_string(header: bytes) -> str:
    """What RFC 6381 calls the codec of a header's only track, as playlists name it."""
    kind, entry = _sample_entry(header)
    inner = dict(_inner(entry))
    match kind:
        case b"avc1":
            return "avc1." + inner[b"avcC"][1:4].hex()
        case b"hvc1" | b"hev1":
            return _hevc(kind.decode(), inner[b"hvcC"])
        case b"av01":
            return _av1(inner[b"av1C"])
        case b"vp09":
            profile, level, depth = inner[b"vpcC"][4], inner[b"vpcC"][5], inner[b"vpcC"][6] >> 4
            return f"vp09.{profile:02d}.{level:02d}.{depth:02d}"
        case b"mp4a":
            return f"mp4a.40.{_audio_object(inner.get(b'esds', b''))}"
    return kind.decode("latin-1")


def timescale(header: bytes) -> int:
    """Ticks a second of a header's only track."""
    (mdhd,) = (content for kind, content in _walk(header) if kind == b"mdhd")
    at = 20 if mdhd[0] == 1 else 12
    (ticks,) = struct.unpack_from(">I", mdhd, at)
    return int(ticks)


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _walk(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for kind, start, end in boxes(data):
        yield kind, data[start:end]
        if kind in _HOLDING:
            yield from _walk(data[start:end])


def _sample_entry(header: bytes) -> tuple[bytes, bytes]:
    (stsd,) = (content for kind, content in _walk(header) if kind == b"stsd")
    for kind, start, end in boxes(stsd[8:]):
        return kind, stsd[8 + start : 8 + end]
    raise ValueError("a header without a sample entry")


def _inner(entry: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes in a sample entry: after 78 bytes of a picture's, 28 of a sound's."""
    for skip in (78, 28):
        found = [(kind, entry[skip:][a:b]) for kind, a, b in boxes(entry[skip:])]
        if any(kind in (b"avcC", b"hvcC", b"av1C", b"vpcC", b"esds") for kind, _ in found):
            yield from found
            return


def _hevc(kind: str, record: bytes) -> str:
    space, tier, profile = record[1] >> 6, (record[1] >> 5) & 1, record[1] & 31
    compatible = int(f"{int.from_bytes(record[2:6], 'big'):032b}"[::-1], 2)
    constraints = ".".join(f"{byte:X}" for byte in record[6:12].rstrip(b"\0"))
    level = record[12]
    text = f"{kind}.{'' if not space else 'ABC'[space - 1]}{profile}.{compatible:X}"
    return f"{text}.{'LH'[tier]}{level}" + (f".{constraints}" if constraints else "")


def _av1(record: bytes) -> str:
    profile, level = record[1] >> 5, record[1] & 31
    tier, high = record[2] >> 7, (record[2] >> 6) & 1
    return f"av01.{profile}.{level:02d}{'MH'[tier]}.{10 if high else 8:02d}"


def _audio_object(esds: bytes) -> int:
    """The audio object type in the decoder's own description; 2, plain AAC, where none is."""
    at = esds.find(b"\x05\x80\x80\x80")
    return esds[at + 5] >> 3 if at >= 0 and at + 5 < len(esds) else 2
