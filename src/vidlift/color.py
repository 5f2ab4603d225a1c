"""Colour tags: what the code values of a picture mean.

Numbers are those of H.273, which FFmpeg and every modern container use as well. Vidlift does
not convert colours on the way from decoder to encoder; it carries the tags and looks at them
only where samples sit (chroma siting) and where a picture is made for a screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

UNSPECIFIED = 2
"""The code point for "not said" in matrix, primaries and transfer alike."""


class Range(Enum):
    """Whether black is 16 (studio, limited) or 0 (full), in 8-bit terms."""

    UNKNOWN = 0
    STUDIO = 1
    FULL = 2


class Siting(Enum):
    """Where a chroma sample of 4:2:0 lies among the four luma samples it serves."""

    LEFT = "left"
    """Between two rows, in line with the left column: MPEG-2, H.264, HEVC unless they say else."""

    CENTER = "center"
    """In the middle of the four: JPEG, MPEG-1. Also the siting of planes not sub-sampled."""

    TOPLEFT = "topleft"
    """On the upper left luma sample: BT.2020 discs and HDR10."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorTags:
    """Tags of one stream or frame; the defaults say "unspecified"."""

    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    range: Range = Range.UNKNOWN


MATRIX_WEIGHTS = {
    1: (0.2126, 0.0722),  # BT.709
    5: (0.299, 0.114),  # BT.601, 625 lines
    6: (0.299, 0.114),  # BT.601, 525 lines
    9: (0.2627, 0.0593),  # BT.2020, non-constant luminance
}
"""Red and blue weights of luma, by matrix code point."""


def matrix_for_display(tags: ColorTags, *, height: int) -> int:
    """The matrix to show a picture with: the tag, or by height as players do where it is missing.

    ``height`` is that of the *source* picture: super-resolution does not change its colours.
    """
    if tags.matrix in MATRIX_WEIGHTS:
        return tags.matrix
    return 1 if height > 576 else 6
