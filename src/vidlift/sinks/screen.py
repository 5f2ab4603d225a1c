"""What a screen needs of a frame: 8 bits, 4:2:0, studio range, a shape and a way up."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from vidlift.color import Range
from vidlift.frame import Frame, Plane

Planes420 = tuple[Plane, Plane, Plane]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """How a picture is turned for display: mirrored first, then clockwise by quarters."""

    degrees: int = 0
    mirrored: bool = False

    @property
    def on_its_side(self) -> bool:
        return self.degrees in (90, 270)


def turn(display_matrix: tuple[int, ...] | None) -> Turn:
    """The quarter turn nearest to a display matrix (ISO 14496-12); no matrix, no turn."""
    if display_matrix is None:
        return Turn()
    a, b, _, c, d, *_ = display_matrix
    mirrored = a * d - b * c < 0
    # Mirroring left and right first changes the sign of the first row.
    x, y = (-a, -b) if mirrored else (a, b)
    return Turn(degrees=round(np.degrees(np.arctan2(y, x)) / 90) % 4 * 90, mirrored=mirrored)


def shown_size(size: tuple[int, int], *, sar: Fraction, turn: Turn) -> tuple[int, int]:
    """Width and height of a picture as it should appear, in square dots, none of them shrunk."""
    width, height = size
    if sar >= 1:
        width = round(width * sar)
    else:
        height = round(height / sar)
    return (height, width) if turn.on_its_side else (width, height)


def fit(shown: tuple[int, int], area: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest rectangle (x, y, width, height) of that shape, in the middle of ``area``."""
    scale = min(Fraction(area[0], shown[0]), Fraction(area[1], shown[1]))
    width, height = max(1, round(shown[0] * scale)), max(1, round(shown[1] * scale))
    return (area[0] - width) // 2, (area[1] - height) // 2, width, height


def planes_420(frame: Frame) -> Planes420:
    """Its planes as 8-bit 4:2:0 in studio range; its own memory where it is that already."""
    planes = tuple(_eight_bits(plane, frame.bits) for plane in frame.planes)
    if len(planes) == 1:
        height, width = planes[0].shape
        grey = np.full((-(-height // 2), -(-width // 2)), 128, np.uint8)
        planes = (planes[0], grey, grey)
    if frame.layout == "yuv444p":
        planes = (planes[0], *(_halved_across(plane) for plane in planes[1:]))
    if frame.layout in ("yuv422p", "yuv444p"):
        planes = (planes[0], *(_halved_across(plane.T).T for plane in planes[1:]))
    if frame.color.range is Range.FULL:
        planes = (_STUDIO_LUMA[planes[0]], *(_STUDIO_CHROMA[plane] for plane in planes[1:]))
    y, u, v = (np.ascontiguousarray(p) if p.strides[1] != 1 else p for p in planes)
    return y, u, v


def _eight_bits(plane: Plane, bits: int) -> Plane:
    """Rounded, not cut off: that would darken everything by almost half a level."""
    if bits == 8:
        return plane
    shift = bits - 8
    codes = plane + plane.dtype.type(1 << (shift - 1))
    codes >>= shift
    np.minimum(codes, 255, out=codes)
    rounded: Plane = codes.astype(np.uint8)
    return rounded


def _halved_across(plane: Plane) -> Plane:
    """Neighbours averaged; the last column of an odd width stands alone."""
    if plane.shape[1] % 2:
        plane = np.concatenate([plane, plane[:, -1:]], axis=1)
    left, right = plane[:, 0::2].astype(np.uint16), plane[:, 1::2]
    halved: Plane = ((left + right + 1) >> 1).astype(np.uint8)
    return halved


_CODES = np.arange(256) / 255
_STUDIO_LUMA = np.rint(16 + 219 * _CODES).astype(np.uint8)
_STUDIO_CHROMA = np.rint(128 + 224 * (_CODES - 128 / 255)).astype(np.uint8)
"""Full range to studio. SDL 2 knows full range for BT.601 only, and not with every renderer."""
