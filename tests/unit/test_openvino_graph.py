"""What is done to a graph before it is compiled changes no bit of what it makes."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from support.networks import plain_network
from vidlift import models
from vidlift.color import Siting
from vidlift.engines import openvino_graph
from vidlift.engines.openvino_graph import (
    before_shuffle,
    first_in_8_bits,
    spread,
    whole_vectors,
)
from vidlift.engines.openvino_mixed import mix
from vidlift.engines.openvino_runtime import adds_bytes, ov, runtime
from vidlift.models import Model

AVX512, AVX2, NEON = 16, 8, 4
"""Floats of a vector."""


@pytest.fixture(autouse=True)
def vector(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor with vectors of so many floats, of AVX2's unless a test says otherwise."""
    floats = getattr(request, "param", AVX2)
    monkeypatch.setattr(openvino_graph, "vector", lambda: floats)


def with_vectors(*floats: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", floats, indirect=True)


TWICE = [
    *(models.load(name) for name in models.names() if models.describe(name).scale == 2),
    *(models.kernel(scale=2, siting=siting) for siting in Siting),
]
"""Those whose last layer makes four samples of a place, in float32 or in 8 bits."""


def read(model: Model, *, height: int, width: int) -> Any:
    graph = runtime().read_model(model.data)
    graph.reshape([1, 1, height, width])
    return graph


def strides(graph: Any) -> list[tuple[int, ...]]:
    """Those of all convolutions, the last ones last."""
    each = [node for node in graph.get_ordered_ops() if node.get_type_name() == "Convolution"]
    return [tuple(node.get_attributes()["strides"]) for node in each]


def made(graph: Any, picture: Any) -> Any:
    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    code = runtime().compile_model(graph, "CPU", config)([picture])[0]
    height, width = picture.shape[2:]
    room = np.empty((1, 2 * height, 2 * width), np.uint8)
    spread(code, room)
    return room


@pytest.mark.parametrize("model", TWICE, ids=lambda model: model.descriptor.name)
def test_four_places_at_once_are_the_same_to_the_bit(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    height, width = 36, 62
    picture = np.random.default_rng(0).integers(0, 256, (1, 1, height, width), np.uint8)
    blocks = before_shuffle(read(model, height=height, width=width))
    last = 1 if model.descriptor.tier == "kernel" else 2  # and the residual
    assert strides(blocks)[-last:] == [(2, 2)] * last
    monkeypatch.setattr(openvino_graph, "_in_blocks", lambda _output: None)
    plain = before_shuffle(read(model, height=height, width=width))
    assert set(strides(plain)) == {(1, 1)}
    assert np.array_equal(made(blocks, picture), made(plain, picture))


def channels(graph: Any) -> list[int]:
    """How many each layer makes, those of the last one and the residual last."""
    each = [node for node in graph.get_ordered_ops() if node.get_type_name() == "Convolution"]
    return [node.get_output_shape(0)[1] for node in each]


@pytest.mark.parametrize(
    "model",
    [
        *(models.load(name) for name in ("s-x2", "s-x2-clean-int8")),
        *(plain_network(scale=2, channels=count, layers=3) for count in (5, 12)),
    ],
    ids=["7", "7 in 8 bits", "5", "12"],
)
def test_whole_vectors_are_the_same_to_the_bit(model: Model) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (1, 1, 36, 62), np.uint8)
    plain, filled = (read(model, height=36, width=62) for _ in range(2))
    whole_vectors(filled)
    *inner, tail, residual = channels(filled)
    assert inner == [-(-count // 8) * 8 for count in channels(plain)[:-2]]
    assert inner != channels(plain)[:-2]
    assert (tail, residual) == (4, 4)
    assert np.array_equal(*(made(before_shuffle(each), picture) for each in (filled, plain)))


@with_vectors(AVX512)
@pytest.mark.parametrize(
    "model",
    [
        *(models.load(name) for name in ("xs-x2", "s-x2", "m-x2-clean")),
        *(models.load(name) for name in ("s-x2-int8", "m-x2-clean-int8")),
        plain_network(scale=2, channels=5, layers=3),
    ],
    ids=["8, no layers between", "7", "8", "7 in 8 bits", "8 in 8 bits", "5"],
)
def test_two_places_at_once_are_the_same_to_the_bit(model: Model) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (1, 1, 36, 62), np.uint8)
    plain, doubled = (read(model, height=36, width=62) for _ in range(2))
    whole_vectors(doubled)
    rounded = model.descriptor.name.endswith("-int8")  # what the first layer makes, in float32
    *inner, tail, residual = channels(doubled)[rounded:]
    assert inner == [2 * count for count in channels(plain)[rounded:-2]]
    assert (tail, residual) == (4, 4)
    assert set(strides(doubled)[rounded:-2]) == {(1, 2)}
    assert np.array_equal(*(made(before_shuffle(each), picture) for each in (doubled, plain)))


@with_vectors(AVX512)
@pytest.mark.parametrize("name", ["s-x2", "m-x2"])
def test_two_and_four_places_at_once_in_bfloat16_are_the_same_to_the_bit(name: str) -> None:
    if "BF16" not in runtime().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bfloat16")
    model = models.load(name)
    picture = np.random.default_rng(0).integers(0, 256, (1, 1, 36, 62), np.uint8)
    plain, doubled = (read(model, height=36, width=62) for _ in range(2))
    for each in (plain, doubled):
        mix(each)
    whole_vectors(doubled)
    doubled = before_shuffle(doubled)
    assert set(strides(doubled)[:-2]) == {(1, 2)}
    assert set(strides(doubled)[-2:]) == {(2, 2)}
    code = ov.Model([plain.outputs[0]], plain.get_parameters(), "test")
    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    whole = runtime().compile_model(code, "CPU", config)([picture])[0]
    assert np.array_equal(made(doubled, picture), whole[:, 0])


@pytest.mark.parametrize(
    ("vector", "name", "width"),
    [
        *((NEON, name, 62) for name in ("s-x2", "m-x2")),
        *((AVX2, name, 62) for name in ("m-x2", "l-x3-int8", "bicubic-x2")),
        (AVX512, "m-x4", 62),
        (AVX512, "s-x2", 61),
    ],
    indirect=["vector"],
)
def test_vectors_that_are_whole_or_gain_nothing_are_left(name: str, width: int) -> None:
    graph = read(models.load(name), height=36, width=width)
    before = channels(graph)
    whole_vectors(graph)
    assert channels(graph) == before


@with_vectors(AVX512)
def test_what_is_made_in_float32_and_rounded_then_is_left() -> None:
    graph = read(models.load("s-x4-int8"), height=36, width=62)
    whole_vectors(graph)
    head, *inner, residual, tail = strides(graph)
    assert head == residual == tail == (1, 1)
    assert set(inner) == {(1, 2)}


needs_vnni = pytest.mark.skipif(not adds_bytes(), reason="needs AVX-512 with VNNI, without AMX")
"""Without it sums of bytes are cut off where they are too large for 16 bits."""


def given_to_layers(graph: Any) -> Counter[int]:
    """How many channels layers are given."""
    each = [node for node in graph.get_ordered_ops() if node.get_type_name() == "Convolution"]
    return Counter(node.get_input_shape(1)[1] for node in each)


@needs_vnni
@pytest.mark.parametrize("name", ["m-x4-int8", "s-x2-int8", "l-x3-clean-int8"])
def test_the_first_layer_in_8_bits_makes_the_same(name: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (1, 1, 36, 62), np.uint8)
    plain, changed = (read(models.load(name), height=36, width=62) for _ in range(2))
    first_in_8_bits(changed)
    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    found, wanted = (
        runtime().compile_model(graph, "CPU", config)([picture])[0].astype(int)
        for graph in (changed, plain)
    )
    # Sums are exact in one and float32's in the other: a half is rounded either way.
    assert np.abs(found - wanted).max() <= 2
    assert np.mean(found != wanted) < 0.05


@needs_vnni
@with_vectors(AVX512)
@pytest.mark.parametrize("name", ["s-x2-int8", "m-x2-clean-int8"])
def test_the_first_layer_in_8_bits_makes_two_places_at_once(name: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (1, 1, 36, 62), np.uint8)
    single, doubled = (read(models.load(name), height=36, width=62) for _ in range(2))
    for each in (single, doubled):
        first_in_8_bits(each)
    whole_vectors(doubled)
    assert set(strides(doubled)[:-2]) == {(1, 2)}
    assert np.array_equal(*(made(before_shuffle(each), picture) for each in (doubled, single)))


def test_the_first_layer_in_8_bits_is_given_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_graph, "adds_bytes", lambda: True)
    graph = read(models.load("m-x4-int8"), height=36, width=62)
    first_in_8_bits(graph)
    assert given_to_layers(graph) == {4: 1, 16: 7, 1: 1}, "the residual is given one"


@pytest.mark.parametrize("left", ["in float32", "of other weights", "without VNNI"])
def test_other_first_layers_are_left(left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_graph, "adds_bytes", lambda: left != "without VNNI")
    model = models.load("m-x4" if left == "in float32" else "m-x4-int8")
    data = onnx.load_model_from_string(model.data)
    if left == "of other weights":
        (weights,) = (w for w in data.graph.initializer if w.name == "head_weight_float")
        changed = numpy_helper.to_array(weights) + np.float32(0.001)
        weights.CopyFrom(numpy_helper.from_array(changed, weights.name))
    graph = runtime().read_model(data.SerializeToString())
    graph.reshape([1, 1, 36, 62])
    first_in_8_bits(graph)
    assert given_to_layers(graph) == {16: 7, 1: 2}


def test_vectors_are_left_where_layers_are_in_bfloat16() -> None:
    graph = read(models.load("s-x2"), height=36, width=62)
    mix(graph)
    before = channels(graph)
    whole_vectors(graph)
    assert channels(graph) == before


@pytest.mark.parametrize(
    ("vector", "unknown"),
    [
        *((AVX2, what) for what in ("operator", "shape", "weights", "zero point")),
        *((AVX512, what) for what in ("operator", "shape", "padding")),
    ],
    indirect=["vector"],
)
def test_vectors_are_left_where_something_is_not_understood(unknown: str) -> None:
    opset = ov.opset8
    ones = np.ones((7, 7, 3, 3), np.float32)
    picture = opset.parameter([1, 7, 36, 62], np.float32)
    form: Any = ([1, 1], [1, 1], [1, 1], [1, 1])
    pad = "same_upper" if unknown == "padding" else "explicit"
    first = opset.convolution(picture, ones, *form, auto_pad=pad)
    between = opset.softmax(first, 1) if unknown == "operator" else opset.prelu(first, [0.1])
    weights: Any = ones
    if unknown == "weights":
        weights = opset.sigmoid(opset.constant(ones))
    if unknown == "zero point":
        weights = opset.subtract(opset.constant(ones), opset.constant(np.float32(1)))
    results = [opset.convolution(between, weights, *form)]
    if unknown == "shape":
        results.append(opset.shape_of(first))
    graph = ov.Model(results, [picture], "test")
    whole_vectors(graph)
    assert channels(graph) == [7, 7]


@pytest.mark.parametrize(("height", "width"), [(35, 62), (36, 61)])
def test_odd_sides_are_made_place_by_place(height: int, width: int) -> None:
    graph = before_shuffle(read(TWICE[0], height=height, width=width))
    assert graph.outputs[0].get_any_name() == openvino_graph.CODE
    assert set(strides(graph)) == {(1, 1)}


@with_vectors(NEON)
def test_processors_that_gain_nothing_make_it_place_by_place() -> None:
    assert set(strides(before_shuffle(read(TWICE[0], height=36, width=62)))) == {(1, 1)}


@pytest.mark.parametrize("scale", [3, 4])
def test_other_scales_are_made_place_by_place(scale: int) -> None:
    graph = before_shuffle(read(models.load(f"s-x{scale}"), height=36, width=62))
    assert set(strides(graph)) == {(1, 1)}


@pytest.mark.parametrize("operator", ["Sigmoid", "AvgPool", "one for all"])
def test_what_is_not_understood_is_left_as_it_is(operator: str) -> None:
    opset = ov.opset8
    picture = opset.parameter([1, 4, 36, 62], np.float32)
    wide = opset.convolution(
        picture, np.ones((4, 4, 3, 3), np.float32), [1, 1], [1, 1], [1, 1], [1, 1]
    )
    unknown = {
        "Sigmoid": lambda: opset.sigmoid(wide),
        "one for all": lambda: opset.add(
            wide,
            opset.convolution(
                picture, np.ones((1, 4, 3, 3), np.float32), [1, 1], [1, 1], [1, 1], [1, 1]
            ),
        ),
        "AvgPool": lambda: opset.avg_pool(wide, [1, 1], [1, 1], [1, 1], [3, 3], False),
    }[operator]()
    code = opset.convert(unknown, "u8")
    graph = ov.Model([opset.depth_to_space(code, "depth_first", 2)], [picture], "test")
    assert set(strides(before_shuffle(graph))) == {(1, 1)}


@with_vectors(AVX2, AVX512)
def test_shapes_that_are_free_inside_are_left_as_they_are() -> None:
    opset = ov.opset8
    ones = np.ones((7, 7, 3, 3), np.float32)
    picture = opset.parameter([1, 7, 36, 62], np.float32)
    free = opset.parameter([4], np.int64)
    form: Any = ([1, 1], [1, 1], [1, 1], [1, 1])
    first = opset.convolution(picture, ones, *form)
    between = opset.add(first, opset.reshape(picture, free, special_zero=False))
    graph = ov.Model([opset.convolution(between, ones, *form)], [picture, free], "test")
    whole_vectors(graph)
    kept = [node for node in graph.get_ordered_ops() if node.get_type_name() == "Convolution"]
    assert [node.input_value(1).get_shape()[0] for node in kept] == [7, 7]


def test_the_shuffle_is_that_of_onnx() -> None:
    for scale, (height, width) in product((2, 3, 4), [(5, 7), (4, 6)]):
        code = np.random.default_rng(scale).integers(0, 256, (2, height, width, scale**2), np.uint8)
        room = np.empty((2, scale * height, scale * width), np.uint8)
        spread(code, room)
        parts = code.reshape(2, height, width, scale, scale).transpose(0, 1, 3, 2, 4)
        assert np.array_equal(room, parts.reshape(room.shape))
