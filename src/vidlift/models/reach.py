"""How far a network sees: the radius around an output sample that its input comes from."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import onnx

from vidlift.models import Model
from vidlift.models.check import CORE_IN, CORE_OUT, parse

_POINTWISE = frozenset(
    {"Cast", "Mul", "Add", "Sub", "Div", "Clip", "Round", "PRelu", "Relu", "LeakyRelu"}
    | {"QuantizeLinear", "DequantizeLinear", "Pad"}
)
"""Operators whose output depends on the same place alone. A pad only serves the convolution
after it, whose kernel is what counts."""


@lru_cache(maxsize=64)
def reach(model: Model) -> int | None:
    """Low-resolution samples on each side that an output sample depends on.

    None where the graph does something that this does not understand, or keeps a state.
    """
    graph = parse(model.data, where=model.descriptor.name).graph
    if len(graph.input) > 1:
        return None
    shapes = {array.name: array.dims for array in graph.initializer}
    # For each tensor: the radius so far, and how many input samples one of its samples stands for.
    seen: dict[str, tuple[Fraction, Fraction]] = {CORE_IN: (Fraction(0), Fraction(1))}
    for node in graph.node:
        inputs = [seen[name] for name in node.input if name in seen]
        if not inputs:
            continue
        radius, unit = max(inputs)
        if node.op_type == "Conv":
            sides = shapes.get(node.input[1], ())[2:]
            if not sides or max(_ints(node, "strides", [1])) > 1:
                return None
            dilation = max(_ints(node, "dilations", [1]))
            radius += unit * (max(sides) // 2) * dilation
        elif node.op_type in ("SpaceToDepth", "DepthToSpace"):
            (block,) = _ints(node, "blocksize", [1])
            if node.op_type == "SpaceToDepth":
                radius, unit = radius + unit * (block - 1), unit * block
            else:
                unit /= block
        elif node.op_type not in _POINTWISE:
            return None
        for name in node.output:
            seen[name] = radius, unit
        if CORE_OUT in node.output:
            return math.ceil(seen[CORE_OUT][0])
    return None


def _ints(node: onnx.NodeProto, name: str, default: list[int]) -> list[int]:
    for attribute in node.attribute:
        if attribute.name == name:
            return list(attribute.ints) or [attribute.i]
    return default
