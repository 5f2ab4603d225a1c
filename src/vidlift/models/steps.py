"""The first layer of networks in 8 bits: weights that are whole numbers of steps.

That layer looks at code values, for which weights of 8 bits are too coarse. ``COPIES`` of them that
add up are fine enough, and what is given to a convolution ``COPIES`` times over is added up by it:
who computes faster in 8 bits does so, to the same sums, and all others need not know.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FIRST = "head"
"""Name of what the first layer gives."""

COPIES = 4
"""Channels that products of 8 bits are added up over in one instruction anyway."""

MOST = COPIES * 127
"""Steps of the largest weight of a channel, either way."""

_ALMOST = 1e-3
"""Of a step: what float32 loses of it."""


def in_whole_steps(weights: NDArray[Any]) -> NDArray[np.float32]:
    """Weights ``[n, channels, h, w]``, each the nearest whole number of its channel's steps."""
    counts, step = _counted(weights)
    return np.asarray(counts * step, np.float32)


def in_copies(weights: NDArray[Any]) -> tuple[NDArray[np.int8], NDArray[np.float32]] | None:
    """``COPIES`` weights of 8 bits for each, ``[n, COPIES * channels, h, w]``, which add up to its
    steps, and the steps' sizes ``[n, 1, 1, 1]``; None where not all are whole numbers of steps.
    """
    counts, step = _counted(weights)
    if np.abs(weights - counts * step).max(initial=0) > _ALMOST * step.max(initial=0):
        return None
    copies, left = [], counts
    for parts in range(COPIES, 0, -1):
        copies.append(np.rint(left / parts))
        left = left - copies[-1]
    return np.concatenate(copies, axis=1).astype(np.int8), step


def _counted(weights: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The number of steps that each weight is nearest to, and the step of each channel."""
    exact = np.asarray(weights, np.float32)
    largest = np.abs(exact).max(axis=(1, 2, 3), keepdims=True)
    step = np.divide(largest + (largest == 0), MOST, dtype=np.float32)
    return np.rint(exact / step), step
