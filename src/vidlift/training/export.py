"""From a trained network to a model file: integer in, integer out, and proof that it is the same.

    y ──cast──> core_in ──convolutions──> core_out ──clip, round, cast──> bytes ──shuffle──> y_hr

Code values are folded into the weights of the ends. The picture is rounded *before* it is
shuffled to full size: bytes are a quarter of the traffic of floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from vidlift import models
from vidlift.descriptor import Descriptor
from vidlift.engines.reference import ReferenceEngine
from vidlift.errors import ModelError, OutputError
from vidlift.models import Model, cards, check, from_bytes
from vidlift.training import architectures, checkpoint
from vidlift.training.architectures import SLOPE, Plain
from vidlift.training.checkpoint import Checkpoint

NOT_STATED = "their sources and licences are not stated: `sources` in the recipe is for that"

DATA_OF_TITLES = (
    "frames of {titles}, through x264 at CRF {crf}, on top of the network that it began from"
)

VERSION = "1"
"""Version of the exported form, noted in every descriptor."""


def export(state: Checkpoint, *, half: bool = False) -> Model:
    """The model of a checkpoint, checked against torch on random pictures.

    ``half`` stores weights as float16, those behind the first layer rounded to what bfloat16 holds,
    so that computing there in bfloat16 changes the picture less. Raises ``ModelError`` where a
    sample differs by more than 1, or a weight is no finite number.
    """
    network = checkpoint.averaged(state)
    if not all(bool(weight.isfinite().all()) for weight in network.parameters()):
        raise ModelError(
            f"the run of {state.recipe.name} diverged: its weights are no numbers; train it anew"
        )
    if half:
        _round(network)
    model = from_bytes(to_onnx(network, describe(state), half=half), where=state.recipe.name)
    verify(network, model)
    return model


def _round(network: Plain) -> None:
    """Have the inner layers' weights, as the file has them, hold no more than bfloat16 can."""
    with torch.no_grad():
        for layer in network.body:
            assert isinstance(layer, nn.Conv2d)
            layer.weight.copy_(layer.weight.bfloat16())
        network.tail.weight.copy_((255 * network.tail.weight).bfloat16().float() / 255)


def describe(state: Checkpoint) -> Descriptor:
    recipe = state.recipe
    network = architectures.build(recipe.architecture, scale=recipe.scale)
    return Descriptor(
        name=recipe.name,
        tier=recipe.tier,
        scale=recipe.scale,
        padding=network.padding,
        multiple_of=network.fold,
        architecture=recipe.architecture,
        training_data=state.training_data,
        version=VERSION,
        licence=recipe.licence,
    )


