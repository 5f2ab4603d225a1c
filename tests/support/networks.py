"""Networks of the shipped form with random weights: what a test runs where quality is nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vidlift import models
from vidlift.color import Siting
from vidlift.descriptor import Descriptor
from vidlift.models import Model, kernels


def plain_network(
    *, scale: int = 2, channels: int = 4, layers: int = 2, tier: str = "s", seed: int = 0
) -> Model:
    """Bicubic interpolation plus a small random residual of ``layers`` body convolutions.

    3x3 convolutions with LeakyReLU and zero padding, so that borders and seams would show.
    """
    rng = np.random.default_rng(seed)
    widths = [1, *[channels] * (layers + 1), scale * scale]
    arrays: dict[str, NDArray[np.float32]] = {
        "black": np.float32(0),  # type: ignore[dict-item]
        "white": np.float32(255),  # type: ignore[dict-item]
        "skip.weight": _bicubic(scale),
    }
    nodes = [
        helper.make_node("Cast", ["y"], ["y_float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["y_float"], ["core_in"], perm=[1, 0, 2, 3]),
        helper.make_node("Conv", ["core_in", "skip.weight"], ["skip"], pads=[2] * 4),
    ]
    features = "core_in"
    for index, (fan_in, fan_out) in enumerate(pairwise(widths)):
        spread = np.sqrt(2 / (9 * fan_in)) * (0.2 if index == layers + 1 else 1)
        weight, bias = f"{index}.weight", f"{index}.bias"
        arrays[weight] = rng.normal(0, spread, (fan_out, fan_in, 3, 3)).astype(np.float32)
        arrays[bias] = rng.normal(0, 0.5, fan_out).astype(np.float32)
        nodes.append(
            helper.make_node("Conv", [features, weight, bias], [f"{index}.out"], pads=[1] * 4)
        )
        features = f"{index}.out"
        if index <= layers:
            nodes.append(helper.make_node("LeakyRelu", [features], [f"{index}.act"], alpha=0.1))
            features = f"{index}.act"
    nodes += [
        helper.make_node("Add", [features, "skip"], ["core_out"]),
        helper.make_node("Clip", ["core_out", "black", "white"], ["clipped"]),
        helper.make_node("Round", ["clipped"], ["rounded"]),
        helper.make_node("Cast", ["rounded"], ["code"], to=TensorProto.UINT8),
        helper.make_node("DepthToSpace", ["code"], ["shuffled"], blocksize=scale, mode="CRD"),
        helper.make_node("Transpose", ["shuffled"], ["y_hr"], perm=[1, 0, 2, 3]),
    ]
    descriptor = Descriptor(
        name=f"{tier}-x{scale}",
        tier=tier,
        scale=scale,
        architecture=f"plain-{channels}x{layers}",
        training_data="none",
        version="0",
        licence="Apache-2.0",
    )
    graph = helper.make_graph(
        nodes,
        descriptor.name,
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [1, 2, "H", "W"])],
        [helper.make_tensor_value_info("y_hr", TensorProto.UINT8, [1, 2, "sH", "sW"])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, descriptor.to_metadata())
    onnx.checker.check_model(model)
    return models.of(descriptor, model.SerializeToString())


def _bicubic(scale: int) -> NDArray[np.float32]:
    _, data = kernels.build(scale=scale, siting=Siting.CENTER)
    constants = onnx.load_model_from_string(data).graph.initializer
    kernel = next(array for array in constants if array.name == "kernel")
    return np.array(numpy_helper.to_array(kernel), np.float32)
