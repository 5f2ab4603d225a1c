"""Bicubic interpolation written as a model: a convolution and a shuffle.

An output sample of phase p (0 .. s-1) lies between the same input samples wherever it is, with
the same weights: interpolation by s is a convolution with s*s kernels, one a phase.

    input        0       1       2         s = 4: output 0..3 lie about input 0
    output     0 1 2 3 4 5 6 7 8 9

So plain up-scaling runs in every engine in the same form as a network: the bypass of the
player, the baseline of every figure, and the way chroma goes up beside a super-resolved luma.

What this builds is shipped in ``models/bicubic``, so that a player need not: after a change,
``python -m vidlift.models.kernels`` writes it anew.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vidlift import resample
from vidlift.color import Siting
from vidlift.descriptor import SCALES, Descriptor

FOLDER = Path(__file__).parent / "bicubic"

_REACH = 2
"""Input samples looked at on each side: four taps of the cubic, wherever the phase falls."""


@cache
def build(*, scale: int, siting: Siting) -> tuple[Descriptor, bytes]:
    """The model that interpolates planes of that siting by ``scale``; borders are repeated."""
    suffix = "" if siting is Siting.CENTER else f"-{siting.value}"
    descriptor = Descriptor(
        name=f"bicubic{suffix}-x{scale}",
        tier="kernel",
        scale=scale,
        padding="edge",
        architecture="bicubic",
        training_data="none",
        version="1",
        licence="Apache-2.0",
    )
    across = phase_weights(scale, cosited=siting is not Siting.CENTER)
    down = phase_weights(scale, cosited=siting is Siting.TOPLEFT)
    weights = np.einsum("pi,qj->pqij", down, across).reshape(
        scale * scale, 1, *[2 * _REACH + 1] * 2
    )
    return descriptor, _graph(descriptor, weights.astype(np.float32)).SerializeToString()


def phase_weights(scale: int, *, cosited: bool) -> NDArray[np.float64]:
    """Weights [phase, tap] along one axis; tap t looks at the input sample t - ``_REACH`` away.

    Luma, and chroma in the middle of its luma samples, keep the pictures' edges in line:
    output x lies at (x + 1/2) / s - 1/2. Chroma in line with every second luma sample
    (``cosited``) starts a quarter of a luma sample's growth later, at x / s - (s - 1) / (4 s).
    """
    phase = np.arange(scale)
    offset = phase / scale - (scale - 1) / ((4 if cosited else 2) * scale)
    taps = np.arange(-_REACH, _REACH + 1)
    return resample.cubic(taps[None, :] - offset[:, None])


def _graph(descriptor: Descriptor, weights: NDArray[np.float32]) -> onnx.ModelProto:
    scale, pad = descriptor.scale, _REACH
    constants = {
        "pads": np.array([0, 0, pad, pad, 0, 0, pad, pad], np.int64),
        "kernel": weights,
        "black": np.float32(0),
        "white": np.float32(255),
    }
    nodes = [
        helper.make_node("Cast", ["y"], ["y_float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["y_float"], ["core_in"], perm=[1, 0, 2, 3]),
        helper.make_node("Pad", ["core_in", "pads"], ["padded"], mode="edge"),
        helper.make_node("Conv", ["padded", "kernel"], ["core_out"]),
        helper.make_node("Clip", ["core_out", "black", "white"], ["clipped"]),
        helper.make_node("Round", ["clipped"], ["rounded"]),
        helper.make_node("Cast", ["rounded"], ["code"], to=TensorProto.UINT8),
        # Shuffled as bytes: a quarter of the traffic at full size that floats would cost.
        helper.make_node("DepthToSpace", ["code"], ["shuffled"], blocksize=scale, mode="CRD"),
        helper.make_node("Transpose", ["shuffled"], ["y_hr"], perm=[1, 0, 2, 3]),
    ]
    graph = helper.make_graph(
        nodes,
        descriptor.name,
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [1, 2, "H", "W"])],
        [helper.make_tensor_value_info("y_hr", TensorProto.UINT8, [1, 2, "sH", "sW"])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, descriptor.to_metadata())
    return model


if __name__ == "__main__":
    for scale in SCALES:
        for siting in Siting:
            made, data = build(scale=scale, siting=siting)
            (FOLDER / f"{made.name}.onnx").write_bytes(data)
