"""R'G'B' samples: of a frame, for people to look at, and of a picture that was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vidlift.color import MATRIX_WEIGHTS, Range, Siting, matrix_for_display
from vidlift.frame import Frame, Plane

if TYPE_CHECKING:
    from PIL import Image


def to_rgb(frame: Frame, *, source_height: int, siting: Siting = Siting.LEFT) -> NDArray[np.uint8]:
    """``uint8 [H, W, 3]`` by the frame's tags; the transfer curve stays as it is.

    ``source_height`` decides the matrix where no tag does. Chroma is interpolated linearly from
    where it is sited.
    """
    levels = (1 << frame.bits) - 1
    step = 1 << (frame.bits - 8)
    y = frame.luma.astype(np.float32)
    if frame.color.range is Range.FULL:
        black, white, reach = 0.0, float(levels), float(levels)
    else:
        black, white, reach = 16.0 * step, 219.0 * step, 224.0 * step
    y = (y - black) / white
    if len(frame.planes) == 1:
        u = v = np.zeros_like(y)
    else:
        neutral = 128.0 * step
        u, v = ((_spread(p, frame, siting) - neutral) / reach for p in frame.planes[1:])
    red, blue = MATRIX_WEIGHTS[matrix_for_display(frame.color, height=source_height)]
    r = y + 2 * (1 - red) * v
    b = y + 2 * (1 - blue) * u
    g = (y - red * r - blue * b) / (1 - red - blue)
    rgb: NDArray[np.uint8] = (
        np.rint(np.stack([r, g, b], axis=-1) * 255).clip(0, 255).astype(np.uint8)
    )
    return rgb


def rgb_of(image: Image.Image) -> Image.Image:
    """A picture in 8-bit R'G'B'. Raises ``ValueError`` for one of floats, whose white is not known.

    Grey of 16 bits loses its lower eight: Pillow would cut off what is above 255, nearly all of it.
    """
    from PIL import Image

    if image.mode == "F":
        raise ValueError("it is in floating point, of which nobody says what is white")
    if image.mode.startswith("I"):
        codes = np.asarray(image).astype(np.int64)
        image = Image.fromarray((codes >> 8).clip(0, 255).astype(np.uint8))
    return image.convert("RGB")


def _spread(plane: Plane, frame: Frame, siting: Siting) -> NDArray[np.float32]:
    """A chroma plane at the size of the luma."""
    height, width = frame.luma.shape
    across = _positions(width, plane.shape[1], cosited=siting is not Siting.CENTER)
    down = _positions(height, plane.shape[0], cosited=siting is Siting.TOPLEFT)
    full: NDArray[np.float32] = _linear(_linear(plane.astype(np.float32), down).T, across).T
    return full


def _positions(luma: int, chroma: int, *, cosited: bool) -> NDArray[np.float32]:
    """Where each luma sample lies among the chroma samples of one axis."""
    at: NDArray[np.float32] = np.arange(luma, dtype=np.float32)
    if chroma != luma:
        at = at / np.float32(2) if cosited else (at - np.float32(0.5)) / np.float32(2)
    return at


def _linear(rows: NDArray[np.float32], at: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows interpolated at fractional places; the first and the last go on beyond the edges."""
    at = at.clip(0, len(rows) - 1)
    low = np.floor(at).astype(np.intp)
    high = np.minimum(low + 1, len(rows) - 1)
    share = (at - low)[:, None].astype(np.float32)
    between: NDArray[np.float32] = rows[low] * (1 - share) + rows[high] * share
    return between
