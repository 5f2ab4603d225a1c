"""How far a network sees: the radius around an output sample that its input comes from."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

from vidlift.models import Model
from vidlift.models.graph import CORE_IN, CORE_OUT, Graph, read

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
    graph = read(model.data, where=model.descriptor.name)
    if len(graph.inputs) > 1:
        return None
    shapes = _shapes_of_weights(graph)
    # For each tensor: the radius so far, and how many input samples one of its samples stands for.
    seen: dict[str, tuple[Fraction, Fraction]] = {CORE_IN: (Fraction(0), Fraction(1))}
    for node in graph.nodes:
        inputs = [seen[name] for name in node.inputs if name in seen]
        if not inputs:
            continue
        radius, unit = max(inputs)
        if node.op_type == "Conv":
            sides = shapes.get(node.inputs[1], ())[2:]
            if not sides or max(node.ints.get("strides", (1,))) > 1:
                return None
            dilation = max(node.ints.get("dilations", (1,)))
            radius += unit * (max(sides) // 2) * dilation
        elif node.op_type in ("SpaceToDepth", "DepthToSpace"):
            (block,) = node.ints.get("blocksize", (1,))
            if node.op_type == "SpaceToDepth":
                radius, unit = radius + unit * (block - 1), unit * block
            else:
                unit /= block
        elif node.op_type not in _POINTWISE:
            return None
        for name in node.outputs:
            seen[name] = radius, unit
        if CORE_OUT in node.outputs:
            return math.ceil(seen[CORE_OUT][0])
    return None


def _shapes_of_weights(graph: Graph) -> dict[str, tuple[int, ...]]:
    """By name, also of weights that are stored in fewer bits and cast before they are used."""
    shapes = dict(graph.weights)
    for node in graph.nodes:
        if node.op_type in ("Cast", "QuantizeLinear", "DequantizeLinear"):
            stored = shapes.get(node.inputs[0])
            if stored is not None:
                shapes[node.outputs[0]] = stored
    return shapes
