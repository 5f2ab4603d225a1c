"""Bits saved at equal quality (G. Bjøntegaard, VCEG-M33), over whole curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def bits_saved(
    plain_rates: Sequence[float],
    plain: Sequence[float],
    rates: Sequence[float],
    quality: Sequence[float],
) -> float | None:
    """Bjøntegaard's measure: per cent of bits saved over the qualities that both curves have.

    The logarithm of the rate is interpolated over the quality by a monotone cubic (PCHIP);
    negative where bits are lost. None where the curves do not overlap or hold one point.
    """
    if min(len(plain), len(quality)) < 2:
        return None
    low, high = max(min(plain), min(quality)), min(max(plain), max(quality))
    if high <= low:
        return None
    at = np.linspace(low, high, 1001)
    ours = _pchip(quality, np.log(rates), at)
    theirs = _pchip(plain, np.log(plain_rates), at)
    return float(100 * (1 - np.exp(np.mean(ours - theirs))))


def _pchip(
    x: Sequence[float], y: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Monotone piecewise cubic interpolation (Fritsch and Carlson, 1980)."""
    order = np.argsort(x)
    xs, ys = np.asarray(x, float)[order], np.asarray(y, float)[order]
    keep = np.concatenate([[True], np.diff(xs) > 0])
    xs, ys = xs[keep], ys[keep]
    h = np.diff(xs)
    slope = np.diff(ys) / h
    if len(xs) == 2:
        line: NDArray[np.float64] = ys[0] + slope[0] * (at - xs[0])
        return line
    d = np.zeros_like(ys)
    for i in range(1, len(xs) - 1):
        if slope[i - 1] * slope[i] > 0:
            a, b = 2 * h[i] + h[i - 1], h[i] + 2 * h[i - 1]
            d[i] = (a + b) / (a / slope[i - 1] + b / slope[i])
    d[0] = _end(h[0], h[1], slope[0], slope[1])
    d[-1] = _end(h[-1], h[-2], slope[-1], slope[-2])
    p = np.clip(np.searchsorted(xs, at) - 1, 0, len(h) - 1)
    t = (at - xs[p]) / h[p]
    found: NDArray[np.float64] = (
        ys[p] * (1 + 2 * t) * (1 - t) ** 2
        + d[p] * h[p] * t * (1 - t) ** 2
        + ys[p + 1] * t**2 * (3 - 2 * t)
        + d[p + 1] * h[p] * t**2 * (t - 1)
    )
    return found


def _end(h0: float, h1: float, s0: float, s1: float) -> float:
    """Slope at an end: from three points, kept from overshooting."""
    d = ((2 * h0 + h1) * s0 - h0 * s1) / (h0 + h1)
    if d * s0 <= 0:
        return 0.0
    return float(3 * s0) if s0 * s1 <= 0 and abs(d) > 3 * abs(s0) else float(d)
