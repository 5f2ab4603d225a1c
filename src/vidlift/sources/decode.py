"""From PyAV's containers and frames to ours. ``av`` objects go no further than this folder."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideData
from av.video.stream import VideoStream

from vidlift.client.waits import uninterrupted
from vidlift.color import Siting
from vidlift.errors import InputError
from vidlift.frame import Frame, Plane
from vidlift.sources.formats import Converter
from vidlift.video import ContentLight, MasteringDisplay, VideoInfo


def open_container(where: str | Path | BinaryIO, *, name: str | None = None) -> InputContainer:
    """Open a local file, or bytes, for reading from the beginning, to which bytes are sought.

    Those that cannot be are read from where they are. The demuxer may open nothing else than that
    one file. Raises ``InputError``.
    """
    shown = name or str(where)
    if isinstance(where, (str, Path)):
        try:
            there, is_file = Path(where).exists(), Path(where).is_file()
        except OSError as error:  # a folder that may not be read, a name that is too long
            raise InputError(f"{shown} cannot be opened: {error.strerror}") from error
        if not there:
            raise InputError(f"no file {shown}")
        if not is_file:
            raise InputError(f"{shown} is not a file")
    try:
        if isinstance(where, (str, Path)):
            _refuse_lists(Path(where), shown)
            return av.open(f"file:{where}", "r", options={"protocol_whitelist": "file"})
        if where.seekable():
            where.seek(0)
        # PyAV loses a Ctrl-C that comes while it is given bytes.
        return uninterrupted(
            lambda: av.open(where, "r", options={"protocol_whitelist": "none"}),
        )
    except PermissionError as error:
        raise InputError(f"{shown}: no permission to read it") from error
    except (av.FFmpegError, OSError) as error:
        raise InputError(
            f"{shown} is not a video that can be read: "
            f"{error.strerror or error}; it may be damaged, cut short or of another kind"
        ) from error


_LISTS = (b"#EXTM3U", b"ffconcat", b"<MPD", b"<?xml", b"[playlist]")
"""How files begin that are no film but name others."""


def _refuse_lists(where: Path, shown: str) -> None:
    """FFmpeg would open what such a file names: other files, whoever wrote it."""
    with where.open("rb") as content:
        beginning = content.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    if beginning.startswith(_LISTS):
        raise InputError(f"{shown} is a list of files, not a video")


def video_stream(container: InputContainer, *, name: str) -> VideoStream:
    """The stream of pictures to work on: the first that is not a cover. Raises ``InputError``."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            # A codec this build lacks leaves a stream without a decoder.
            if stream.codec_context is None:
                raise InputError(f"{name}: there is no decoder for its video")
            return stream
    kinds: list[str] = sorted({stream.type for stream in container.streams} - {"video"})
    kinds += ["a cover picture"] if container.streams.video else []
    raise InputError(f"{name} holds no video stream, only {' and '.join(kinds) or 'nothing'}")


def codec_of(stream: VideoStream) -> str:
    """FFmpeg's name of the format of a stream, whichever decoder it is given to."""
    return stream.codec_context.codec.canonical_name


def describe(stream: VideoStream, first: av.VideoFrame, converter: Converter) -> VideoInfo:
    """What is known of a stream once its first frame is decoded."""
    assert stream.time_base is not None
    codec = codec_of(stream)
    mastering, light = _hdr(first)
    return VideoInfo(
        width=first.width,
        height=first.height,
        bits=converter.bits,
        layout=converter.layout,
        codec=codec,
        time_base=stream.time_base,
        rate=rate_of(stream),
        frames=stream.frames or None,
        bit_rate=_bit_rate(stream),
        quantizer=quantizer(first),
        duration=_duration(stream),
        sar=stream.sample_aspect_ratio or Fraction(1),
        color=converter.tags(first),
        siting=Siting.CENTER if codec in _CENTER_SITED else Siting.LEFT,
        display_matrix=_display_matrix(first),
        interlaced=bool(first.interlaced_frame),
        mastering=mastering,
        light=light,
    )


