"""How far two pictures are from each other."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Measure(Protocol):
    """The form that all of them have: two planes of one shape in, one number out."""

    def __call__(
        self, a: NDArray[Any], b: NDArray[Any], *, peak: float = 255.0, border: int = 0
    ) -> float: ...


CEILING = 100.0
"""dB that equal planes count as where a mean is taken, so that it stays a number."""


def psnr(a: NDArray[Any], b: NDArray[Any], *, peak: float = 255.0, border: int = 0) -> float:
    """Peak signal-to-noise ratio of two planes in dB, infinite where they are equal.

    ``peak`` is the largest code value (1023 for 10 bits), ``border`` the samples cut off each side.
    """
    if a.shape != b.shape:
        raise ValueError(f"planes of one shape are compared, got {a.shape} and {b.shape}")
    inner = tuple(slice(border, side - border) for side in a.shape)
    if not a[inner].size:
        raise ValueError(f"of {a.shape} nothing is left inside the border of {border}")
    difference = a[inner].astype(np.float32) - b[inner].astype(np.float32)
    error = float(np.mean(np.square(difference), dtype=np.float64))
    return math.inf if error == 0 else 10 * math.log10(peak * peak / error)


SSIM_LEAST = 11
"""Samples each way that SSIM needs inside the border: the width of its window."""


def ssim(a: NDArray[Any], b: NDArray[Any], *, peak: float = 255.0, border: int = 0) -> float:
    """Structural similarity of two planes, 1 where they are equal (Wang et al., 2004).

    Gaussian window of 11 samples, sigma 1.5; only windows that lie whole inside the picture, less
    ``border`` samples each side, are counted.
    """
    if a.shape != b.shape:
        raise ValueError(f"planes of one shape are compared, got {a.shape} and {b.shape}")
    inner = tuple(slice(border, side - border) for side in a.shape)
    x, y = a[inner].astype(np.float64), b[inner].astype(np.float64)
    if min(x.shape) < SSIM_LEAST:
        raise ValueError(f"SSIM needs {SSIM_LEAST} samples each way inside the border")
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x * mean_x
    variance_y = _blur(y * y) - mean_y * mean_y
    covariance = _blur(x * y) - mean_x * mean_y
    steady_mean, steady_variance = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    likeness = (2 * mean_x * mean_y + steady_mean) * (2 * covariance + steady_variance)
    likeness /= (mean_x**2 + mean_y**2 + steady_mean) * (variance_x + variance_y + steady_variance)
    return float(likeness.mean())


_WINDOW = np.exp(-((np.arange(SSIM_LEAST) - 5.0) ** 2) / (2 * 1.5**2))
_WINDOW /= _WINDOW.sum()


def _blur(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Gaussian window over a plane, 10 samples smaller each way."""
    height, width = (side - len(_WINDOW) + 1 for side in plane.shape)
    down = sum(weight * plane[i : i + height] for i, weight in enumerate(_WINDOW))
    return np.asarray(sum(weight * down[:, i : i + width] for i, weight in enumerate(_WINDOW)))
