"""Forms that say the same thing differently give the same bytes; each keeps to the contract."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from vidlift.evaluation import runtimes
from vidlift.evaluation.forms import CASES, Form, Variant, build, variants
from vidlift.models.check import ALLOWED_OPS

SMALL = {
    "x4": Form(channels=4, layers=2),
    "x3": Form(scale=3, channels=4, layers=1),
    "x2": Form(scale=2, channels=4, layers=2, fold="space"),
}

SAME = {
    "floats shuffled, then rounded",
    "shuffle in DCR order",
    "frames to batch by Reshape",
    "frames to batch by Reshape, as bytes",
    "DequantizeLinear for Cast at the entry",
    "QuantizeLinear at the exit",
    "add a half and cut, for Round",
    "reshape, QuantizeLinear",
    "reshape, half and cut",
    "residual 3x3",
    "residual nearest",
    "residual inside the last convolution",
    "PReLU with the same slope",
    "in strips of 34 rows",
}
"""Other ways to say the base form."""

EVERY = [(case, variant) for case, base in SMALL.items() for variant in variants(base)]
NOISE = np.random.default_rng(0).integers(16, 236, (1, 2, 24, 32), dtype=np.uint8)


def answer(form: Form) -> NDArray[np.uint8]:
    big: NDArray[np.uint8] = runtimes.onnxruntime(build(form), threads=1)(NOISE)
    return big


@pytest.mark.parametrize(("case", "variant"), EVERY, ids=lambda v: getattr(v, "name", v))
def test_a_form_keeps_to_the_contract(case: str, variant: Variant) -> None:
    made = onnx.load_model_from_string(build(variant.form))
    assert {node.op_type for node in made.graph.node} <= ALLOWED_OPS
    assert "core_out" in {output for node in made.graph.node for output in node.output}
    big, base = answer(variant.form), answer(SMALL[case])
    assert big.dtype == np.uint8
    assert big.shape == base.shape
    off = np.abs(big.astype(np.int16) - base)
    if variant.name in SAME:
        assert off.max() <= 1
        assert (off > 0).mean() < 1e-3, "sums in another order round to the other side, rarely"
    elif variant.name != "base":
        assert off.max() > 1


@pytest.mark.parametrize("pad", ["edge", "once"])
def test_padding_changes_nothing_far_from_the_border(pad: str) -> None:
    base = SMALL["x4"]
    far = slice(4 * base.reach, -4 * base.reach)
    padded = answer(replace(base, pad=pad))
    np.testing.assert_array_equal(padded[:, :, far, far], answer(base)[:, :, far, far])


def test_the_residual_alone_is_the_nearest_sample() -> None:
    base = SMALL["x2"]
    with_it, without = answer(base), answer(replace(base, residual="none"))
    nearest = NOISE.repeat(2, axis=2).repeat(2, axis=3).astype(np.int16)
    clear = (without > 0) & (with_it > 0) & (with_it < 255)
    off = np.abs(with_it[clear] - nearest[clear] - without[clear])
    assert clear.any()
    assert off.max() <= 1


def test_operations_are_counted_as_built() -> None:
    for base in (*SMALL.values(), *CASES.values()):
        for variant in variants(base):
            form = variant.form
            made = onnx.load_model_from_string(build(form))
            sizes = {stored.name: stored.dims for stored in made.graph.initializer}
            convs = [node for node in made.graph.node if node.op_type == "Conv"]
            per_position = sum(int(np.prod(sizes[node.input[1]])) for node in convs)
            assert form.mac == per_position // form.factor**2, variant.name
