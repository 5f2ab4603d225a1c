"""Bicubic resampling, as the super-resolution literature defines it.

``resize`` is the antialiased separable resampler behind published figures (MATLAB's
``imresize``): cubic kernel of Keys with a = -0.5, stretched when shrinking, borders mirrored
about the half sample, weights normalised per output sample. It makes the low-resolution
pictures that networks are trained and measured on, and the down-scaled picture that
``vidlift verify`` compares. Kernels for *up*-scaling in real time are models
(``models/bicubic-*``), not this file.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vidlift.frame import Plane


def cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel, a = -0.5 (R. Keys, 1981)."""
    t = np.abs(distance)
    near = (1.5 * t - 2.5) * t * t + 1
    far = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return np.where(t <= 1, near, np.where(t <= 2, far, 0.0))


@lru_cache(maxsize=32)
def matrix(n_in: int, n_out: int) -> NDArray[np.float64]:
    """The resampler along one axis as a matrix [n_out, n_in]; rows sum to 1."""
    scale = n_out / n_in
    stretch = min(scale, 1.0)
    reach = int(np.ceil(4 / stretch)) + 2
    centre = (np.arange(n_out) + 0.5) / scale - 0.5
    first = np.floor(centre - 2 / stretch).astype(np.int64)
    index = first[:, None] + np.arange(reach)[None, :]
    weight = cubic(stretch * (centre[:, None] - index))
    weight /= weight.sum(axis=1, keepdims=True)
    mirrored = np.mod(index, 2 * n_in)
    mirrored = np.where(mirrored < n_in, mirrored, 2 * n_in - 1 - mirrored)
    out = np.zeros((n_out, n_in))
    np.add.at(out, (np.arange(n_out)[:, None], mirrored), weight)
    out.flags.writeable = False
    return out


def resize(plane: Plane, size: tuple[int, int], *, bits: int = 8) -> Plane:
    """Resample a plane to ``size`` (width, height); integer in, integer out.

    Rows first, rounded and clipped after each of the two passes, as the published
    low-resolution pictures are.
    """
    width, height = size
    peak = (1 << bits) - 1
    down = _round(matrix(plane.shape[0], height) @ plane.astype(np.float64), peak)
    across = _round(down @ matrix(plane.shape[1], width).T, peak)
    return across.astype(plane.dtype)


def _round(values: NDArray[np.float64], peak: int) -> NDArray[np.float64]:
    return np.floor(np.clip(values, 0, peak) + 0.5)


def quick_resize(plane: Plane, size: tuple[int, int]) -> Plane:
    """``resize`` to within a code value or two, many times faster, for comparing large pictures.

    Pillow's bicubic is the same kernel; it rounds once at the end and cuts the kernel off at
    borders where ``resize`` mirrors the picture. ``uint16`` is 10 bits, as in a ``Frame``.
    """
    from PIL import Image

    picture = Image.fromarray(plane.astype(np.float32))
    resized = np.asarray(picture.resize(size, Image.Resampling.BICUBIC))
    peak = 255 if plane.dtype == np.uint8 else 1023
    rounded: Plane = np.clip(np.rint(resized), 0, peak).astype(plane.dtype)
    return rounded
