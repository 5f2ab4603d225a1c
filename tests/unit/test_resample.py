"""The bicubic of the literature, and the quick one beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlift.resample import cubic, matrix, quick_resize, resize

lengths = st.integers(1, 40)


def test_the_kernel_interpolates() -> None:
    assert cubic(np.array([0.0])) == 1
    assert np.allclose(cubic(np.array([1.0, 2.0, 3.0, -1.0])), 0)
    assert cubic(np.array([0.5])) == 0.5625


@given(n_in=lengths, n_out=lengths)
def test_rows_sum_to_one_and_mirror(n_in: int, n_out: int) -> None:
    found = matrix(n_in, n_out)
    assert found.shape == (n_out, n_in)
    assert np.allclose(found.sum(axis=1), 1)
    assert np.allclose(found, found[::-1, ::-1])


@given(n=lengths)
def test_the_same_size_is_the_same_picture(n: int) -> None:
    assert np.allclose(matrix(n, n), np.eye(n))


def test_known_values() -> None:
    """Half the size: the kernel stretched to eight taps, those beyond the border mirrored."""
    ramp = np.arange(8, dtype=np.uint8)[None, :].repeat(8, axis=0) * 16
    inner = resize(ramp, (4, 4))[:, 1:3]
    # A straight line stays one: output x lies at 2x + 1/2.
    assert inner.tolist() == [[40, 72]] * 4


@pytest.mark.parametrize(("kind", "bits"), [(np.uint8, 8), (np.uint16, 10)])
def test_no_value_leaves_its_depth(kind: type[Any], bits: int) -> None:
    peak = (1 << bits) - 1
    edge = np.zeros((24, 24), kind)
    edge[:, 12:] = peak
    for size in ((48, 48), (11, 11), (72, 5)):
        for found in (resize(edge, size, bits=bits), quick_resize(edge, size)):
            assert found.dtype == kind
            assert found.shape == size[::-1]
            assert found.max() <= peak


@pytest.mark.parametrize("size", [(24, 18), (12, 9), (31, 50)])
def test_the_quick_one_is_near(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    rough = rng.integers(0, 256, (9, 12), np.uint8)
    smooth = resize(rough, (48, 36))
    wrong = np.abs(quick_resize(smooth, size).astype(int) - resize(smooth, size))
    assert wrong[3:-3, 3:-3].max() <= 2
