"""Bits saved at equal quality."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlift.cloud.bjontegaard import bits_saved

RATES = (100.0, 200.0, 400.0, 800.0)
PLAIN = (30.0, 33.0, 35.0, 36.5)


@given(st.floats(0.2, 3.0))
def test_the_same_curve_at_other_rates_saves_just_that(factor: float) -> None:
    shifted = [rate * factor for rate in RATES]
    found = bits_saved(RATES, PLAIN, shifted, PLAIN)
    assert found == pytest.approx(100 * (1 - factor))


def test_straight_lines_by_hand() -> None:
    # Quality is a line over the logarithm of the rate; ours is 1 dB above, 3 dB a doubling.
    plain = [3 * math.log2(rate) for rate in RATES]
    ours = [q + 1 for q in plain]
    found = bits_saved(RATES, plain, RATES, ours)
    assert found == pytest.approx(100 * (1 - 2 ** (-1 / 3)))


def test_as_scipy_interpolates() -> None:
    interpolate = pytest.importorskip("scipy.interpolate")
    ours = (31.0, 33.2, 35.9, 36.6)
    low, high = 31.0, 36.5
    at = np.linspace(low, high, 1001)
    a = interpolate.PchipInterpolator(PLAIN, np.log(RATES))(at)
    b = interpolate.PchipInterpolator(ours, np.log(RATES))(at)
    expected = 100 * (1 - math.exp(float(np.mean(b - a))))
    assert bits_saved(RATES, PLAIN, RATES, ours) == pytest.approx(expected)


@pytest.mark.parametrize("ours", [(40.0, 41.0, 42.0, 43.0), (1.0, 2.0, 3.0, 4.0)])
def test_curves_that_do_not_meet_are_not_compared(ours: tuple[float, ...]) -> None:
    assert bits_saved(RATES, PLAIN, RATES, ours) is None


def test_one_rung_is_no_curve() -> None:
    assert bits_saved(RATES[:1], PLAIN[:1], RATES[:1], PLAIN[:1]) is None
