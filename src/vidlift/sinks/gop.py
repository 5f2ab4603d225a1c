"""Encode one closed group of pictures: packets that need nothing from outside the group.

Each group has an encoder of its own, so groups can be made one by one, on different days, and
still follow one another without a seam.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

from vidlift.errors import OutputError, UsageError
from vidlift.frame import Frame
from vidlift.sinks.file import CODECS, X265_NARROW, to_picture
from vidlift.sinks.threads import ordinary_threads
from vidlift.video import VideoInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class GopCodec:
    """One row of ``GOP_CODECS``: an encoder, told to begin a group with its first picture only."""

    encoder: str
    """FFmpeg's name."""

    default_crf: int
    max_crf: int
    bits: tuple[int, ...]
    """Depths that players of this codec can be expected to show."""

    options: dict[str, str]
    reordered: int
    """Pictures that are decoded before one that is shown before them, at most."""

    stored: Callable[[bytes], bytes] = bytes
    """From a packet as the encoder gives it to one as an MP4 file holds it."""


_START_CODE = re.compile(rb"\x00\x00\x00?\x01")


def _with_lengths(packet: bytes) -> bytes:
    """H.264 and HEVC: the length of each unit in place of the start code before it."""
    units = (unit.rstrip(b"\0") for unit in _START_CODE.split(packet))
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units if unit)


def _without_delimiter(packet: bytes) -> bytes:
    """AV1: the mark that begins a picture in a stream has no place in a file."""
    return packet.removeprefix(b"\x12\0")


GOP_CODECS = {
    "h264": GopCodec(
        encoder="libx264",
        default_crf=23,
        max_crf=51,
        bits=(8,),
        options={
            "preset": "medium",
            "x264-params": "open-gop=0:keyint=infinite:scenecut=0",
        },
        reordered=2,
        stored=_with_lengths,
    ),
    "hevc": GopCodec(
        encoder="libx265",
        default_crf=25,
        max_crf=51,
        bits=(8, 10),
        options={
            "preset": "medium",
            "x265-params": "open-gop=0:keyint=-1:scenecut=0:log-level=error:repeat-headers=0",
        },
        reordered=2,
        stored=_with_lengths,
    ),
    "av1": GopCodec(
        encoder="libsvtav1",
        default_crf=35,
        max_crf=63,
        bits=(8, 10),
        options={"preset": "8", "g": "9999"},
        reordered=0,
        stored=_without_delimiter,
    ),
    "vp9": GopCodec(
        encoder="libvpx-vp9",
        default_crf=33,
        max_crf=63,
        bits=(8,),
        options={"b": "0", "g": "9999", "deadline": "good", "cpu-used": "3", "row-mt": "1"},
        reordered=0,
    ),
}
"""Codecs of a ladder by the name a user gives."""


TICKS_MIN = 10_000
"""Ticks a second of a track at least: finer than any frame is short."""


