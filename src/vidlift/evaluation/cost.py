"""What a network costs before anything is timed: multiply-accumulates, parameters, bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx

from vidlift.evaluation import runtimes
from vidlift.evaluation.subjects import Subject

_SIDE = 96
"""Least height and width that operations are counted on, and two and three times that."""

_CONVOLUTIONS = ("Conv", "ConvTranspose")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    mac: float
    """Multiply-accumulates of the convolutions, per low-resolution pixel and frame."""

    parameters: int
    """Weights, biases and slopes that the file stores."""

    bytes: int
    """Size of the file."""


def cost(subject: Subject) -> Cost:
    """Count. The network is run on small pictures, for the sizes its layers come to."""
    model = onnx.load_model_from_string(subject.data)
    # What a network does for the border grows with the side, the rest with its square: the second
    # difference of the sums over three sides is twice the latter.
    side = -(-_SIDE // subject.multiple_of) * subject.multiple_of
    one, two, three = (sum(_macs(model, subject, side=side * times)) for times in (1, 2, 3))
    mac = (three - 2 * two + one) / 2
    return Cost(
        mac=round(mac / (side * side * subject.frames), 1),
        parameters=_parameters(model),
        bytes=len(subject.data),
    )


def _macs(model: onnx.ModelProto, subject: Subject, *, side: int) -> Iterator[int]:
    """Multiply-accumulates of every convolution for one square input."""
    convolutions = [node for node in model.graph.node if node.op_type in _CONVOLUTIONS]
    # A kernel is applied once an output sample, or transposed, once an input sample.
    placed = [node.output[0] if node.op_type == "Conv" else node.input[0] for node in convolutions]
    wanted = list(dict.fromkeys([*placed, *(node.input[1] for node in convolutions)]))
    sizes = {initializer.name: tuple(initializer.dims) for initializer in model.graph.initializer}
    sizes.update(_sizes(model, subject, [name for name in wanted if name not in sizes], side=side))
    for node, samples in zip(convolutions, placed, strict=True):
        yield prod(sizes[samples]) * prod(sizes[node.input[1]][1:])


def _sizes(
    model: onnx.ModelProto, subject: Subject, names: list[str], *, side: int
) -> dict[str, tuple[int, ...]]:
    """Shapes of tensors inside the graph, told by running it with them as outputs."""
    if not names:
        return {}
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    kind = np.float32 if subject.model is None else np.uint8
    values = np.zeros(subject.shape(side, side), kind)
    found = runtimes.all_outputs(probe.SerializeToString(), values)
    return {name: array.shape for name, array in zip(names, found, strict=True)}


def _parameters(model: onnx.ModelProto) -> int:
    """Numbers stored for convolutions and slopes, directly or behind a dequantiser."""
    users = (*_CONVOLUTIONS, "PRelu")
    feeds = {name for node in model.graph.node if node.op_type in users for name in node.input[1:]}
    for node in model.graph.node:
        if node.op_type in ("DequantizeLinear", "Cast") and node.output[0] in feeds:
            feeds.add(node.input[0])
    return sum(prod(stored.dims) for stored in model.graph.initializer if stored.name in feeds)
