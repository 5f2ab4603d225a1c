"""Encode frames into a file of one video stream.

The container may be any that PyAV writes; work in progress uses NUT, which keeps every time
base exactly. Sound and the rest are added when a job joins its segments (``jobs/join.py``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.stream import VideoStream

from vidlift.color import Range
from vidlift.errors import OutputError, UsageError
from vidlift.frame import SUBSAMPLED, Frame
from vidlift.sinks.threads import ordinary_threads
from vidlift.video import MasteringDisplay, VideoInfo

# SVT-AV1 tells its life story on stderr unless the environment says: errors only.
os.environ.setdefault("SVT_LOG", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One row of ``CODECS``: an encoder and how it is told what we mean."""

    encoder: str
    """FFmpeg's name."""

    default_crf: int
    max_crf: int
    options: dict[str, str]
    parameters: str
    """Name of the option that takes the encoder's own ``key=value`` list."""

    own: dict[str, str]
    """What goes into that list always."""

    hdr: Callable[[VideoInfo], dict[str, str]]
    """What goes into that list for HDR10 side data."""


def _hdr_in_units(names: tuple[str, str]) -> Callable[[VideoInfo], dict[str, str]]:
    """HDR10 as x264 and x265 write it: in units of 0.00002 and 0.0001 cd/m2."""

    def write(info: VideoInfo) -> dict[str, str]:
        return _hdr(info, names, lambda xy: round(xy * 50000), lambda cd: round(cd * 10000))

    return write


def _hdr_in_numbers(info: VideoInfo) -> dict[str, str]:
    """HDR10 as SVT-AV1 takes it: plain decimal numbers."""
    return _hdr(info, ("mastering-display", "content-light"), float, float)


def _hdr(
    info: VideoInfo,
    names: tuple[str, str],
    xy: Callable[[Fraction], object],
    cd: Callable[[Fraction], object],
) -> dict[str, str]:
    out = {}
    if info.mastering is not None:
        out[names[0]] = _mastering(info.mastering, xy, cd)
    if info.light is not None:
        out[names[1]] = f"{info.light.max_content},{info.light.max_average}"
    return out


def _mastering(
    display: MasteringDisplay,
    xy: Callable[[Fraction], object],
    cd: Callable[[Fraction], object],
) -> str:
    red, green, blue = display.primaries
    points = (("G", green), ("B", blue), ("R", red), ("WP", display.white))
    chroma = "".join(f"{name}({xy(point[0])},{xy(point[1])})" for name, point in points)
    least, greatest = display.luminance
    return f"{chroma}L({cd(greatest)},{cd(least)})"


CODECS = {
    "h264": Codec(
        encoder="libx264",
        default_crf=18,
        max_crf=51,
        options={"preset": "medium"},
        parameters="x264-params",
        own={"open-gop": "0"},
        hdr=_hdr_in_units(("mastering-display", "cll")),
    ),
    "hevc": Codec(
        encoder="libx265",
        default_crf=20,
        max_crf=51,
        options={"preset": "medium"},
        parameters="x265-params",
        own={"open-gop": "0", "log-level": "error", "repeat-headers": "0"},
        hdr=_hdr_in_units(("master-display", "max-cll")),
    ),
    "av1": Codec(
        encoder="libsvtav1",
        default_crf=28,
        max_crf=63,
        options={"preset": "8"},
        parameters="svtav1-params",
        own={},
        hdr=_hdr_in_numbers,
    ),
}
"""Codecs by the name a user gives."""


X265_NARROW = 64
"""Samples across below which x265's cutree writes beyond its memory, 4.2 for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderOptions:
    """How frames are encoded. ``crf`` None means the codec's default."""

    codec: str = "h264"
    crf: int | None = None

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise UsageError(f"no codec named {self.codec!r}; there are {', '.join(CODECS)}")
        highest = CODECS[self.codec].max_crf
        if self.crf is not None and not 0 <= self.crf <= highest:
            raise UsageError(f"crf of {self.codec} is 0 to {highest}, got {self.crf}")

    @property
    def quality(self) -> int:
        return CODECS[self.codec].default_crf if self.crf is None else self.crf

    @property
    def version(self) -> str:
        """Which encoder of which build: another one may write other bits."""
        return f"{CODECS[self.codec].encoder} of PyAV {av.__version__}"