def _ticks(time_base: Fraction) -> int:
    """Ticks a second in which every time is whole."""
    return time_base.denominator * -(-TICKS_MIN // time_base.denominator)


@dataclass(frozen=True, slots=True, kw_only=True)
class GopOptions:
    """How groups are encoded: at a constant quality, or at a rate."""

    codec: str = "h264"
    crf: int | None = None
    """Lower is better; None: the codec's default."""

    kbps: int | None = None
    """Thousand bits a second on average, instead of a quality."""

    def __post_init__(self) -> None:
        if self.codec not in GOP_CODECS:
            raise UsageError(f"no codec named {self.codec!r}; there are {', '.join(GOP_CODECS)}")
        highest = GOP_CODECS[self.codec].max_crf
        if self.crf is not None and self.kbps is not None:
            raise UsageError("a quality (--crf) and a rate (--bitrate) do not go together")
        if self.crf is not None and not 0 <= self.crf <= highest:
            raise UsageError(f"crf of {self.codec} is 0 to {highest}, got {self.crf}")
        if self.kbps is not None and not 10 <= self.kbps <= 100_000:
            raise UsageError(f"a bitrate is 10 to 100000 kbit/s, got {self.kbps}")

    @property
    def quality(self) -> int:
        return GOP_CODECS[self.codec].default_crf if self.crf is None else self.crf


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One coded picture."""

    data: bytes
    pts: Fraction
    """When it is shown, in seconds, exact."""

    key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gop:
    header: bytes
    """An MP4 file without samples: what a decoder is set up with."""

    packets: tuple[Packet, ...]
    """In order of decoding."""


class GopEncoder:
    """Takes the frames of one group, in order; they match ``info``."""

    def __init__(self, info: VideoInfo, options: GopOptions) -> None:
        """Raises ``UsageError`` for a picture that the codec cannot hold."""
        self._info = info
        codec = GOP_CODECS[options.codec]
        if info.bits not in codec.bits or info.layout != "yuv420p":
            raise UsageError(f"{options.codec} groups hold no {info.layout} of {info.bits} bits")
        self._format = "yuv420p" if info.bits == 8 else "yuv420p10le"
        settings = {**codec.options, "flags": "+global_header", **_own(info, options.codec)}
        if options.kbps is None:
            settings["crf"] = str(options.quality)
        else:
            settings["b"] = f"{options.kbps}k"
            if codec.encoder == "libx264":
                settings |= {"maxrate": f"{2 * options.kbps}k", "bufsize": f"{2 * options.kbps}k"}
        self._file = io.BytesIO()
        muxing = {
            "movflags": "empty_moov+default_base_moof+cmaf",
            "use_editlist": "0",
            "video_track_timescale": str(_ticks(info.time_base)),
        }
        self._container = av.open(self._file, "w", format="mp4", options=muxing)
        stream: Any = self._container.add_stream(
            codec.encoder, rate=info.rate or Fraction(25), options=settings
        )
        self._stream = stream
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = info.width, info.height, self._format
        context.time_base = stream.time_base = info.time_base
        context.sample_aspect_ratio = info.sar
        context.colorspace = info.color.matrix
        context.color_primaries = info.color.primaries
        context.color_trc = info.color.transfer
        context.color_range = info.color.range.value
        if options.codec == "hevc":
            context.codec_tag = "hvc1"  # what Apple's players ask for
        if info.display_matrix is not None:
            stream.set_display_matrix(info.display_matrix)
        self._packets: list[Packet] = []
        self._stored = codec.stored
        try:
            with ordinary_threads():
                self._container.start_encoding()
        except (av.FFmpegError, OSError) as error:
            self.abandon()
            raise OutputError(f"the {options.codec} encoder does not start: {error}") from error

    def write(self, frame: Frame) -> None:
        picture = to_picture(frame, self._format)
        picture.pts = int(frame.pts / self._info.time_base)
        picture.time_base = self._info.time_base
        self._take(picture)

    def finish(self) -> Gop:
        """The group, once its last frame was written. The encoder is gone afterwards."""
        self._take(None)
        self.abandon()
        return Gop(header=self._file.getvalue(), packets=tuple(self._packets))

    def abandon(self) -> None:
        """Let go of the encoder."""
        self._container.close()

    def _take(self, picture: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(picture):
            assert packet.pts is not None
            self._packets.append(
                Packet(
                    data=self._stored(bytes(packet)),
                    pts=packet.pts * packet.time_base,
                    key=packet.is_keyframe,
                )
            )


def _own(info: VideoInfo, codec: str) -> dict[str, str]:
    """The option that takes the encoder's own list, with what this video adds to it.

    Nothing for VP9, which has no words for HDR10 side data.
    """
    if codec not in CODECS:
        return {}
    name = CODECS[codec].parameters
    added = CODECS[codec].hdr(info)
    if codec == "hevc" and info.width < X265_NARROW:
        added["cutree"] = "0"
    words = [
        GOP_CODECS[codec].options.get(name),
        *(f"{key}={value}" for key, value in added.items()),
    ]
    return {name: ":".join(word for word in words if word)} if any(words) else {}
