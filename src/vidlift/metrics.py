"""How far two pictures are from each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def psnr(a: NDArray[Any], b: NDArray[Any], *, peak: float = 255.0, border: int = 0) -> float:
    """Peak signal-to-noise ratio of two planes in dB, infinite where they are equal.

    ``peak`` is the largest code value (1023 for 10 bits), ``border`` the samples cut off each side.
    """
    if a.shape != b.shape:
        raise ValueError(f"planes of one shape are compared, got {a.shape} and {b.shape}")
    inner = tuple(slice(border, side - border) for side in a.shape)
    difference = a[inner].astype(np.float32) - b[inner].astype(np.float32)
    error = float(np.mean(np.square(difference), dtype=np.float64))
    return math.inf if error == 0 else 10 * math.log10(peak * peak / error)
