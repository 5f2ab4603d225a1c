"""Look before loading: a model file from outside is data, and is checked as such.

ONNX only, no pickle; a cap on its size; a closed list of operators (the same graphs are written
out as shaders); no data outside the file; the inputs and outputs of the contract.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx.checker
import onnx.shape_inference

from vidlift.descriptor import Descriptor
from vidlift.errors import ModelError
from vidlift.models.graph import CORE_IN, CORE_OUT

MAX_BYTES = 64 << 20
MAX_OPSET = 17
ALLOWED_OPS = frozenset(
    {"Cast", "Mul", "Add", "Sub", "Div", "Clip", "Round", "Conv", "PRelu", "Relu", "LeakyRelu"}
    | {"DepthToSpace", "SpaceToDepth", "Slice", "Split", "Concat", "Reshape", "Transpose", "Pad"}
    | {"Resize", "QuantizeLinear", "DequantizeLinear"}
)
SMALL = 16
"""Side of the picture that a graph is tried with: a model takes 16 and more."""

_DOMAINS = ("", "ai.onnx")
"""Names of the operators that ONNX itself defines."""


def read(where: Path) -> bytes:
    """The bytes of a model file, refused unread when it is too large."""
    size = where.stat().st_size
    if size > MAX_BYTES:
        raise ModelError(f"{where} has {size >> 20} MiB; a model has at most {MAX_BYTES >> 20}")
    return where.read_bytes()


def parse(data: bytes, *, where: str) -> onnx.ModelProto:
    """Parse ONNX bytes; ``where`` names them in the error."""
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf has no common base for its decoding errors
        raise ModelError(f"{where} is not an ONNX file") from error
    if not model.graph.node:
        raise ModelError(f"{where} is not an ONNX file: it holds no graph")
    return model


def descriptor(data: bytes, *, where: str) -> Descriptor:
    """Check a model against the contract and return what it says of itself."""
    model = parse(data, where=where)
    found = Descriptor.from_metadata({p.key: p.value for p in model.metadata_props}, where=where)
    _check_ops(model, where)
    _check_ends(model, where)
    _check_graph(model, found, where)
    return found


def _check_ops(model: onnx.ModelProto, where: str) -> None:
    foreign = sorted({_op(node) for node in model.graph.node} - ALLOWED_OPS)
    if foreign:
        raise ModelError(f"{where} uses operators that a model may not: {', '.join(foreign)}")
    if model.functions:
        raise ModelError(f"{where} holds functions of its own; a model has operators only")
    domains = {o.domain for o in model.opset_import} - set(_DOMAINS)
    if domains:
        raise ModelError(f"{where} needs opsets that a model may not: {', '.join(sorted(domains))}")
    opset = max((o.version for o in model.opset_import), default=0)
    if opset > MAX_OPSET:
        raise ModelError(f"{where} needs opset {opset}; a model has at most {MAX_OPSET}")
    if any(i.data_location == onnx.TensorProto.EXTERNAL for i in model.graph.initializer):
        raise ModelError(f"{where} keeps weights outside the file; a model is one file")


def _op(node: onnx.NodeProto) -> str:
    return node.op_type if node.domain in _DOMAINS else f"{node.domain}.{node.op_type}"


def _check_ends(model: onnx.ModelProto, where: str) -> None:
    for what, values, name in (
        ("input", model.graph.input, "y"),
        ("output", model.graph.output, "y_hr"),
    ):
        first = values[0] if values else None
        if first is None or first.name != name:
            came = first.name if first is not None else "none"
            raise ModelError(f"{where}: the first {what} is to be {name!r}, got {came!r}")
        tensor = first.type.tensor_type
        shape = [d.dim_value or d.dim_param or "?" for d in tensor.shape.dim]
        fixed = len(shape) != 4 or shape[:2] != [1, 2] or any(isinstance(d, int) for d in shape[2:])
        if tensor.elem_type != onnx.TensorProto.UINT8 or fixed:
            kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
            raise ModelError(
                f"{where}: {name} is to be uint8 [1, 2, H, W] of any height and width, "
                f"got {kind} {shape}"
            )
    weights = {tensor.name for tensor in model.graph.initializer}
    if further := [i.name for i in model.graph.input[1:] if i.name not in weights]:
        raise ModelError(
            f"{where} keeps a state ({', '.join(further)}), which no engine of this version feeds"
        )
    made = {output for node in model.graph.node for output in node.output}
    if missing := {CORE_IN, CORE_OUT} - made:
        raise ModelError(
            f"{where} lacks the tensor {' and '.join(sorted(missing))} of the contract"
        )


def _check_graph(model: onnx.ModelProto, found: Descriptor, where: str) -> None:
    """Whether the graph is sound, and makes of a small picture one that is larger by the scale."""
    side = -(-SMALL // found.multiple_of) * found.multiple_of
    small = onnx.ModelProto()
    small.CopyFrom(model)
    del small.graph.value_info[:]
    for dimension in small.graph.input[0].type.tensor_type.shape.dim[2:]:
        dimension.dim_value = side
    for dimension in small.graph.output[0].type.tensor_type.shape.dim[2:]:
        dimension.Clear()
    try:
        onnx.checker.check_model(small)
        small = onnx.shape_inference.infer_shapes(small, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"{where} is not a valid ONNX graph: {reason}") from error
    made = [d.dim_value for d in small.graph.output[0].type.tensor_type.shape.dim[2:]]
    if all(made) and made != [side * found.scale] * 2:
        raise ModelError(
            f"{where} says that its scale is {found.scale}, but makes "
            f"{made[1]}x{made[0]} of {side}x{side}"
        )
