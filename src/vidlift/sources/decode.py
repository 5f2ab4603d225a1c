"""From PyAV's containers and frames to ours. ``av`` objects go no further than this folder."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideData
from av.video.stream import VideoStream

from vidlift.color import ColorTags, Range, Siting
from vidlift.errors import InputError
from vidlift.frame import Frame, Plane
from vidlift.video import ContentLight, MasteringDisplay, VideoInfo

FORMATS = {
    "gray": ("gray", 8),
    "yuv420p": ("yuv420p", 8),
    "yuv422p": ("yuv422p", 8),
    "yuv444p": ("yuv444p", 8),
    "yuvj420p": ("yuv420p", 8),
    "yuvj422p": ("yuv422p", 8),
    "yuvj444p": ("yuv444p", 8),
    "gray10le": ("gray", 10),
    "yuv420p10le": ("yuv420p", 10),
    "yuv422p10le": ("yuv422p", 10),
    "yuv444p10le": ("yuv444p", 10),
}
"""Pixel formats taken as they are, in FFmpeg's names: our layout and depth."""


def open_container(where: str | Path | BinaryIO, *, name: str | None = None) -> InputContainer:
    """Open a local file, or bytes that can be sought, for reading.

    The demuxer may open nothing else than that one file. Raises ``InputError``.
    """
    shown = name or str(where)
    if isinstance(where, (str, Path)):
        path = Path(where)
        if not path.exists():
            raise InputError(f"no file {shown}")
        if not path.is_file():
            raise InputError(f"{shown} is not a file")
    try:
        if isinstance(where, (str, Path)):
            return av.open(f"file:{where}", "r", options={"protocol_whitelist": "file"})
        return av.open(where, "r")
    except PermissionError as error:
        raise InputError(f"{shown}: no permission to read it") from error
    except (av.FFmpegError, OSError) as error:
        raise InputError(
            f"{shown} is not a video that can be read: "
            f"{error.strerror or error}; it may be damaged, cut short or of another kind"
        ) from error


def video_stream(container: InputContainer, *, name: str) -> VideoStream:
    """The stream of pictures to work on: the first that is not a cover. Raises ``InputError``."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            # A codec this build lacks leaves a stream without a decoder.
            if stream.codec_context is None:
                raise InputError(f"{name}: there is no decoder for its video")
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    raise InputError(f"{name} holds no video stream, only {kinds}")


def describe(stream: VideoStream, first: av.VideoFrame) -> VideoInfo:
    """What is known of a stream once its first frame is decoded."""
    layout, bits = FORMATS[nearest_format(first.format)]
    assert stream.time_base is not None
    mastering, light = _hdr(first)
    length = stream.duration
    return VideoInfo(
        width=first.width,
        height=first.height,
        bits=bits,
        layout=layout,
        codec=stream.codec_context.codec.canonical_name,
        time_base=stream.time_base,
        rate=_rate(stream),
        frames=stream.frames or None,
        duration=length * stream.time_base if length else None,
        sar=stream.sample_aspect_ratio or Fraction(1),
        color=_tags(first),
        siting=Siting.CENTER if stream.codec_context.name in _CENTER_SITED else Siting.LEFT,
        display_matrix=_display_matrix(first),
        interlaced=bool(first.interlaced_frame),
        mastering=mastering,
        light=light,
    )


MAX_RATE = 480
"""Frames per second above which a rate is not believed."""


def _rate(stream: VideoStream) -> Fraction | None:
    """The average rate. Where Matroska says none, FFmpeg gives the inverse of the unit instead."""
    found = stream.average_rate or stream.guessed_rate
    return found if found is not None and found <= MAX_RATE else None


_CENTER_SITED = ("mjpeg", "mpeg1video", "vp8", "webp")


def nearest_format(fmt: av.VideoFormat) -> str:
    """The format of ``FORMATS`` that loses least, ``fmt`` itself where it is one of them."""
    if fmt.name in FORMATS:
        return fmt.name
    deep = "10le" if max(component.bits for component in fmt.components) > 8 else ""
    if len(fmt.components) <= 2 and not fmt.is_rgb and not fmt.has_palette:
        return f"gray{deep}"
    if fmt.is_rgb or fmt.has_palette:
        return f"yuv444p{deep}"
    across, down = fmt.chroma_width(64) < 64, fmt.chroma_height(64) < 64
    return f"yuv{'420' if down else '422' if across else '444'}p{deep}"


def to_frame(
    picture: av.VideoFrame, info: VideoInfo, *, pts: Fraction, duration: Fraction
) -> Frame:
    """Our frame over PyAV's memory, which lives as long as the planes do. No copy is made."""
    fmt = nearest_format(picture.format)
    if picture.format.name != fmt:
        picture = picture.reformat(format=fmt)
    return Frame(
        planes=tuple(_plane(plane, FORMATS[fmt][1]) for plane in picture.planes),
        pts=pts,
        duration=duration,
        bits=FORMATS[fmt][1],
        sar=info.sar,
        color=_tags(picture),
    )


