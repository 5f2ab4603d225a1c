"""Networks with random weights in many forms: what ``benchmarks/graphs.py`` times.

A form is a network and the graph around it, between the bytes that go in and those that come
out. Weights come from one seed, so forms that say the same thing differently give the same
bytes, and any other difference is a mistake.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

STRIP = 34
"""Rows of a strip, without what its neighbours lend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A network and the graph around it. The defaults are the base form."""

    scale: int = 4
    channels: int = 16
    layers: int = 6
    """Convolutions between the first and the last."""

    fold: str = "none"
    """``none``; 2x2 input pixels into channels by ``space`` (SpaceToDepth) or by a ``stride``."""

    batch: str = "transpose"
    """How frames become a batch: ``transpose`` or ``reshape``, of floats; ``bytes``: a reshape
    before the cast."""

    entry: str = "cast"
    """``cast``, or ``dequantize``: DequantizeLinear by 1."""

    head: int = 3
    tail: int = 3
    """Sizes of the first and the last kernel."""

    residual: str = "5x5"
    """A convolution of the input, ``5x5`` or ``3x3``, added; ``nearest``: the input itself added;
    ``inside``: the input as one more channel of the last convolution; ``carried``: the input kept
    in a channel of the body, whose layers pass it on; ``none``. All begin as the nearest sample,
    so that forms of one network can be compared."""

    pad: str = "zero"
    """``zero`` in each convolution; ``edge``: the edge repeated before each; ``once``: before the
    first, by all that the network looks around itself."""

    act: str = "LeakyRelu"
    exit: str = "clip round cast"
    """``clip round cast``; ``half``: a half added, clipped and cut; ``quantize``: QuantizeLinear
    by 1, which rounds and clips."""

    shuffle: str = "bytes"
    """``bytes``: rounded before the shuffle; ``floats``: after it; ``dcr``: bytes, in the other
    order of DepthToSpace, which is the same for one channel."""

    @property
    def factor(self) -> int:
        return 1 if self.fold == "none" else 2

    @property
    def reach(self) -> int:
        """How far an output sample looks around itself, in input samples."""
        return self.factor * (self.head // 2 + self.layers + self.tail // 2)

    @property
    def mac(self) -> int:
        """Per low-resolution pixel."""
        image, out = self.factor**2, (self.scale * self.factor) ** 2
        last_in = self.channels + (1 if self.residual == "inside" else 0)
        skip = {"5x5": 25 if self.factor == 1 else 9, "3x3": 9}.get(self.residual, 0)
        body = 9 * self.layers * self.channels**2
        ends = image * self.head**2 * self.channels + last_in * self.tail**2 * out
        return (body + ends + skip * image * out) // image


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    name: str
    form: Form
    strips: bool = False
    """Run strip by strip, each with the rows of its neighbours that it looks at."""


CASES = {
    "s-x4": Form(channels=8, layers=5),
    "m-x4": Form(channels=16, layers=6),
    "l-x4": Form(channels=32, layers=5),
    "m-x2": Form(scale=2, channels=16, layers=6, fold="space"),
}
"""Networks of about their tier's cost."""


def variants(base: Form) -> Iterator[Variant]:
    """The base, then forms that differ from it in one thing, or in one more than another does."""

    def other(name: str, **changes: Any) -> Variant:
        return Variant(name=name, form=replace(base, **changes))

    yield Variant(name="base", form=base)
    yield other("floats shuffled, then rounded", shuffle="floats")
    yield other("shuffle in DCR order", shuffle="dcr")
    yield other("frames to batch by Reshape", batch="reshape")
    yield other("frames to batch by Reshape, as bytes", batch="bytes")
    yield other("DequantizeLinear for Cast at the entry", entry="dequantize")
    yield other("QuantizeLinear at the exit", exit="quantize")
    yield other("add a half and cut, for Round", exit="half")
    yield other("reshape, QuantizeLinear", batch="reshape", exit="quantize")
    yield other("reshape, half and cut", batch="reshape", exit="half")
    if base.factor == 1:
        yield other("residual 3x3", residual="3x3")
        yield other("residual nearest", residual="nearest")
        yield other("residual inside the last convolution", residual="inside")
        yield other("residual carried in a channel", residual="carried")
    yield other("no residual", residual="none")
    yield other("first 5x5", head=5)
    yield other("last 5x5, no residual", tail=5, residual="none")
    yield other("edge padded in each layer", pad="edge")
    yield other("edge padded once", pad="once")
    yield other("ReLU", act="Relu")
    yield other("PReLU with the same slope", act="PRelu")
    if base.factor == 2:
        yield other("folded by a stride of 2", fold="stride", residual="none")
        yield other("folded by SpaceToDepth, no residual", residual="none")
        yield other("not folded, 8 channels", fold="none", channels=8, layers=base.layers - 1)
    yield Variant(name=f"in strips of {STRIP} rows", form=base, strips=True)


