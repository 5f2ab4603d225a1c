"""A model in 8 bits: the ends stay in float, the loss is measured and may be refused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

from support import trained
from support.cli import vidlift
from support.networks import plain_network
from support.pictures import make_pictures
from support.shared import require
from vidlift import models
from vidlift.errors import ModelError, UsageError
from vidlift.models import steps
from vidlift.training import architectures, dataset, quantize
from vidlift.training.pictures import Picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"), count=30)


def model_file(folder: Path, *, half: bool = False) -> Path:
    network = architectures.build("plain-8x2", scale=2)
    return trained.model_file(folder, network, "plain-8x2", half=half)


@pytest.mark.parametrize("half", [False, True], ids=["float32", "float16"])
def test_a_model_is_written_in_8_bits(tmp_path: Path, folder: Path, half: bool) -> None:
    require("quantize")
    where = model_file(tmp_path, half=half)
    options = ("--data", folder, "--max-loss", 1)
    ended = vidlift("model", "quantize", where, tmp_path / "out", *options)
    assert ended.code == 0, ended.err
    made = tmp_path / "out" / "s-x2-int8.onnx"
    model = models.load(made)
    assert model.descriptor.name == "s-x2-int8"
    graph = onnx.load_model_from_string(model.data).graph
    dequantized = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    in_bits = {
        node.name for node in graph.node if node.op_type == "Conv" and node.input[1] in dequantized
    }
    assert in_bits - {"tail"} == {"body0", "body1"}
    (added,) = (node for node in graph.node if node.op_type == "Add")
    assert set(added.input) == {"tail", "skip"}, "the sum sees code values"
    (head,) = (node for node in graph.node if node.output[0] == steps.FIRST)
    (first,) = (entry for entry in graph.initializer if entry.name == head.input[1])
    assert steps.in_copies(numpy_helper.to_array(first)) is not None, "engines may add up bytes"
    card = models.card(made)
    assert card is not None
    assert (card["name"], card["sha256"]) == ("s-x2-int8", model.sha256)
    said = card["figures"]["int8"]
    assert said["loss"] < 1
    assert ("tail" in in_bits) == ("tail" not in said["in_float"])
    assert card["parameters"] > 0


def test_ranges_are_found_on_pictures_as_they_are_and_on_some_of_all_code_values() -> None:
    dull = np.linspace(60, 180, 20 * 30).astype(np.uint8).reshape(20, 30)
    picture = Picture(source="dull", high=np.repeat(dull, 2, axis=0).repeat(2, axis=1), low=dull)
    planes = [plane for couple in quantize._couples([picture] * 5) for plane in couple[0]]
    found = [(int(plane.min()), int(plane.max())) for plane in planes]
    assert found == [(60, 180), (60, 180), (60, 180), (0, 255)] * 2
    black = Picture(source="black", high=np.zeros((4, 4), np.uint8), low=np.zeros((2, 2), np.uint8))
    assert not any(couple.any() for couple in quantize._couples([black] * 5))


@pytest.mark.parametrize(
    ("scale", "losses", "tail_stays"),
    [
        (4, (0.049, 0.01), False),
        (4, (0.051, 0.01), True),
        (2, (0.02, 0.012), False),
        (2, (0.02, 0.008), True),
        (2, (0.052, 0.049), True),
    ],
)
def test_the_tail_stays_in_float_where_its_loss_is_too_great(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    scale: int,
    losses: tuple[float, float],
    tail_stays: bool,
) -> None:
    """At x2 also where it loses more than it is worth."""
    tried: list[tuple[str, ...]] = []

    def in_8_bits(model: models.Model, _planes: object, in_float: tuple[str, ...]) -> models.Model:
        tried.append(in_float)
        return model

    monkeypatch.setattr(quantize, "check_extra", lambda: None)
    monkeypatch.setattr(quantize, "_in_8_bits", in_8_bits)
    most, least = quantize.IN_FLOAT
    levels = {most: 31 - losses[0], least: 31 - losses[1]}
    monkeypatch.setattr(quantize, "psnr", lambda *_args: levels[tried[-1]] if tried else 31.0)
    training, held_out = dataset.split(folder, scale=scale)
    model = models.load(f"s-x{scale}")
    made = quantize.quantize(model, training, held_out, max_loss=0.05)
    assert made.in_float == (least if tail_stays else most)
    assert made.loss == pytest.approx(losses[tail_stays])


def test_a_loss_that_is_too_great_is_refused(folder: Path) -> None:
    require("quantize")
    training, held_out = dataset.split(folder, scale=2)
    with pytest.raises(ModelError, match="more than the -9 dB allowed"):
        quantize.quantize(loaded(folder), training[:4], held_out, max_loss=-9)


def test_what_cannot_be_is_told_before_the_work(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "split", lambda *_args, **_more: pytest.fail("it was begun"))
    command = ("model", "quantize", "s-x2", tmp_path, "--data", folder)
    ended = vidlift(*command, "--max-loss", "nan")
    assert ended.code == 2
    assert "--max-loss" in ended.complaint
    monkeypatch.setitem(sys.modules, "nncf", None)
    ended = vidlift(*command)
    assert ended.code == 2
    assert "vidlift[quantize]" in ended.complaint


def loaded(folder: Path) -> models.Model:
    return models.load(model_file(folder.parent))


def test_pictures_to_judge_by_are_needed(folder: Path) -> None:
    training, _ = dataset.split(folder, scale=2)
    with pytest.raises(UsageError, match=r"held-out ones to judge.*\d+ and 0 came"):
        quantize.quantize(plain_network(), training, [], max_loss=0.05)


def test_ranges_are_found_on_pictures_of_all_sizes(folder: Path) -> None:
    training, _ = dataset.split(folder, scale=2)
    couples = quantize._couples(training[:3])
    assert [couple.shape for couple in couples] == [(1, 2, 36, 36)] * 2
    assert (couples[0][0, 0] == training[0].low).all()
    assert len(quantize._couples(training[:1])) == 1
    assert len(quantize._spread(training, 4)) <= 4
    assert all(couple.dtype == np.uint8 for couple in couples)


@pytest.mark.parametrize("model", [models.kernel(scale=2), plain_network()], ids=["kernel", "own"])
def test_a_model_of_another_form_is_refused(folder: Path, model: models.Model) -> None:
    training, held_out = dataset.split(folder, scale=2)
    with pytest.raises(ModelError, match="not a network that `vidlift model export` wrote"):
        quantize.quantize(model, training, held_out, max_loss=0.05)
