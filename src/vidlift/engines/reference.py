"""The judge: the model's graph evaluated node by node in numpy. Slow and plain.

Every other engine is compared with this one on random input (``tests/contract``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import version_converter
from onnx.reference import ReferenceEvaluator

from vidlift.descriptor import Descriptor
from vidlift.engines.base import PairPlanes, Unplanned, from_core, to_core
from vidlift.models import Model, core

QUANTISED_FROM = 19
"""The opset from which on the evaluator has the operators of 8 bits, which were the same before."""


class ReferenceEngine(Unplanned):
    any_size = True
    same_in_parts = True

    def __init__(self, model: Model, *, threads: int) -> None:
        self._model = model
        self._whole = _evaluator(model.data)

    @property
    def name(self) -> str:
        return f"reference onnx {onnx.__version__} numpy"

    @property
    def descriptor(self) -> Descriptor:
        return self._model.descriptor

    def run(self, planes: PairPlanes, *, bits: int = 8) -> PairPlanes:
        # Each plane alone: numpy adds the products of several in another order for each of them.
        alone = [self._run(planes[:, [index]], bits) for index in range(planes.shape[1])]
        return np.concatenate(alone, axis=1)

    def _run(self, planes: PairPlanes, bits: int) -> PairPlanes:
        if bits == 8:
            return np.asarray(_first(self._whole, {"y": planes}))
        judge = _evaluator(core.extract(self._model))
        core_out = _first(judge, {"core_in": to_core(planes, bits=bits)})
        return from_core(core_out, bits=bits)

    def rest(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""


def _evaluator(data: bytes) -> ReferenceEvaluator:
    graph = onnx.load_model_from_string(data)
    if any(node.op_type == "DequantizeLinear" for node in graph.graph.node):
        graph = version_converter.convert_version(graph, QUANTISED_FROM)
    return ReferenceEvaluator(graph)


def _first(graph: ReferenceEvaluator, feeds: dict[str, Any]) -> Any:
    outputs: Any = graph.run(None, feeds)
    return outputs[0]