class _Graph:
    """An ONNX graph as it grows; random weights come from one seed, in the order of asking."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        output = name or f"{kind.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, values: Any) -> str:
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def random(self, *shape: int, gain: float = 1.0) -> NDArray[np.float32]:
        spread = gain * (2 / np.prod(shape[1:])) ** 0.5
        return self._random.normal(0, spread, shape).astype(np.float32)

    def conv(
        self,
        entry: str,
        weight: NDArray[Any],
        bias: bool,
        pad: str,
        *,
        stride: int = 1,
        name: str = "",
    ) -> str:
        reach = (weight.shape[2] - stride) // 2
        inputs = [self.constant(weight.astype(np.float32))]
        if bias:
            inputs.append(self.constant(self.random(len(weight), 1)[:, 0]))
        if pad == "edge":
            entry = self.edge(entry, reach)
        pads = [reach] * 4 if pad == "zero" else [0] * 4
        return self.add("Conv", entry, *inputs, name=name, pads=pads, strides=[stride] * 2)

    def edge(self, entry: str, reach: int) -> str:
        pads = self.constant(np.array([0, 0, reach, reach] * 2, np.int64))
        return self.add("Pad", entry, pads, mode="edge")

    def bytes(self) -> bytes:
        graph = helper.make_graph(
            self._nodes,
            "variant",
            [helper.make_tensor_value_info("y", TensorProto.UINT8, [1, 2, "H", "W"])],
            [helper.make_tensor_value_info("y_hr", TensorProto.UINT8, [1, 2, "sH", "sW"])],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def build(form: Form) -> bytes:
    """The ONNX file of a form."""
    graph = _Graph()
    image = _entry(graph, form)
    core = _core(graph, form, image)
    _exit(graph, form, core)
    return graph.bytes()


def _entry(graph: _Graph, form: Form) -> str:
    """Bytes [1, 2, H, W] -> floats [2, 1, H, W]."""
    frames = "y"
    if form.batch == "bytes":
        frames = graph.add("Reshape", frames, _shape(graph, -1, 1, 0, 0))
    if form.entry == "dequantize":
        one, zero = graph.constant(np.float32(1)), graph.constant(np.uint8(0))
        frames = graph.add("DequantizeLinear", frames, one, zero)
    else:
        frames = graph.add("Cast", frames, to=TensorProto.FLOAT)
    if form.batch == "transpose":
        frames = graph.add("Transpose", frames, perm=[1, 0, 2, 3])
    elif form.batch == "reshape":
        frames = graph.add("Reshape", frames, _shape(graph, -1, 1, 0, 0))
    return frames


def _core(graph: _Graph, form: Form, image: str) -> str:
    """Code values [2, 1, H, W] -> code values [2, (s f)^2, H / f, W / f], not rounded."""

    def fold(entry: str) -> str:
        return graph.add("SpaceToDepth", entry, blocksize=2) if form.fold == "space" else entry

    folded = fold(image)
    entry = fold(graph.edge(image, form.reach)) if form.pad == "once" else folded
    first, body, last = _weights(graph, form)
    pad = "none" if form.pad == "once" else form.pad
    biased = form.residual != "carried"
    features = graph.conv(entry, first, biased, pad, stride=2 if form.fold == "stride" else 1)
    for weight in body:
        features = _act(graph, form, features)
        features = graph.conv(features, weight, biased, pad)
    features = _act(graph, form, features)
    if form.residual == "inside":
        features = graph.add("Concat", features, folded, axis=1)
        last = np.concatenate([last, _nearest(form, form.tail)], axis=1)
    if form.residual not in ("3x3", "5x5", "nearest"):
        return graph.conv(features, last, True, pad, name="core_out")
    core = graph.conv(features, last, True, pad)
    if form.residual == "nearest":
        return graph.add("Add", core, image, name="core_out")
    kernel = _nearest(form, 3 if form.factor == 2 else int(form.residual[0]))
    skip = graph.conv(folded, kernel, False, "zero" if form.pad == "once" else form.pad)
    return graph.add("Add", core, skip, name="core_out")


def _weights(
    graph: _Graph, form: Form
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]], NDArray[np.float32]]:
    """Of the first, the middle and the last convolutions."""
    first = graph.random(form.channels, form.factor**2, form.head, form.head, gain=1 / 255)
    if form.fold == "stride":  # 3x3 on 2x2 pixels is 6x6 with a stride of 2
        first = graph.random(form.channels, 1, 2 * form.head, 2 * form.head, gain=1 / 255)
    body = [graph.random(form.channels, form.channels, 3, 3) for _ in range(form.layers)]
    out = (form.scale * form.factor) ** 2
    last = graph.random(out, form.channels, form.tail, form.tail, gain=5.0)
    if form.residual == "carried":
        first[0], first[0, 0, form.head // 2, form.head // 2] = 0, 1 / 255
        for weight in body:
            weight[0], weight[0, 0, 1, 1] = 0, 1
        last[:, 0] = 255 * _nearest(form, form.tail)[:, 0]
    return first, body, last


def _exit(graph: _Graph, form: Form, core: str) -> None:
    """Code values to rounded, shuffled bytes [1, 2, s H, s W]."""
    block = form.scale * form.factor
    frames = core
    if form.shuffle == "floats":
        frames = graph.add("DepthToSpace", frames, blocksize=block, mode="CRD")
    frames = _round(graph, form, frames)
    if form.shuffle != "floats":
        mode = "DCR" if form.shuffle == "dcr" else "CRD"
        frames = graph.add("DepthToSpace", frames, blocksize=block, mode=mode)
    if form.batch == "transpose":
        graph.add("Transpose", frames, name="y_hr", perm=[1, 0, 2, 3])
    else:
        graph.add("Reshape", frames, _shape(graph, 1, -1, 0, 0), name="y_hr")


def _round(graph: _Graph, form: Form, frames: str) -> str:
    """Code values to bytes."""
    if form.exit == "quantize":
        one, zero = graph.constant(np.float32(1)), graph.constant(np.uint8(0))
        return graph.add("QuantizeLinear", frames, one, zero)
    if form.exit == "half":
        frames = graph.add("Add", frames, graph.constant(np.float32(0.5)))
    white = 255.0 if form.exit == "clip round cast" else 255.5
    frames = graph.add(
        "Clip", frames, graph.constant(np.float32(0)), graph.constant(np.float32(white))
    )
    if form.exit == "clip round cast":
        frames = graph.add("Round", frames)
    return graph.add("Cast", frames, to=TensorProto.UINT8)


def _act(graph: _Graph, form: Form, features: str) -> str:
    if form.act == "PRelu":
        slopes = graph.constant(np.full((form.channels, 1, 1), 0.1, np.float32))
        return graph.add("PRelu", features, slopes)
    if form.act == "LeakyRelu":
        return graph.add("LeakyRelu", features, alpha=0.1)
    return graph.add(form.act, features)


def _nearest(form: Form, size: int) -> NDArray[np.float32]:
    """The nearest sample as a kernel, [(s f)^2, f^2, size, size]."""
    f, block = form.factor, form.scale * form.factor
    weight = np.zeros((block, block, f, f, size, size), np.float32)
    for down in range(block):
        for across in range(block):
            place = down // form.scale, across // form.scale
            weight[(down, across, *place, size // 2, size // 2)] = 1
    return weight.reshape(block * block, f * f, size, size)


def _shape(graph: _Graph, *sides: int) -> str:
    """For Reshape: 0 keeps a side, -1 takes what is left. Two frames or one fit alike."""
    return graph.constant(np.array(sides, np.int64))