MAX_RATE = 480
"""Frames per second above which a rate is not believed."""


def rate_of(stream: VideoStream) -> Fraction | None:
    """The average rate. Where Matroska says none, FFmpeg gives the inverse of the unit instead."""
    found = stream.average_rate or stream.guessed_rate
    return found if found is not None and found <= MAX_RATE else None


def _duration(stream: VideoStream) -> Fraction | None:
    """That of the stream or that of the file: of two, the shorter is believed."""
    container: Any = stream.container
    said = []
    if stream.duration and stream.time_base is not None:
        said.append(stream.duration * stream.time_base)
    if container.duration:
        said.append(Fraction(container.duration, av.time_base))
    return min(said, default=None)


def _bit_rate(stream: VideoStream) -> float | None:
    """That of the stream, or of the file less what its other streams say."""
    container: Any = stream.container
    said = stream.bit_rate or stream.metadata.get("BPS", "")
    if isinstance(said, str):
        said = int(said) if said.isdecimal() else 0
    if not said and container.bit_rate:
        others: Any = (each for each in container.streams if each.index != stream.index)
        said = container.bit_rate - sum(getattr(each, "bit_rate", None) or 0 for each in others)
    return float(said) if said > 0 else None


EXPORTED = {"export_side_data": "venc_params"}
"""Options of a decoder that tells of each picture how coarsely it was stored."""

_H264_PARAMETERS = 1


def quantizer(picture: av.VideoFrame) -> float | None:
    """``VideoInfo.quantizer`` of a picture, laid out as in libavutil/video_enc_params.h."""
    data = _side_data(picture, SideData.VIDEO_ENC_PARAMS)
    if data is None:
        return None
    blocks, first, size, kind, base = struct.unpack_from("@INNii", data)
    if kind != _H264_PARAMETERS:
        return None
    if not blocks:
        return float(base)
    rows = np.frombuffer(data, "=i4", offset=first, count=blocks * size // 4).reshape(blocks, -1)
    return float(base + rows[:, _QUANTIZER_ABOVE].mean())


_QUANTIZER_ABOVE = 4
"""Where in the row of a block the quantiser lies, as a difference to the picture's; before it are
its place and size."""

_CENTER_SITED = ("mjpeg", "mpeg1video", "vp8", "webp")


def to_frame(
    picture: av.VideoFrame,
    converter: Converter,
    *,
    pts: Fraction,
    duration: Fraction,
    sar: Fraction,
) -> Frame:
    """Our frame over PyAV's memory, which lives as long as the planes do. No copy is made."""
    ours = converter(picture)
    return Frame(
        planes=tuple(_plane(plane, converter.bits) for plane in ours.planes),
        pts=pts,
        duration=duration,
        bits=converter.bits,
        sar=sar,
        color=converter.tags(picture),
    )


def _plane(plane: av.video.plane.VideoPlane, bits: int) -> Plane:
    assert plane.line_size > 0, "only RGB decoders give pictures upside down"
    kind = np.dtype(np.uint8 if bits == 8 else "<u2")
    rows: Plane = np.frombuffer(memoryview(plane), kind)
    return rows.reshape(plane.height, plane.line_size // kind.itemsize)[:, : plane.width]


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


def _unknown(cls: type[Any], value: int) -> Any:
    """A kind that FFmpeg knows and PyAV does not, such as EXIF: one such would hide all others."""
    kind = object.__new__(cls)
    kind._name_, kind._value_ = f"UNKNOWN_{value}", value
    return kind


SideData._missing_ = classmethod(_unknown)  # type: ignore[assignment]


def _side_data(picture: av.VideoFrame, kind: SideData) -> bytes | None:
    found: Any = picture.side_data
    return bytes(found[kind]) if kind in found else None
