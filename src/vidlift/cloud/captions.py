"""Text subtitles of a video as WebVTT."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

import av

from vidlift.sources import opened_file, shown_name
from vidlift.sources.decode import open_container
from vidlift.sources.words import TEXT_CODECS

LONGEST = Fraction(10)
"""Seconds that a subtitle stays where the file does not say."""


SEGMENT = Fraction(300)
"""Seconds of a segment of text: one for all of a film is longer than players believe."""

Cue = tuple[Fraction, Fraction, str]
"""From when to when something is said, in seconds of the title, and what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captions:
    title: str
    language: str | None
    segments: tuple[tuple[str, Fraction], ...]
    """A whole WebVTT file, and the seconds that it is for. A cue is in each that it is shown in."""


def read_captions(
    video: str | Path, *, origin: Fraction, end: Fraction, warnings: list[str]
) -> list[Captions]:
    """Every track of text; times count from ``origin``. What cannot be text is named instead."""
    name = shown_name(str(video))
    with opened_file(str(video)) as entry, open_container(entry, name=name) as container:
        kinds = [
            (index, s.codec_context.name if s.codec_context else "unknown")
            for index, s in enumerate(container.streams.subtitles)
        ]
    found = []
    for index, codec in kinds:
        if codec not in TEXT_CODECS:
            warnings.append(f"subtitles {index + 1} ({codec}) are left out: they are pictures")
            continue
        with opened_file(str(video)) as entry, open_container(entry, name=name) as container:
            stream = container.streams.subtitles[index]
            cues = sorted(_cues(container.demux(stream), origin=origin, end=end))
            language = stream.metadata.get("language")
            language = None if language == "und" else language
            title = stream.metadata.get("title") or language or f"Subtitles {index + 1}"
        segments = tuple(_cut(cues, end - origin))
        found.append(Captions(title=title, language=language, segments=segments))
    return found


def _cues(
    packets: Iterator[av.Packet[av.subtitles.stream.SubtitleStream]],
    *,
    origin: Fraction,
    end: Fraction,
) -> Iterator[Cue]:
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
    text = re.sub(r"\{[^}]*\}", "", text)
    text = text.replace(r"\N", "\n").replace(r"\n", "\n").replace(r"\h", " ")
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _cut(cues: Sequence[Cue], length: Fraction) -> Iterator[tuple[str, Fraction]]:
    for index in range(ceil(length / SEGMENT)):
        since, until = index * SEGMENT, min((index + 1) * SEGMENT, length)
        yield _vtt([cue for cue in cues if cue[0] < until and cue[1] > since]), until - since


def _vtt(cues: Sequence[Cue]) -> str:
    blocks = ["WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0"]
    blocks += [f"{stamp(start)} --> {stamp(stop)}\n{text}" for start, stop, text in cues]
    return "\n\n".join(blocks) + "\n"


def stamp(seconds: Fraction) -> str:
    """A time as WebVTT writes it."""
    whole, milli = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}.{milli:03d}"
