"""PSNR and SSIM: their definitions, and the independent statement of the published protocol."""

from __future__ import annotations

import math

import numpy as np
import pytest

from support.peers import protocol
from vidlift import metrics


def test_planes_that_are_equal_are_infinitely_near() -> None:
    plane = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert metrics.psnr(plane, plane) == math.inf
    assert metrics.ssim(plane, plane) == pytest.approx(1)


def test_psnr_of_a_constant_difference() -> None:
    black, grey = np.zeros((8, 8), np.uint8), np.full((8, 8), 5, np.uint8)
    assert metrics.psnr(black, grey) == pytest.approx(20 * math.log10(255 / 5))
    assert metrics.psnr(black, grey, peak=1023) == pytest.approx(20 * math.log10(1023 / 5))


def test_what_is_in_the_border_does_not_count() -> None:
    a, b = np.zeros((20, 20)), np.zeros((20, 20))
    b[:3], b[:, -3:] = 200, 100
    assert metrics.psnr(a, b, border=3) == math.inf
    assert metrics.ssim(a, b, border=3) == pytest.approx(1)


@pytest.mark.parametrize("measure", [metrics.psnr, metrics.ssim])
def test_planes_of_two_shapes_are_refused(measure: metrics.Measure) -> None:
    with pytest.raises(ValueError, match="one shape"):
        measure(np.zeros((16, 16)), np.zeros((16, 17)))


def test_ssim_needs_room_for_its_window() -> None:
    with pytest.raises(ValueError, match="11 samples"):
        metrics.ssim(np.zeros((16, 16)), np.zeros((16, 16)), border=3)


@pytest.mark.parametrize("border", [0, 2, 3, 4])
def test_agrees_with_the_published_protocol(border: int) -> None:
    judge = protocol()
    random = np.random.default_rng(border)
    a = random.uniform(16, 235, (37, 53))
    b = np.rint(a + random.normal(0, 6, a.shape))
    # psnr subtracts in float32: 1e-5 of a code value is far below 1e-6 dB.
    assert metrics.psnr(a, b, border=border) == pytest.approx(judge.psnr_y(a, b, border), abs=1e-5)
    assert metrics.ssim(a, b, border=border) == pytest.approx(judge.ssim_y(a, b, border), abs=1e-9)


@pytest.mark.parametrize("border", [2, 3, 9])
def test_a_border_that_leaves_nothing_is_refused(border: int) -> None:
    plane = np.zeros((4, 20), np.uint8)
    for measure in (metrics.psnr, metrics.ssim):
        with pytest.raises(ValueError, match="inside the border"):
            measure(plane, plane, border=border)