def to_onnx(network: Plain, descriptor: Descriptor, *, half: bool = False) -> bytes:
    """The ONNX file of a network, in the form of ``docs/models.md``.

    ``half``: weights lie in the file as float16, each behind a cast that engines fold away.
    """
    graph = _Graph(half=half)
    graph.add("Cast", ["y"], "y_float", to=TensorProto.FLOAT)
    graph.add("Transpose", ["y_float"], "core_in", perm=[1, 0, 2, 3])
    image = "core_in"
    if network.fold > 1:
        image = graph.add("SpaceToDepth", ["core_in"], "folded", blocksize=network.fold)
    edge = network.padding == "edge"
    entry = graph.edge("entry", image, network.reach) if edge else image
    features = graph.conv("head", entry, _weight(network.head) / 255, _bias(network.head), edge)
    for index, layer in enumerate(network.body):
        features = graph.add("LeakyRelu", [features], f"{features}_active", alpha=SLOPE)
        features = graph.conv(f"body{index}", features, _weight(layer), _bias(layer), edge)
    features = graph.add("LeakyRelu", [features], f"{features}_active", alpha=SLOPE)
    tail = graph.conv(
        "tail", features, 255 * _weight(network.tail), 255 * _bias(network.tail), edge
    )
    beside = graph.edge("beside", image, network.skip.kernel_size[0] // 2) if edge else image
    skip = graph.conv("skip", beside, _weight(network.skip), None, edge)
    graph.add("Add", [tail, skip], "core_out")
    graph.constant("black", np.float32(0))
    graph.constant("white", np.float32(255))
    graph.add("Clip", ["core_out", "black", "white"], "clipped")
    graph.add("Round", ["clipped"], "rounded")
    graph.add("Cast", ["rounded"], "code", to=TensorProto.UINT8)
    block = network.scale * network.fold
    graph.add("DepthToSpace", ["code"], "shuffled", blocksize=block, mode="CRD")
    graph.add("Transpose", ["shuffled"], "y_hr", perm=[1, 0, 2, 3])
    return graph.serialize(descriptor)


def verify(network: Plain, model: Model, *, side: int = 40, seed: int = 0) -> None:
    """Compare model and network on random pictures, odd sizes included where it takes them.

    Raises ``ModelError`` where they differ by more than 1: torch and the judge round sums of
    floats in other orders, so that a value next to a half may fall to either side.
    """
    rng = np.random.default_rng(seed)
    engine = ReferenceEngine(model, threads=1)
    for height, width in ((side, side + 6 * network.fold), (side - network.fold, side)):
        y = rng.integers(0, 256, (1, 2, height, width), np.uint8)
        with torch.no_grad():
            made = network(torch.from_numpy(y[0, :, None]).float() / 255) * 255
        wanted = made.round().clamp(0, 255).numpy()[:, 0]
        came = engine.run(y)[0]
        difference = int(np.abs(came - wanted).max())
        if difference > 1:
            raise ModelError(
                f"model {model.descriptor.name}: the exported file differs from the network by "
                f"{difference} code values on {width}x{height}; at most 1 is rounding"
            )


def card_of(
    state: Checkpoint, model: Model, *, figures: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The card of an exported model; ``figures`` are to be measured yet unless given."""
    network = architectures.build(state.recipe.architecture, scale=state.recipe.scale)
    return cards.make(
        model,
        parameters=architectures.parameters(network),
        macs=architectures.macs(network),
        recipe={**asdict(state.recipe), "bf16_body": state.bf16, "seconds": round(state.seconds)},
        data=_data(state),
        figures=figures,
    )


def _data(state: Checkpoint) -> str:
    """What a network learnt from, in words: what is known of it, and no more."""
    recipe = state.recipe
    if recipe.titles:
        names = ", ".join(Path(title).name for title in recipe.titles)
        titles = DATA_OF_TITLES.format(titles=names, crf=recipe.title_crf)
        return f"{titles}; {recipe.sources}" if recipe.sources else titles
    if (known := _known(state.training_data)) is not None and not recipe.sources:
        return known
    parts = []
    if recipe.pictures:
        names = ", ".join(Path(folder).name or folder for folder in recipe.pictures)
        parts.append(f"the pictures of {names}, down-scaled by antialiased bicubic")
    if recipe.packs:
        names = ", ".join(Path(pack).name or pack for pack in recipe.packs)
        parts.append(f"the packs {names}")
    return "; ".join([*parts, recipe.sources or NOT_STATED])


def _known(digest: str) -> str | None:
    """What is said of the same data on the card of a network that is shipped."""
    for name in models.names():
        said = (models.card(name) or {}).get("training_data", {})
        if said.get("sha256") == digest:
            return str(said["what"])
    return None


def write(
    state: Checkpoint,
    folder: Path,
    *,
    half: bool = False,
    name: str | None = None,
    figures: Mapping[str, Any] | None = None,
) -> Path:
    """Export a checkpoint: the model and its card, in a folder; returns the path of the model.

    ``name`` is that of the model, the recipe's unless said; the card names the recipe by its own.
    Raises ``OutputError`` where they cannot be written.
    """
    named = state if name is None else replace(state, recipe=replace(state.recipe, name=name))
    model = export(named, half=half)
    return _write(model, card_of(state, model, figures=figures), folder)


def write_variant(
    model: Model, folder: Path, *, card: Mapping[str, Any], figures: Mapping[str, Any]
) -> Path:
    """Write another form of a model, with the card of what it was made from and new figures.

    Raises ``OutputError`` where they cannot be written.
    """
    own = {"name": model.descriptor.name, "bytes": len(model.data), "sha256": model.sha256}
    return _write(model, {**card, **own, "figures": dict(figures)}, folder)


def _write(model: Model, card: Mapping[str, Any], folder: Path) -> Path:
    where = folder / f"{model.descriptor.name}.onnx"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {where}: {error.strerror}") from error
    cards.save(card, where.with_suffix(".json"), model=model)
    return where


class _Graph:
    """Nodes and constants as they are added."""

    def __init__(self, *, half: bool) -> None:
        self._half = half
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def conv(
        self,
        name: str,
        entry: str,
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        padded: bool,
    ) -> str:
        """A convolution of what is ``padded`` already, or pads by zeros."""
        inputs = [entry, self.weights(f"{name}_weight", weight)]
        if bias is not None:
            inputs.append(self.constant(f"{name}_bias", bias))
        reach = 0 if padded else weight.shape[2] // 2
        return self.add("Conv", inputs, name, pads=[reach] * 4)

    def edge(self, name: str, image: str, by: int) -> str:
        """The picture with its edge repeated."""
        pads = self.constant(f"{name}_pads", np.array([0, 0, by, by] * 2, np.int64))
        return self.add("Pad", [image, pads], name, mode="edge")

    def weights(self, name: str, values: NDArray[Any]) -> str:
        if not self._half:
            return self.constant(name, values)
        self.constant(name, values.astype(np.float16))
        return self.add("Cast", [name], f"{name}_float", to=TensorProto.FLOAT)

    def constant(self, name: str, values: Any) -> str:
        self._constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def serialize(self, descriptor: Descriptor) -> bytes:
        graph = helper.make_graph(
            self._nodes,
            descriptor.name,
            [helper.make_tensor_value_info("y", TensorProto.UINT8, [1, 2, "H", "W"])],
            [helper.make_tensor_value_info("y_hr", TensorProto.UINT8, [1, 2, "sH", "sW"])],
            self._constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", check.MAX_OPSET)], ir_version=8
        )
        helper.set_model_props(model, descriptor.to_metadata())
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def _weight(conv: nn.Conv2d) -> NDArray[Any]:
    return np.ascontiguousarray(conv.weight.detach().numpy())


def _bias(conv: nn.Conv2d) -> NDArray[Any]:
    assert conv.bias is not None
    bias: NDArray[Any] = conv.bias.detach().numpy()
    return bias
