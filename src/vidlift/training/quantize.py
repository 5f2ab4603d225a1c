"""A model in 8-bit integers, by NNCF (extra ``quantize``), at a stated loss.

Ranges of the activations are found on training pictures, and the loss is measured on held-out
ones. What looks at code values stays in float32, the head, the image-space residual and the sum:
rounding them to 8 bits costs more than all the rest together. So does the tail where the loss asks
for it; where it makes few samples of a place and takes little time, a small loss does. The weights
of the head are rounded to whole steps, so that engines may add them up in 8 bits after all.
"""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from vidlift import metrics, models
from vidlift.engines import open_engine
from vidlift.errors import ModelError, UsageError
from vidlift.models import Model, steps
from vidlift.training.pictures import Picture

IN_FLOAT = (("head", "skip", "core_out"), ("head", "skip", "core_out", "tail"))
"""What stays in float32, by the names of its outputs: what is tried, the most quantised first."""

TAIL = 0.01
"""What the tail in 8 bits may cost at x2, in dB: it saves a tenth of the time there."""

CALIBRATION = 64
"""Pictures that ranges are found on."""

SIDE = 128
"""Longest side of what is looked at of each, low-resolution samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    model: Model
    in_float: tuple[str, ...]
    """What was left in float32."""

    before: float
    """PSNR-Y of the float model on the held-out pictures, dB."""

    after: float

    @property
    def loss(self) -> float:
        """In dB."""
        return self.before - self.after


def quantize(
    model: Model,
    calibration: Sequence[Picture],
    held_out: Sequence[Picture],
    *,
    max_loss: float,
) -> Quantized:
    """The variant ``<name>-int8`` of a model, with as much in 8 bits as ``max_loss`` dB allow.

    Raises ``ModelError`` where none is that good and for a model of another form, ``UsageError``
    where NNCF is missing.
    """
    if not calibration or not held_out:
        raise UsageError(
            "quantisation needs pictures to find ranges on and held-out ones to judge by; "
            f"{len(calibration)} and {len(held_out)} came: one photograph in twenty is held out, "
            "by its name, so give more"
        )
    _check_form(model)
    check_extra()
    planes = _couples(_spread(calibration, CALIBRATION))
    before = psnr(model, held_out)

    def attempt(in_float: tuple[str, ...]) -> Quantized:
        made = _in_8_bits(model, planes, in_float)
        return Quantized(model=made, in_float=in_float, before=before, after=psnr(made, held_out))

    most, least = IN_FLOAT
    found = attempt(most)
    if found.loss <= max_loss and model.descriptor.scale != 2:
        return found
    better = attempt(least)
    if found.loss <= min(max_loss, better.loss + TAIL):
        return found
    if better.loss <= max_loss:
        return better
    raise ModelError(
        f"model {model.descriptor.name} loses {better.loss:.3f} dB in 8 bits, more than the "
        f"{max_loss:g} dB allowed; train it further, or allow more with --max-loss"
    )


def check_extra() -> None:
    """Raises ``UsageError`` where NNCF is missing."""
    if find_spec("nncf") is None:
        raise UsageError("quantisation needs the extra `vidlift[quantize]`, not installed")


def _check_form(model: Model) -> None:
    """Raises ``ModelError`` where the layers to be left in float32 are not there to be told."""
    nodes = onnx.load_model_from_string(model.data).graph.node
    layers = {node.output[0] for node in nodes if node.op_type in ("Conv", "Add")}
    quantised = any(node.op_type == "QuantizeLinear" for node in nodes)
    if quantised or not layers >= {name for names in IN_FLOAT for name in names}:
        raise ModelError(
            f"model {model.descriptor.name} is in 8 bits already, or not a network that "
            "`vidlift model export` wrote"
        )


def psnr(model: Model, held_out: Sequence[Picture]) -> float:
    """Mean PSNR-Y of a model over pictures, ``scale`` samples of the border cut off."""
    engine = open_engine(model, engine="onnxruntime", threads=1)
    try:
        found = []
        for picture in held_out:
            made = engine.run(np.stack([picture.low, picture.low])[None])[0, 0]
            found.append(metrics.psnr(made, picture.high, border=model.descriptor.scale))
        return float(np.mean(np.minimum(found, metrics.CEILING)))
    finally:
        engine.close()


def by_nncf(
    graph: onnx.ModelProto, samples: Sequence[NDArray[Any]], *, in_float: Sequence[str]
) -> onnx.ModelProto:
    """Any graph of one input in 8 bits, its metadata kept; the one that is given is changed.

    ``samples`` are inputs to find ranges on, ``in_float`` operators that stay in float32, by the
    names of their outputs.
    """
    # Without this NNCF tells its makers of every use.
    os.environ.setdefault("NNCF_CI", "1")
    _widen(graph.graph)
    for node in graph.graph.node:
        node.name = node.output[0]  # NNCF knows layers by the names of their nodes
    metadata, takes = list(graph.metadata_props), graph.graph.input[0].name
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # of its own imports
        import nncf

        nncf.set_log_level(logging.ERROR)
        made: onnx.ModelProto = nncf.quantize(
            graph,
            nncf.Dataset(samples, lambda sample: {takes: sample}),
            target_device=nncf.TargetDevice.CPU,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(samples),
            ignored_scope=nncf.IgnoredScope(names=list(in_float)),
        )
    onnx.helper.set_model_props(made, {entry.key: entry.value for entry in metadata})
    return made


def _in_8_bits(
    model: Model, planes: Sequence[NDArray[np.uint8]], in_float: tuple[str, ...]
) -> Model:
    graph = onnx.load_model_from_string(model.data)
    _widen(graph.graph)
    _round_head(graph.graph)
    made = by_nncf(graph, planes, in_float=in_float)
    descriptor = replace(model.descriptor, name=f"{model.descriptor.name}-int8")
    onnx.helper.set_model_props(made, descriptor.to_metadata())
    return models.from_bytes(bytes(made.SerializeToString()), where=descriptor.name)


def _widen(graph: onnx.GraphProto) -> None:
    """Weights that are stored as float16 become float32: NNCF looks for them at the layer."""
    stored = {entry.name: entry for entry in graph.initializer}
    casts = [n for n in graph.node if n.op_type == "Cast" and n.input[0] in stored]
    for cast in casts:
        half = stored[cast.input[0]]
        whole = numpy_helper.to_array(half).astype(np.float32)
        graph.initializer.remove(half)
        graph.initializer.append(numpy_helper.from_array(whole, cast.output[0]))
        graph.node.remove(cast)


def _round_head(graph: onnx.GraphProto) -> None:
    """The weights of the head in whole steps (``models/steps.py``)."""
    (head,) = (node for node in graph.node if node.output[0] == steps.FIRST)
    (weights,) = (entry for entry in graph.initializer if entry.name == head.input[1])
    rounded = steps.in_whole_steps(numpy_helper.to_array(weights))
    weights.CopyFrom(numpy_helper.from_array(rounded, weights.name))


def _couples(found: Sequence[Picture]) -> list[NDArray[np.uint8]]:
    """Pictures two at a time as models take them, ``[1, 2, H, W]``, cut to a common size.

    One in four spans all code values: ranges of studio luma alone would make white grey.
    """
    cut = [picture.low[:SIDE, :SIDE] for picture in found]
    if len(cut) == 1:
        cut *= 2
    couples = []
    for index, (one, other) in enumerate(pairwise(cut)):
        height, width = (min(sides) for sides in zip(one.shape, other.shape, strict=True))
        planes = [one[:height, :width], other[:height, :width]]
        if index % 2:
            planes[1] = _stretched(planes[1])
        couples.append(np.stack(planes)[None])
    return couples


def _stretched(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The darkest sample at 0, the brightest at 255."""
    least, most = int(plane.min()), int(plane.max())
    return np.array(np.rint((plane - float(least)) * (255 / max(1, most - least))), np.uint8)


def _spread(found: Sequence[Picture], count: int) -> Sequence[Picture]:
    """At most ``count`` of them, from all over."""
    return found[:: max(1, -(-len(found) // count))]
