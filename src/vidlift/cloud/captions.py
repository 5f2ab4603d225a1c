"""Text subtitles of a video as WebVTT."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from vidlift.sources import open_bytes
from vidlift.sources.decode import open_container

LONGEST = Fraction(10)
"""Seconds that a subtitle stays where the file does not say."""

TEXT_CODECS = frozenset({"subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text"})
"""Subtitles that are text; those that are pictures have no place in WebVTT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captions:
    title: str
    language: str | None
    text: str
    """A whole WebVTT file."""


def read_captions(
    video: str | Path, *, origin: Fraction, end: Fraction, warnings: list[str]
) -> list[Captions]:
    """Every track of text; times count from ``origin``. What cannot be text is named instead."""
    with open_container(open_bytes(str(video)), name=str(video)) as container:
        kinds = [
            (index, s.codec_context.name if s.codec_context else "unknown")
            for index, s in enumerate(container.streams.subtitles)
        ]
    found = []
    for index, codec in kinds:
        if codec not in TEXT_CODECS:
            warnings.append(f"subtitles {index + 1} ({codec}) are left out: they are pictures")
            continue
        with open_container(open_bytes(str(video)), name=str(video)) as container:
            stream = container.streams.subtitles[index]
            cues = list(_cues(container.demux(stream), origin=origin, end=end))
            language = stream.metadata.get("language")
            language = None if language == "und" else language
            title = stream.metadata.get("title") or language or f"Subtitles {index + 1}"
        found.append(Captions(title=title, language=language, text=_vtt(cues)))
    return found


def _cues(
    packets: Iterator[av.Packet[av.subtitles.stream.SubtitleStream]],
    *,
    origin: Fraction,
    end: Fraction,
) -> Iterator[tuple[Fraction, Fraction, str]]:
    for packet in packets:
        if not packet.size or packet.pts is None or packet.time_base is None:
            continue
        start = packet.pts * packet.time_base - origin
        lasting = packet.duration * packet.time_base if packet.duration else LONGEST
        stop = min(start + lasting, end - origin)
        text = _text(packet)
        if text and stop > start and stop > 0:
            yield max(start, Fraction(0)), stop, text


def _text(packet: av.Packet[av.subtitles.stream.SubtitleStream]) -> str:
    try:
        rectangles = packet.decode()
    except av.FFmpegError:
        return ""
    parts = []
    for rectangle in rectangles:
        line = getattr(rectangle, "dialogue", b"") or b""
        parts.append(line.decode("utf-8", "replace") if isinstance(line, bytes) else line)
    return plain_text("\n".join(parts))


def plain_text(text: str) -> str:
    """Text without the marks of ASS, safe inside a WebVTT cue: no blank line, no arrow."""
    text = re.sub(r"\{[^}]*\}", "", text).replace(r"\N", "\n").replace(r"\n", "\n")
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _vtt(cues: list[tuple[Fraction, Fraction, str]]) -> str:
    blocks = ["WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0"]
    blocks += [f"{stamp(start)} --> {stamp(stop)}\n{text}" for start, stop, text in sorted(cues)]
    return "\n\n".join(blocks) + "\n"


def stamp(seconds: Fraction) -> str:
    """A time as WebVTT writes it."""
    whole, milli = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}.{milli:03d}"