class FileSink:
    """Encodes frames that match ``info``. See ``Sink``; the file is whole after ``close``.

    Every frame's pts is kept exactly: it is stored in ``info.time_base``.
    """

    def __init__(
        self, where: Path, info: VideoInfo, options: EncoderOptions, *, container: str | None = None
    ) -> None:
        """``container`` is FFmpeg's name of a format, by the file's ending unless said.

        Raises ``UsageError`` for what the codec cannot hold, ``OutputError`` for a file that
        cannot be written.
        """
        self._info = info
        self._format = check_format(info, options)
        self._where = where
        self.bytes = 0
        """Size of the encoded picture so far."""

        # Times stay as they are: left alone, the muxer shifts them to make room for decoding
        # times before zero.
        asked = {"avoid_negative_ts": "disabled"}
        try:
            self._container = av.open(f"file:{where}", "w", format=container, options=asked)
            try:
                self._stream = self._add_stream(options)
                with ordinary_threads():
                    self._container.start_encoding()
            except BaseException:
                self._container.close()
                raise
        except (av.FFmpegError, OSError) as error:
            raise self._cannot_write(error) from error

    def write(self, frame: Frame) -> None:
        info = self._info
        wanted = (info.width, info.height), info.layout, info.bits
        if (frame.size, frame.layout, frame.bits) != wanted:
            raise ValueError(
                f"this sink takes {info.width}x{info.height} {info.layout} {info.bits} bit, "
                f"got {frame}"
            )
        ticks = frame.pts / info.time_base
        if ticks.denominator != 1:
            raise ValueError(f"pts {frame.pts} is no multiple of the time base {info.time_base}")
        picture = to_picture(frame, self._format)
        picture.pts = int(ticks)
        picture.time_base = info.time_base
        self._mux(picture)

    def close(self) -> None:
        """Encode what the encoder still holds, and finish the file."""
        try:
            self._mux(None)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close without finishing: what is in the file is not to be used."""
        try:
            self._container.close()
        except (av.FFmpegError, OSError) as error:
            raise self._cannot_write(error) from error

    def _mux(self, picture: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(picture):
                self.bytes += packet.size
                self._container.mux(packet)
        except (av.FFmpegError, OSError) as error:
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: Exception) -> OutputError:
        reason = getattr(error, "strerror", None) or error
        return OutputError(f"cannot write {self._where}: {reason}")

    def _add_stream(self, options: EncoderOptions) -> VideoStream:
        codec, info = CODECS[options.codec], self._info
        own = {**codec.own, **codec.hdr(info)}
        if codec.encoder == "libx265" and info.width < X265_NARROW:
            own["cutree"] = "0"
        settings = {**codec.options, "crf": str(options.quality)}
        if own:
            settings[codec.parameters] = ":".join(f"{key}={value}" for key, value in own.items())
        # NUT has no such flag of its own, so say that headers belong beside the stream.
        settings["flags"] = "+global_header"
        stream: Any = self._container.add_stream(
            codec.encoder, rate=info.rate or Fraction(25), options=settings
        )
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = info.width, info.height, self._format
        context.time_base = info.time_base
        context.sample_aspect_ratio = info.sar
        context.colorspace = info.color.matrix
        context.color_primaries = info.color.primaries
        context.color_trc = info.color.transfer
        context.color_range = info.color.range.value
        stream.time_base = info.time_base
        found: VideoStream = stream
        return found


def check_format(info: VideoInfo, options: EncoderOptions) -> str:
    """FFmpeg's pixel format for these frames. Raises ``UsageError`` where the codec has none."""
    layout = info.layout if info.layout != "gray" else "yuv420p"
    wanted = layout + ("10le" if info.bits == 10 else "")
    known = av.Codec(CODECS[options.codec].encoder, "w").video_formats or []
    if wanted not in {fmt.name for fmt in known}:
        raise UsageError(f"{options.codec} cannot hold {wanted} pictures; h264 and hevc can")
    down, across = SUBSAMPLED[layout]
    if info.width % across or info.height % down:
        sampling, sides = ("4:2:0", "even sides") if down == 2 else ("4:2:2", "an even width")
        raise UsageError(
            f"the result would be {info.width}x{info.height}, and {sampling} video needs {sides}; "
            "an even scale gives them"
        )
    return wanted


def to_picture(frame: Frame, fmt: str) -> av.VideoFrame:
    """PyAV's frame of that pixel format; grey gets neutral chroma."""
    picture = av.VideoFrame(frame.width, frame.height, fmt)
    neutral = 1 << (frame.bits - 1)
    for index, plane in enumerate(picture.planes):
        samples: Any = np.frombuffer(memoryview(plane), frame.luma.dtype)
        rows = samples.reshape(plane.height, plane.line_size // frame.luma.itemsize)
        rows[:, : plane.width] = frame.planes[index] if index < len(frame.planes) else neutral
    picture.color_range = frame.color.range.value if frame.color.range is not Range.UNKNOWN else 0
    return picture