def progressive(pictures: Iterator[av.VideoFrame], stream: VideoStream) -> Iterator[av.VideoFrame]:
    """Deinterlace pictures marked as interlaced, one out for one in, times unchanged (bwdif)."""
    graph = av.filter.Graph()
    entry = graph.add_buffer(template=stream)
    bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    leave = graph.add("buffersink")
    entry.link_to(bwdif)
    bwdif.link_to(leave)
    graph.configure()
    for picture in pictures:
        graph.push(picture)
        yield from _pull(graph)
    graph.push(None)
    yield from _pull(graph)


def _pull(graph: Any) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.pull()
        except (BlockingIOError, EOFError):
            return


def _plane(plane: av.video.plane.VideoPlane, bits: int) -> Plane:
    kind = np.dtype(np.uint8 if bits == 8 else "<u2")
    rows: Plane = np.frombuffer(memoryview(plane), kind)
    return rows.reshape(plane.height, plane.line_size // kind.itemsize)[:, : plane.width]


def _tags(picture: av.VideoFrame) -> ColorTags:
    full = picture.format.name.startswith("yuvj")
    return ColorTags(
        matrix=int(picture.colorspace),
        primaries=int(picture.color_primaries),
        transfer=int(picture.color_trc),
        range=Range.FULL if full else Range(int(picture.color_range)),
    )


def _display_matrix(picture: av.VideoFrame) -> tuple[int, ...] | None:
    data = _side_data(picture, SideData.DISPLAYMATRIX)
    return struct.unpack("<9i", data[:36]) if data else None


def _hdr(picture: av.VideoFrame) -> tuple[MasteringDisplay | None, ContentLight | None]:
    """HDR10 side data, laid out as in libavutil/mastering_display_metadata.h."""
    mastering, light = None, None
    if data := _side_data(picture, SideData.MASTERING_DISPLAY_METADATA):
        numbers = struct.unpack("<22i", data[:88])
        q = [Fraction(n, d or 1) for n, d in zip(numbers[:20:2], numbers[1:20:2], strict=True)]
        if all(numbers[20:22]):
            mastering = MasteringDisplay(
                primaries=((q[0], q[1]), (q[2], q[3]), (q[4], q[5])),
                white=(q[6], q[7]),
                luminance=(q[8], q[9]),
            )
    if data := _side_data(picture, SideData.CONTENT_LIGHT_LEVEL):
        light = ContentLight(
            **dict(zip(("max_content", "max_average"), struct.unpack("<2I", data[:8]), strict=True))
        )
    return mastering, light


def _side_data(picture: av.VideoFrame, kind: SideData) -> bytes | None:
    found: Any = picture.side_data
    return bytes(found[kind]) if kind in found else None
