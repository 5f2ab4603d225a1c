"""Say what a file holds, in words."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidlift.color import UNSPECIFIED, ColorTags
from vidlift.jobs.streams import codec_name
from vidlift.sources import opened_bytes, shown_name
from vidlift.sources.decode import open_container, video_stream
from vidlift.sources.pictures import Pictures
from vidlift.video import VideoInfo

_MATRIX = {0: "RGB", 1: "BT.709", 5: "BT.601", 6: "BT.601", 9: "BT.2020"}
_PRIMARIES = {1: "BT.709", 5: "BT.601-625", 6: "BT.601-525", 9: "BT.2020", 12: "P3"}
_TRANSFER = {1: "BT.709", 6: "BT.601", 13: "sRGB", 16: "PQ", 18: "HLG"}


def probe(source: str | Path) -> dict[str, str]:
    """What there is to say of a video file, by topic. Raises ``InputError``."""
    where, name = str(source), shown_name(str(source))
    with opened_bytes(where) as entry, open_container(entry, name=name) as container:
        main = video_stream(container, name=name)
        with closing(Pictures(main, container.demux(main), name=name)) as pictures:
            info = pictures.info
        found = {
            "file": str(container.format.long_name),
            "video": f"{info.codec}, {info.width}x{info.height}, {info.layout} {info.bits} bit",
            "time": _time(info),
            "colour": _color(info.color),
            "shape": _shape(info),
        }
        if info.mastering is not None or info.light is not None:
            found["hdr"] = _hdr(info)
        for stream in container.streams:
            found[f"stream {stream.index}"] = _stream(stream)
        if chapters := len(container.chapters()):
            found["chapters"] = str(chapters)
    return found


def _stream(stream: Any) -> str:
    parts = [stream.type, codec_name(stream)]
    if stream.type == "audio" and stream.codec_context is not None:
        parts += [f"{stream.codec_context.sample_rate} Hz", stream.codec_context.layout.name]
    if stream.language not in (None, "und"):
        parts.append(str(stream.language))
    if title := stream.metadata.get("title"):
        parts.append(f'"{title}"')
    return ", ".join(parts)


def _time(info: VideoInfo) -> str:
    parts = [f"{float(info.rate):.3f} frames/s on average"] if info.rate else []
    if info.frames:
        parts.append(f"{info.frames} frames")
    if info.duration:
        parts.append(f"{float(info.duration):.3f} s")
    parts.append(f"unit {info.time_base} s")
    return ", ".join(parts)


def _color(tags: ColorTags) -> str:
    def named(names: dict[int, str], code: int) -> str:
        return "unspecified" if code == UNSPECIFIED else names.get(code, f"code {code}")

    return (
        f"matrix {named(_MATRIX, tags.matrix)}, primaries {named(_PRIMARIES, tags.primaries)}, "
        f"transfer {named(_TRANSFER, tags.transfer)}, {tags.range.name.lower()} range"
    )


def _shape(info: VideoInfo) -> str:
    parts = [f"samples {info.sar.numerator}:{info.sar.denominator}"]
    if info.display_matrix is not None:
        parts.append(_turn(info.display_matrix))
    parts.append("interlaced" if info.interlaced else "progressive")
    return ", ".join(parts)


_TURNS = {(1, 0, 0, 1): 0, (0, 1, -1, 0): 90, (-1, 0, 0, -1): 180, (0, -1, 1, 0): 270}


def _turn(matrix: tuple[int, ...]) -> str:
    """How a picture is turned for display, clockwise, in words."""
    a, b, _, c, d = (int(Fraction(value, 1 << 16)) for value in matrix[:5])
    if (a, b, c, d) in _TURNS:
        return f"turned by {_TURNS[a, b, c, d]} degrees"
    if (-a, -b, c, d) in _TURNS:
        return f"mirrored, turned by {_TURNS[-a, -b, c, d]} degrees"
    return "turned and sheared"


def _hdr(info: VideoInfo) -> str:
    parts = []
    if info.mastering is not None:
        least, greatest = (float(value) for value in info.mastering.luminance)
        parts.append(f"graded on {least:g} to {greatest:g} cd/m2")
    if info.light is not None:
        parts.append(f"brightest {info.light.max_content}, average {info.light.max_average} cd/m2")
    return ", ".join(parts)
