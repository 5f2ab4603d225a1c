"""What is done to a graph before it is compiled changes no bit of what it makes."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from vidlift import models
from vidlift.color import Siting
from vidlift.engines import openvino_graph
from vidlift.engines.openvino_graph import before_shuffle, spread
from vidlift.engines.openvino_mixed import mix
from vidlift.engines.openvino_runtime import ov, runtime
from vidlift.models import Model


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_graph, "_WIDE", True)


TWICE = [
    *(models.load(name) for name in models.names() if models.describe(name).scale == 2),
    *(models.kernel(scale=2, siting=siting) for siting in Siting),
]
"""Those whose last layer makes four samples of a place; in float32, also in a network in 8 bits."""


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
    assert (2, 2) in strides(blocks)
    monkeypatch.setattr(openvino_graph, "_in_blocks", lambda _output: None)
    plain = before_shuffle(read(model, height=height, width=width))
    assert set(strides(plain)) == {(1, 1)}
    assert np.array_equal(made(blocks, picture), made(plain, picture))


@pytest.mark.parametrize(("height", "width"), [(35, 62), (36, 61)])
def test_odd_sides_are_made_place_by_place(height: int, width: int) -> None:
    graph = before_shuffle(read(TWICE[0], height=height, width=width))
    assert graph.outputs[0].get_any_name() == openvino_graph.CODE
    assert set(strides(graph)) == {(1, 1)}


def test_processors_that_gain_nothing_make_it_place_by_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openvino_graph, "_WIDE", False)
    assert set(strides(before_shuffle(read(TWICE[0], height=36, width=62)))) == {(1, 1)}


@pytest.mark.parametrize("scale", [3, 4])
def test_other_scales_are_made_place_by_place(scale: int) -> None:
    graph = before_shuffle(read(models.load(f"s-x{scale}"), height=36, width=62))
    assert set(strides(graph)) == {(1, 1)}


def test_layers_in_bfloat16_are_left_as_they_are() -> None:
    graph = read(models.load("s-x2"), height=36, width=62)
    mix(graph)
    given = strides(graph)
    assert strides(before_shuffle(graph)) == given


@pytest.mark.parametrize("operator", ["Sigmoid", "AvgPool"])
def test_what_is_not_understood_is_left_as_it_is(operator: str) -> None:
    opset = ov.opset8
    picture = opset.parameter([1, 4, 36, 62], np.float32)
    wide = opset.convolution(
        picture, np.ones((4, 4, 3, 3), np.float32), [1, 1], [1, 1], [1, 1], [1, 1]
    )
    unknown = {
        "Sigmoid": lambda: opset.sigmoid(wide),
        "AvgPool": lambda: opset.avg_pool(wide, [1, 1], [1, 1], [1, 1], [3, 3], False),
    }[operator]()
    code = opset.convert(unknown, "u8")
    graph = ov.Model([opset.depth_to_space(code, "depth_first", 2)], [picture], "test")
    assert strides(before_shuffle(graph)) == [(1, 1)]


def test_the_shuffle_is_that_of_onnx() -> None:
    for scale, (height, width) in product((2, 3, 4), [(5, 7), (4, 6)]):
        code = np.random.default_rng(scale).integers(0, 256, (2, height, width, scale**2), np.uint8)
        room = np.empty((2, scale * height, scale * width), np.uint8)
        spread(code, room)
        parts = code.reshape(2, height, width, scale, scale).transpose(0, 1, 3, 2, 4)
        assert np.array_equal(room, parts.reshape(room.shape))
