"""The float core of a model, cut out at the contract's ``core_in`` and ``core_out``."""

from __future__ import annotations

from vidlift.models import Model
from vidlift.models.graph import CORE_IN, CORE_OUT


def extract(model: Model) -> bytes:
    """ONNX of the core alone: float32 ``[2, 1, H, W]`` of 8-bit code values in.

    What comes out is float32 too, not rounded: ``[2, 1, s*H, s*W]``, or ``[2, s*s, H, W]`` where
    the model shuffles after rounding.
    """
    import onnx  # which takes long to load; only depths beyond 8 bits need it
    from onnx.utils import Extractor

    from vidlift.models.check import parse

    whole = onnx.shape_inference.infer_shapes(parse(model.data, where=model.descriptor.name))
    core = Extractor(whole).extract_model([CORE_IN], [CORE_OUT])
    core.ir_version = whole.ir_version
    return bytes(core.SerializeToString())
