"""What happens to a picture on its way: shrunk, then through a codec, as streams are.

A network that is to work on real streams must have seen what codecs leave behind. Sequences of
low-resolution luma go through a real encoder at random quality, preset and group length, and
are decoded again.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from vidlift.errors import UsageError
from vidlift.sinks.threads import ordinary_threads
from vidlift.sources import decode

Planes = list[NDArray[np.uint8]]
"""Luma of successive frames, all of one shape [H, W]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One row of ``CODECS``: an encoder and the range that its settings are drawn from."""

    encoder: str
    """FFmpeg's name."""

    crf: tuple[int, int]
    """Least and greatest, drawn evenly: from visually lossless to what mobile streams get."""

    presets: tuple[dict[str, str], ...]

    smallest: int = 16
    """Shorter side of a picture that it takes, in samples; what is smaller goes through H.264."""


CODECS = {
    "h264": Codec(
        encoder="libx264",
        crf=(16, 37),
        presets=tuple({"preset": p} for p in ("veryfast", "fast", "medium")),
    ),
    "hevc": Codec(
        encoder="libx265",
        crf=(18, 38),
        presets=tuple(
            {"preset": p, "x265-params": "log-level=error:pools=1"} for p in ("veryfast", "fast")
        ),
        smallest=64,
    ),
    "vp9": Codec(
        encoder="libvpx-vp9",
        crf=(18, 45),
        presets=tuple({"b": "0", "deadline": "good", "cpu-used": n} for n in ("3", "5")),
    ),
    "av1": Codec(
        encoder="libsvtav1",
        crf=(20, 50),
        presets=tuple({"preset": n, "svtav1-params": "lp=1"} for n in ("8", "10")),
        smallest=64,
    ),
}
"""Codecs that a sequence may go through, by name."""

GOPS = (12, 48, 120)
"""Group lengths in frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """What sequences go through: each one of these, by its share."""

    clean: float = 0.2
    """Share of sequences that go through no codec."""

    codecs: tuple[tuple[str, float], ...] = (
        ("h264", 0.5),
        ("hevc", 0.15),
        ("vp9", 0.05),
        ("av1", 0.1),
    )
    """Name and share of the others; all shares add up to 1."""

    def __post_init__(self) -> None:
        if unknown := [name for name, _ in self.codecs if name not in CODECS]:
            raise UsageError(f"no codec named {', '.join(unknown)}; there are {', '.join(CODECS)}")
        total = self.clean + sum(share for _, share in self.codecs)
        right = all(0 <= share <= 1 for share in (self.clean, *(s for _, s in self.codecs)))
        if not right or not abs(total - 1) <= 1e-6:  # a share that is no number is not right
            raise UsageError(f"the shares of a degradation add up to 1, got {total:g}")

    @property
    def shares(self) -> dict[str, float]:
        """Of each codec, and of ``clean``."""
        return {"clean": self.clean, **dict(self.codecs)}

    def __call__(self, low: Planes, rng: np.random.Generator) -> tuple[Planes, str]:
        """The sequence as it arrives, and in a word what it went through."""
        names = ["clean", *(name for name, _ in self.codecs)]
        shares = np.array([self.clean, *(share for _, share in self.codecs)])
        name = names[int(rng.choice(len(names), p=shares / shares.sum()))]
        if name == "clean":
            return low, name
        if min(low[0].shape) < CODECS[name].smallest:
            name = "h264"
        codec = CODECS[name]
        crf = int(rng.integers(codec.crf[0], codec.crf[1] + 1))
        options = {
            **codec.presets[int(rng.integers(len(codec.presets)))],
            "crf": str(crf),
            "g": str(GOPS[int(rng.integers(len(GOPS)))]),
        }
        return through_codec(low, codec.encoder, options), f"{name}-{crf}"


def parse(shares: str) -> Degradation:
    """A degradation by its shares, as in ``clean=0.2,h264=0.8``. Raises ``UsageError``."""
    found = {}
    for part in shares.split(","):
        name, _, share = part.strip().partition("=")
        try:
            found[name] = float(share)
        except ValueError:
            raise UsageError(f"{part.strip()!r} is no share; write one as h264=0.5") from None
    clean = found.pop("clean", 0.0)
    return Degradation(clean=clean, codecs=tuple(found.items()))


def through_codec(
    low: Sequence[NDArray[np.uint8]], encoder: str, options: dict[str, str]
) -> Planes:
    """Encode and decode luma, with neutral chroma beside it; one frame out for one in.

    Sides that are odd are padded for the encoder and cut again.
    """
    return transmit(low, encoder, options).planes


class Arrived(NamedTuple):
    """What came through a codec."""

    planes: Planes
    size: int
    """Bytes that all pictures took."""

    quantizer: float | None
    """As ``VideoInfo.quantizer`` has it."""


def transmit(low: Sequence[NDArray[np.uint8]], encoder: str, options: dict[str, str]) -> Arrived:
    """The same, and what is known of the stream."""
    os.environ.setdefault("SVT_LOG", "1")  # its errors only
    height, width = low[0].shape
    packets = io.BytesIO()
    size = 0
    with av.open(packets, "w", format="matroska") as out:
        stream: Any = out.add_stream(encoder, rate=25, options=options)
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        with ordinary_threads():
            out.start_encoding()
        for index, plane in enumerate([*low, None]):
            picture = None if plane is None else _picture(plane)
            if picture is not None:
                picture.pts, picture.time_base = index, Fraction(1, 25)
            for packet in stream.encode(picture):
                size += packet.size
                out.mux(packet)
    packets.seek(0)
    quantizer = None
    made: Planes = []
    with av.open(packets, "r") as entry:
        entry.streams.video[0].codec_context.options = decode.EXPORTED
        for picture in entry.decode(video=0):
            quantizer = quantizer if made else decode.quantizer(picture)
            made.append(_luma(picture)[:height, :width])
    assert len(made) == len(low), f"{encoder}: {len(low)} frames in, {len(made)} out"
    return Arrived(made, size, quantizer)


def _picture(plane: NDArray[np.uint8]) -> av.VideoFrame:
    height, width = plane.shape
    padded = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    picture = av.VideoFrame(padded.shape[1], padded.shape[0], "yuv420p")
    grey = np.uint8(128)
    for target, values in zip(picture.planes, (padded, grey, grey), strict=True):
        samples: Any = np.frombuffer(memoryview(target), np.uint8)
        rows = samples.reshape(target.height, target.line_size)
        rows[:, : target.width] = values
    picture.color_range = 1  # studio, so that nothing on the way scales it
    return picture


def _luma(picture: av.VideoFrame) -> NDArray[np.uint8]:
    plane = picture.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width].copy()
