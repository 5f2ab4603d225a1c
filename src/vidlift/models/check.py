"""Look before loading: a model file from outside is data, and is checked as such.

ONNX only, no pickle; a cap on its size; a closed list of operators (the same graphs are written
out as shaders); no data outside the file; the inputs and outputs of the contract.
"""

from __future__ import annotations

from pathlib import Path

import onnx

from vidlift.descriptor import Descriptor
from vidlift.errors import ModelError

MAX_BYTES = 64 << 20
MAX_OPSET = 17
ALLOWED_OPS = frozenset(
    {"Cast", "Mul", "Add", "Sub", "Div", "Clip", "Round", "Conv", "PRelu", "Relu", "LeakyRelu"}
    | {"DepthToSpace", "SpaceToDepth", "Slice", "Split", "Concat", "Reshape", "Transpose", "Pad"}
    | {"Resize", "QuantizeLinear", "DequantizeLinear"}
)
CORE_IN, CORE_OUT = "core_in", "core_out"


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
    return found


def _check_ops(model: onnx.ModelProto, where: str) -> None:
    foreign = sorted({node.op_type for node in model.graph.node} - ALLOWED_OPS)
    if foreign:
        raise ModelError(f"{where} uses operators that a model may not: {', '.join(foreign)}")
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if any(o.domain not in ("", "ai.onnx") for o in model.opset_import) or opset > MAX_OPSET:
        raise ModelError(f"{where} needs opset {opset}; a model has at most {MAX_OPSET}")
    if any(i.data_location == onnx.TensorProto.EXTERNAL for i in model.graph.initializer):
        raise ModelError(f"{where} keeps weights outside the file; a model is one file")


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
        shape = [d.dim_value or d.dim_param for d in tensor.shape.dim]
        if tensor.elem_type != onnx.TensorProto.UINT8 or shape[:2] != [1, 2] or len(shape) != 4:
            raise ModelError(f"{where}: {name} is to be uint8 [1, 2, H, W], got {shape}")
    made = {output for node in model.graph.node for output in node.output}
    if missing := {CORE_IN, CORE_OUT} - made:
        raise ModelError(
            f"{where} lacks the tensor {' and '.join(sorted(missing))} of the contract"
        )
