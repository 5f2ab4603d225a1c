"""OpenVINO with the inner layers of a network in bfloat16, where the CPU computes in it.

What looks at code values, the first layer and the image-space residual, stays in float32: 8 bits
of mantissa cannot hold them. Asked for bfloat16 as such, OpenVINO would take it for everything.

    core_in ──┬─ head ──bf16── body ─ … ─ body ─ tail ──f32──┐
              └─ skip ───────────────────────────────────────┴(+)── core_out
"""

from __future__ import annotations

from typing import Any

from vidlift.engines.openvino import OpenVinoEngine
from vidlift.engines.openvino_graph import is_in_8_bits
from vidlift.engines.openvino_runtime import runtime
from vidlift.errors import ModelError
from vidlift.models import Model

_BETWEEN = ("Add", "PRelu", "LeakyRelu", "Relu")
"""What may lie between two convolutions that are computed in bfloat16."""


class OpenVinoMixedEngine(OpenVinoEngine):
    """float32 outside, bfloat16 inside, for 8 bits of depth; all in float32 for more.

    On pictures, all but two samples in ten thousand are within 1 of float32's, on noise most are:
    for who is shown pictures in real time, not where results are to be the same everywhere.
    """

    same_in_parts = False
    """What a sum in bfloat16 comes to depends on the kernel, and that on the size."""

    def __init__(self, model: Model, *, threads: int) -> None:
        """Raises ``ModelError`` where the CPU has no bfloat16."""
        can = runtime().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if "BF16" not in can:
            raise ModelError(f"this CPU has no bfloat16, only {', '.join(can)}")
        super().__init__(model, threads=threads)

    @property
    def name(self) -> str:
        return super().name.removesuffix("f32") + "mixed"

    def _read(self, data: bytes, *, axis: int) -> Any:
        graph = super()._read(data, axis=axis)
        if axis == 1:
            mix(graph)
        return graph


def mix(graph: Any) -> None:
    """Have the inner convolutions of an OpenVINO graph computed in bfloat16, in place.

    Inner is a convolution of what another one made; an addition or activation is between two
    such. Those in 8 bits are left as they are.
    """
    from openvino import opset8

    operations = graph.get_ordered_ops()
    inner = _inner(operations)
    for each in operations:
        inside = each.get_friendly_name() in inner
        for index in range(each.get_input_size()):
            entry = each.input(index)
            source = entry.get_source_output()
            came_from_inside = source.get_node().get_friendly_name() in inner
            if inside != came_from_inside:
                converted = opset8.convert(source, "bf16" if inside else "f32")
                entry.replace_source_output(converted.output(0))
    graph.validate_nodes_and_infer_types()


def _inner(operations: list[Any]) -> set[str]:
    """Names of the operations to be computed in bfloat16."""
    # Forwards: what comes after a convolution; what may be inner, and what comes after that.
    after: set[str] = set()
    within: set[str] = set()
    for each in operations:
        name, sources = each.get_friendly_name(), _sources(each)
        is_after = not after.isdisjoint(sources)
        if _is_convolution(each):
            may_be = is_after and not is_in_8_bits(each)
        else:
            may_be = not within.isdisjoint(sources)
        if may_be:
            within.add(name)
        if is_after or _is_convolution(each):
            after.add(name)
    # Backwards: whether an inner convolution follows.
    followed: set[str] = set()
    inner: set[str] = set()
    for each in reversed(operations):
        name = each.get_friendly_name()
        is_inner = name in within and (
            _is_convolution(each) or (name in followed and each.get_type_name() in _BETWEEN)
        )
        if is_inner:
            inner.add(name)
            followed.update(_sources(each))
    return inner


def _sources(operation: Any) -> list[str]:
    return [
        operation.input(index).get_source_output().get_node().get_friendly_name()
        for index in range(operation.get_input_size())
    ]


def _is_convolution(operation: Any) -> bool:
    return str(operation.get_type_name()) == "Convolution"
