"""The one type that flows through a pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vidlift.color import ColorTags

Plane: TypeAlias = NDArray[Any]
"""One plane of code values, ``uint8`` (8 bit) or ``uint16`` (more), shape [H, W]."""

SUBSAMPLED = {"yuv420p": (2, 2), "yuv422p": (1, 2), "yuv444p": (1, 1)}
"""How many times smaller chroma is than luma, down and across, by layout."""


def chroma_shape(luma: tuple[int, ...], layout: str) -> tuple[int, int]:
    """Height and width of a chroma plane beside a luma plane [H, W]; odd sides round up."""
    down, across = SUBSAMPLED[layout]
    return -(-luma[0] // down), -(-luma[1] // across)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One decoded picture: planes, depth, colour, exact time. Treat the planes as read-only."""

    planes: tuple[Plane, ...]
    """Y alone, or Y, U, V. Chroma may be smaller by half, each way or across only."""

    pts: Fraction
    """When it is shown, in seconds, exact; strictly increasing within a run."""

    duration: Fraction
    """How long it is shown, in seconds; 0 where nobody knows."""

    bits: int = 8
    """Depth of a sample: 8 or 10."""

    sar: Fraction = Fraction(1)
    """Sample aspect ratio: width over height of one sample as shown."""

    color: ColorTags = field(default_factory=ColorTags)

    def __post_init__(self) -> None:
        if len(self.planes) not in (1, 3):
            raise ValueError(f"a frame has 1 plane (grey) or 3 (Y, U, V), got {len(self.planes)}")
        if self.bits not in (8, 10):
            raise ValueError(f"a frame has 8 or 10 bits a sample, got {self.bits}")
        kind = np.uint8 if self.bits == 8 else np.uint16
        for plane in self.planes:
            if plane.ndim != 2 or plane.dtype != kind:
                raise ValueError(
                    f"a plane of {self.bits} bits is {kind.__name__} [H, W], "
                    f"got {plane.dtype} {list(plane.shape)}"
                )
        shapes = {plane.shape for plane in self.planes[1:]}
        if shapes and shapes != {chroma_shape(self.luma.shape, self.layout)}:
            raise ValueError(
                "chroma planes are alike, and as large as luma or half as large, got "
                f"{[list(plane.shape) for plane in self.planes]}"
            )

    @property
    def height(self) -> int:
        return int(self.planes[0].shape[0])

    @property
    def width(self) -> int:
        return int(self.planes[0].shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the luma, in samples."""
        return self.width, self.height

    @property
    def luma(self) -> Plane:
        return self.planes[0]

    @property
    def layout(self) -> str:
        """Sub-sampling in FFmpeg's words: ``gray``, ``yuv420p``, ``yuv422p`` or ``yuv444p``."""
        if len(self.planes) == 1:
            return "gray"
        height, width = self.planes[1].shape
        across, down = self.width > width, self.height > height
        return "yuv420p" if across and down else "yuv422p" if across else "yuv444p"

    @property
    def form(self) -> tuple[tuple[int, int], str, int]:
        """Size, layout and depth: what two frames have in common that go through a network at
        once."""
        return self.size, self.layout, self.bits

    def __repr__(self) -> str:
        return (
            f"Frame({self.width}x{self.height} {self.layout} {self.bits} bit, "
            f"pts={self.pts}, duration={self.duration})"
        )
