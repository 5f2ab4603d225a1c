"""Architectures, their export, and what a model file says of itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

import onnx
import torch
from onnx import numpy_helper

from support.shared import require
from support.trained import checkpoint_of
from vidlift import models
from vidlift.engines import open_engine
from vidlift.errors import ModelError, UsageError
from vidlift.training import architectures, export

NAMES = ("plain-8x2", "plain-16x1", "plain-8x2-fold2", "plain-8x2-edge", "plain-8x2-fold2-edge")


def random_network(name: str, *, scale: int) -> architectures.Plain:
    torch.manual_seed(scale)
    network = architectures.build(name, scale=scale)
    with torch.no_grad():  # far from bicubic, so that every layer shows
        network.tail.weight.mul_(10)
    return network


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", NAMES)
def test_an_exported_network_is_the_network(name: str, scale: int) -> None:
    network = random_network(name, scale=scale)
    model = export.export(checkpoint_of(network, name, scale=scale))
    assert model.descriptor.scale == scale
    assert model.descriptor.multiple_of == network.fold
    assert model.descriptor.architecture == name
    assert model.descriptor.padding == ("edge" if name.endswith("-edge") else "zero")


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_with_an_edge_a_flat_picture_stays_flat_to_the_border(scale: int) -> None:
    y = np.full((1, 2, 17, 20), 60, np.uint8)
    made = {
        name: open_engine(
            export.export(checkpoint_of(random_network(name, scale=scale), name, scale=scale)),
            engine="reference",
        ).run(y)[0, 0]
        for name in ("plain-8x2", "plain-8x2-edge")
    }
    across = (slice(None, None, scale), slice(None, None, scale))
    assert len(np.unique(made["plain-8x2-edge"][across])) == 1
    assert len(np.unique(made["plain-8x2"][across])) > 1


@pytest.mark.parametrize("name", ["plain-8x2", "plain-8x2-fold2"])
def test_an_edge_changes_nothing_far_from_the_border(name: str) -> None:
    zero, edge = (random_network(each, scale=2) for each in (name, f"{name}-edge"))
    picture = torch.rand(1, 1, 40, 36)
    far = np.s_[..., 16:-16, 16:-16]  # 2 times 4 places of up to 2x2 samples
    with torch.no_grad():
        assert torch.allclose(zero(picture)[far], edge(picture)[far], atol=1e-5)
        assert not torch.allclose(zero(picture), edge(picture), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_weights_in_half_the_bytes_give_the_same_picture(name: str) -> None:
    state = checkpoint_of(random_network(name, scale=4), name, scale=4)
    whole, half = export.export(state), export.export(state, half=True)
    assert len(half.data) < 0.7 * len(whole.data)
    rng = np.random.default_rng(8)
    for bits in (8, 10):
        y = rng.integers(0, 1 << bits, (1, 2, 32, 40), np.uint8 if bits == 8 else np.uint16)
        made = [
            open_engine(model, engine="reference").run(y, bits=bits).astype(int)
            for model in (whole, half)
        ]
        assert np.abs(made[0] - made[1]).max() <= 1 << (bits - 8)


def test_inner_weights_in_half_the_bytes_are_those_that_bfloat16_holds() -> None:
    name = "plain-8x3"
    state = checkpoint_of(random_network(name, scale=2), name, scale=2)
    stored = onnx.load_model_from_string(export.export(state, half=True).data).graph.initializer
    weights = {
        each.name: torch.from_numpy(numpy_helper.to_array(each).astype(np.float32))
        for each in stored
        if each.name.endswith("_weight")
    }
    exact = {n for n, weight in weights.items() if torch.equal(weight, weight.bfloat16().float())}
    assert exact == {"body0_weight", "body1_weight", "body2_weight", "tail_weight"}


def test_weights_in_half_the_bytes_cost_no_time() -> None:
    """The casts behind them are done when an engine loads the model, not when it runs."""
    require("openvino")
    state = checkpoint_of(random_network("plain-8x2", scale=2), "plain-8x2", scale=2)
    models_of = [export.export(state, half=half) for half in (False, True)]
    for kinds in (_openvino_kinds, _onnxruntime_kinds):
        whole, half = (kinds(model) for model in models_of)
        assert whole == half


def _openvino_kinds(model: models.Model) -> list[str]:
    """The operations that OpenVINO runs, after all it does to a graph."""
    import openvino

    core = openvino.Core()
    graph = core.read_model(model.data)
    graph.reshape([1, 2, 32, 40])
    compiled = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    made = compiled.get_runtime_model().get_ops()
    return sorted(str(op.get_rt_info()["layerType"].astype(str)) for op in made)


def _onnxruntime_kinds(model: models.Model) -> list[str]:
    """The nodes that ONNX Runtime runs, after all it does to a graph."""
    import onnx
    import onnxruntime

    with TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        options.log_severity_level = 3  # it warns that such a file is for this processor alone
        onnxruntime.InferenceSession(model.data, options, providers=["CPUExecutionProvider"])
        optimized = onnx.load(options.optimized_model_filepath)
    return sorted(node.op_type for node in optimized.graph.node)


def test_what_layers_pass_on_is_rounded_to_steps_of_the_range() -> None:
    torch.manual_seed(0)
    network = architectures.build("plain-8x2", scale=2)
    image = torch.rand(2, 1, 12, 12)
    _, exact = network.with_features(image)
    network.bits = 5
    _, rounded = network.with_features(image)
    assert len(rounded) == 3
    step = (exact[0].max() - exact[0].min()) / (2**5 - 1)
    steps = rounded[0] / step
    assert torch.allclose(steps, steps.round(), atol=1e-4)
    assert step / 4 < (rounded[0] - exact[0]).abs().max() < step * 0.501


def test_rounding_passes_gradients_on_and_tells_the_ends_of_the_range_what_its_size_costs() -> None:
    image = torch.tensor([0.0, 0.4, 1.3, 3.0], requires_grad=True)  # of two bits: steps of 1
    rounded = architectures._rounded(image, 2)
    assert rounded.tolist() == pytest.approx([0, 0, 1, 3])
    costs = torch.tensor([0.0, 1.0, 10.0, 0.0])
    (rounded * costs).sum().backward()  # type: ignore[no-untyped-call]
    by_step = (-0.4 * 1 - 0.3 * 10) / 3  # a wider range takes what was rounded down further down
    assert image.grad is not None
    assert image.grad.tolist() == pytest.approx([-by_step, 1, 10, by_step])


def test_of_equal_samples_nothing_is_rounded() -> None:
    assert architectures._rounded(torch.full((4,), 0.25), 7).tolist() == [0.25] * 4


def test_an_export_that_differs_is_refused() -> None:
    one, other = random_network("plain-8x2", scale=2), random_network("plain-16x1", scale=2)
    model = export.export(checkpoint_of(one, "plain-8x2", scale=2))
    with pytest.raises(ModelError, match="differs from the network"):
        export.verify(other, model)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", NAMES)
def test_a_network_begins_as_bicubic_interpolation(name: str, scale: int) -> None:
    network = architectures.build(name, scale=scale)
    with torch.no_grad():
        network.tail.weight.zero_()
    y = np.random.default_rng(3).integers(0, 256, (1, 2, 32, 40), np.uint8)
    with torch.no_grad():
        made = network(torch.from_numpy(y[0, :, None]).float() / 255) * 255
    plain = open_engine(models.kernel(scale=scale), engine="reference").run(y)[0]
    inner = np.s_[:, 4 * scale : -4 * scale, 4 * scale : -4 * scale]  # borders are padded otherwise
    difference = made.round().clamp(0, 255).numpy()[:, 0] - plain
    assert np.abs(difference[inner]).max() <= 1


@pytest.mark.parametrize(
    ("name", "scale", "macs"),
    [
        ("plain-16x6", 4, 9 * 16 + 6 * 9 * 16 * 16 + 9 * 16 * 16 + 25 * 16),
        ("plain-16x6-edge", 4, 9 * 16 + 6 * 9 * 16 * 16 + 9 * 16 * 16 + 25 * 16),
        ("plain-16x5-fold2", 2, (9 * 4 * 16 + 5 * 9 * 16 * 16 + 9 * 16 * 16 + 9 * 4 * 16) / 4),
    ],
)
def test_macs_are_counted_per_low_resolution_pixel(name: str, scale: int, macs: float) -> None:
    assert architectures.macs(architectures.build(name, scale=scale)) == macs


@pytest.mark.parametrize(
    "name", ["plain", "plain-16", "fancy-16x6", "plain-16x6-fold3", "plain-16x6-zero", ""]
)
def test_a_name_that_is_no_architecture_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="plain-16x6"):
        architectures.build(name, scale=2)


@pytest.mark.parametrize("name", ["plain-2000x1", "plain-64x9999", "plain-9999x9999-fold2"])
def test_a_network_larger_than_a_model_may_be_is_refused_before_it_is_built(name: str) -> None:
    with pytest.raises(UsageError, match="weights; a model has at most"):
        architectures.build(name, scale=2)


def data_on_card(**changes: object) -> str:
    network = architectures.build("plain-4x1", scale=2)
    state = checkpoint_of(network, "plain-4x1", scale=2)
    digest = changes.pop("training_data", state.training_data)
    state = replace(
        state,
        training_data=str(digest),
        recipe=replace(state.recipe, **changes),  # type: ignore[arg-type]
    )
    said: str = export.card_of(state, export.export(state))["training_data"]["what"]
    return said


def test_a_card_claims_no_more_of_its_data_than_the_recipe() -> None:
    own = data_on_card(pictures=("holidays",), packs=("/data/films",))
    assert "holidays" in own
    assert "films" in own
    assert "licences are not stated" in own
    assert "NOTICE" not in own, "what is not ours is not in our list"
    stated = data_on_card(pictures=("holidays",), sources="our own photographs, CC0-1.0")
    assert "our own photographs, CC0-1.0" in stated
    assert "not stated" not in stated


@pytest.mark.parametrize("name", models.names())
def test_a_card_knows_what_the_shipped_networks_learnt_from(name: str) -> None:
    card = models.card(name)
    assert card is not None
    digest, what = card["training_data"]["sha256"], card["training_data"]["what"]
    assert data_on_card(training_data=digest) == what


def test_a_model_may_have_another_name_than_its_recipe(tmp_path: Path) -> None:
    state = checkpoint_of(architectures.build("plain-4x1", scale=2), "plain-4x1", scale=2)
    where = export.write(state, tmp_path, name="s-x2-clean")
    card = models.card(where)
    assert card is not None
    assert (where.stem, card["name"], card["recipe"]["name"]) == ("s-x2-clean", "s-x2-clean", "m")
    assert models.describe(where).name == "s-x2-clean"
