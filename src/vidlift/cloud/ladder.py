"""The rungs of a title: which sizes, and a frame brought down to one of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidlift.color import UNSPECIFIED, ColorTags, Range, Siting, matrix_for_display
from vidlift.errors import UsageError
from vidlift.frame import Frame, Plane
from vidlift.video import VideoInfo

LADDER = (180, 270, 360, 540)
"""The default rungs, by the shorter side of the picture."""

SHORTEST = 32
"""The shorter side of a rung at least, in samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One size that a title is published in."""

    width: int
    height: int
    """Both even: 4:2:0."""

    asked: int | None = None
    """The shorter side before it was made even, where it was asked for."""

    @property
    def length(self) -> int:
        """The shorter side as it was asked for: rates and names go by it."""
        return min(self.width, self.height) if self.asked is None else self.asked

    @property
    def name(self) -> str:
        """As people call it: ``270p``, by the shorter side."""
        return f"{self.length}p"

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height


def rungs(info: VideoInfo, lengths: Iterable[int]) -> tuple[Rung, ...]:
    """The rungs of these shorter sides that lie below a video's own size, smallest first.

    Of those that are one when made even there is the smallest. Where none lies below, one of
    about the video's own size. Raises ``UsageError``.
    """
    wanted = sorted(set(lengths))
    if not wanted or wanted[0] < SHORTEST:
        raise UsageError(f"a rung is at least {SHORTEST} samples high, got {wanted or 'none'}")
    short = min(info.width, info.height)
    lower = [length for length in wanted if length < short] or [short]
    return tuple(_rung(info, length) for length in dict.fromkeys(made_even(lower).values()))


def made_even(lengths: Iterable[int]) -> dict[int, int]:
    """By shorter side the one whose rung it is: the smallest of those that are one when even."""
    ordered = sorted(lengths)
    first = {_even(Fraction(length)): length for length in reversed(ordered)}
    return {length: first[_even(Fraction(length))] for length in ordered}


def _rung(info: VideoInfo, length: int) -> Rung:
    scale = Fraction(length, min(info.width, info.height))
    width, height = _even(info.width * scale), _even(info.height * scale)
    return Rung(width=width, height=height, asked=length)


def _even(side: Fraction) -> int:
    return max(2, 2 * round(side / 2))


def brought_down(info: VideoInfo, rung: Rung) -> VideoInfo:
    """What is known of a video once each frame went through ``shrink``.

    Its colours are spelt out: what players guess from the size of a picture would be another
    guess for the small one.
    """
    shape = Fraction(info.width, rung.width) / Fraction(info.height, rung.height)
    matrix = info.display_matrix
    if matrix is not None:
        across, down = Fraction(rung.width, info.width), Fraction(rung.height, info.height)
        matrix = (*matrix[:6], round(matrix[6] * across), round(matrix[7] * down), matrix[8])
    return replace(
        info,
        width=rung.width,
        height=rung.height,
        layout="yuv420p",
        sar=(info.sar * shape).limit_denominator(1000),
        siting=Siting.LEFT,
        display_matrix=matrix,
        color=spelt_out(info),
    )


def spelt_out(info: VideoInfo) -> ColorTags:
    """The tags of a video with those it leaves out as players take them from its height."""
    matrix = matrix_for_display(info.color, height=info.height)
    tags = info.color
    return ColorTags(
        matrix=matrix,
        primaries=matrix if tags.primaries == UNSPECIFIED else tags.primaries,
        transfer=1 if tags.transfer == UNSPECIFIED else tags.transfer,
        range=Range.STUDIO if tags.range is Range.UNKNOWN else tags.range,
    )


def shrink(frame: Frame, rung: Rung, *, siting: Siting, bits: int, color: ColorTags) -> Frame:
    """A frame at the size of a rung: antialiased bicubic, 4:2:0 with chroma sited left.

    Luma is what networks are trained to undo (``resample.resize``), to within rounding. Chroma
    lands where a player expects it, whatever its layout and ``siting`` were. ``bits`` may be
    fewer than the frame's; ``color`` are the tags of ``brought_down``.
    """
    luma = _resized(frame.luma, rung.size, (0.0, 0.0, frame.width, frame.height))
    planes = [luma]
    size = rung.width // 2, rung.height // 2
    for plane in frame.planes[1:]:
        planes.append(_resized(plane, size, _chroma_box(frame, plane, rung, siting)))
    depth = 2.0 ** (bits - frame.bits)
    codes = tuple(_rounded(plane, depth, bits) for plane in planes)
    if len(codes) == 1:
        neutral = np.full(size[::-1], 1 << (bits - 1), codes[0].dtype)
        codes = (codes[0], neutral, neutral)
    return replace(frame, planes=codes, bits=bits, color=color)


def _chroma_box(
    frame: Frame, plane: Plane, rung: Rung, siting: Siting
) -> tuple[float, float, float, float]:
    """The part of a chroma plane, in its samples, that the rung's chroma is to cover.

    Sited left, sample i of the new plane stands over column 2i of the new luma, half a sample
    left of the middle of the two it serves; rows stand in the middle.
    """
    wide, high = frame.width / rung.width, frame.height / rung.height
    left, top = 0.5 * -wide, 0.0  # of the box, in samples of the old luma
    across, down = frame.width / plane.shape[1], frame.height / plane.shape[0]
    if across > 1 and siting is not Siting.CENTER:
        left += 0.5  # the old chroma stood left as well
    if down > 1 and siting is Siting.TOPLEFT:
        top += 0.5
    x, y = left / across, top / down
    return x, y, x + rung.width * wide / across, y + rung.height * high / down


def _resized(
    plane: Plane, size: tuple[int, int], box: tuple[float, float, float, float]
) -> NDArray[np.float32]:
    """Bicubic, antialiased; the box may reach beyond the plane, whose edges go on."""
    x0, y0, x1, y1 = box
    margin = 4 + ceil(max(-x0, -y0, 0))
    padded = np.pad(plane.astype(np.float32), margin, mode="edge")
    moved = (x0 + margin, y0 + margin, x1 + margin, y1 + margin)
    picture = Image.fromarray(padded)
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC, box=moved))


def _rounded(values: NDArray[np.float32], depth: float, bits: int) -> Plane:
    peak = (1 << bits) - 1
    kind = np.uint8 if bits == 8 else np.uint16
    codes: Plane = np.clip(np.rint(values * depth), 0, peak).astype(kind)
    return codes
