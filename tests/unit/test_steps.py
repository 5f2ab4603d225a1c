"""Weights of the first layer in whole steps, which copies of 8 bits add up to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from vidlift import models
from vidlift.models import graph
from vidlift.models.steps import COPIES, MOST, in_copies, in_whole_steps

kernels = arrays(
    np.float32,
    some.tuples(some.integers(1, 4), some.integers(1, 2), some.just(3), some.just(3)),
    elements=some.floats(-(2.0**10), 2.0**10, width=32, allow_subnormal=False),
)


@given(kernels)
def test_copies_add_up_to_whole_steps(weights: NDArray[np.float32]) -> None:
    rounded = in_whole_steps(weights)
    largest = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    assert np.all(np.abs(rounded - weights) <= largest / MOST * 0.5001)
    found = in_copies(rounded)
    assert found is not None
    copies, step = found
    made, channels, height, width = weights.shape
    assert copies.shape == (made, COPIES * channels, height, width)
    sums = copies.astype(int).reshape(made, COPIES, channels, height, width).sum(axis=1)
    np.testing.assert_allclose(sums * step, rounded, rtol=1e-6)
    assert copies.min(initial=0) >= -127, "so that they may be negated"


def test_other_weights_have_no_copies() -> None:
    weights = np.random.default_rng(0).normal(size=(8, 1, 3, 3)).astype(np.float32)
    assert in_copies(weights) is None
    assert in_copies(in_whole_steps(weights)) is not None


@pytest.mark.parametrize("name", [name for name in models.names() if name.endswith("-int8")])
def test_those_of_shipped_networks_in_8_bits_are_whole(name: str) -> None:
    found = graph.arrays(models.load(name).data)
    assert in_copies(found["head_weight_float"]) is not None
