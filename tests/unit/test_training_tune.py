"""A network tuned on a title, and the way back from a model file to a network."""

from __future__ import annotations

import json
import re
from itertools import count
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

import torch

from support import trained
from support.cli import vidlift
from support.clips import make_clip
from vidlift import metrics, models
from vidlift.errors import InputError, ModelError, UsageError
from vidlift.training import (
    architectures,
    dataset,
    pictures,
    restore,
    titles,
    tune,
    validation,
)
from vidlift.training.architectures import Plain
from vidlift.training.machine import Machine
from vidlift.training.recipe import Recipe


def model_file(folder: Path, architecture: str = "plain-8x2", *, half: bool = False) -> Path:
    return trained.model_file(folder, network_of(architecture), architecture, half=half)


def network_of(architecture: str) -> Plain:
    torch.manual_seed(4)
    return architectures.build(architecture, scale=2)


@pytest.fixture(scope="module")
def title(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("title") / "Some Title (2024).mkv"
    return make_clip(where, frames=3 * titles.WINDOW + 5, width=98, height=66, sounds=0)


@pytest.mark.parametrize("half", [False, True], ids=["float32", "float16"])
@pytest.mark.parametrize("architecture", ["plain-8x2", "plain-8x1-fold2"])
def test_a_model_file_comes_back_as_its_network(
    tmp_path: Path, architecture: str, half: bool
) -> None:
    wanted = network_of(architecture).state_dict()
    came = restore.network(model_file(tmp_path, architecture, half=half)).state_dict()
    for name, weight in wanted.items():
        assert torch.allclose(came[name], weight, rtol=2**-8 if half else 1e-6, atol=1e-5), name


def test_what_is_no_network_of_ours_does_not_come_back() -> None:
    with pytest.raises(ModelError, match="not a network that can be trained on"):
        restore.of_model(models.kernel(scale=2))


def test_windows_are_whole_and_held_out_by_turns(title: Path) -> None:
    learnt, judged = titles.load([title], scale=2, crf=20)
    every = titles.WINDOW // titles.KEEP_EVERY
    assert (len(learnt), len(judged)) == (2 * every, every)
    sources = [picture.source for picture in learnt + judged]
    assert len(set(sources)) == 3 * every
    assert sources[0] == f"{title.name}#3"
    for picture in learnt:
        assert picture.high.shape == (64, 96)
        assert picture.low.shape == (32, 48)


def test_a_long_title_gives_windows_further_apart(title: Path) -> None:
    of_a_window = titles.WINDOW // titles.KEEP_EVERY * 64 * 96
    learnt, judged = titles.load([title], scale=2, crf=20, budget=2 * of_a_window)
    numbers = {int(picture.source.split("#")[1]) // titles.WINDOW for picture in learnt + judged}
    assert numbers == {0, 2}


def test_a_title_is_degraded_by_its_codec(title: Path) -> None:
    errors = []
    for crf in (0, 40):
        learnt, _ = titles.load([title], scale=2, crf=crf)
        clean = titles.load([title], scale=2, crf=0)[0]
        errors.append(
            float(
                np.mean([np.abs(a.low - 1.0 * b.low) for a, b in zip(learnt, clean, strict=True)])
            )
        )
    assert errors[0] == 0
    assert errors[1] > 1


def test_a_title_that_is_too_short_is_refused(tmp_path: Path) -> None:
    short = make_clip(tmp_path / "short.mkv", frames=30, sounds=0)
    with pytest.raises(InputError, match="too short to tune on"):
        titles.load([short], scale=2, crf=20)


def test_a_recipe_that_names_titles_is_trained_like_any_other(title: Path) -> None:
    recipe = Recipe(
        name="t", tier="s", scale=2, architecture="plain-8x1", titles=(title.name,), steps=1
    )
    found = dataset.load(recipe, title.parent)
    assert len(found.training) == 2 * len(found.held_out)
    assert dataset.digest(recipe, title.parent) == titles.digest([title], crf=28)
    assert titles.digest([title], crf=28) != titles.digest([title], crf=30)


def test_a_model_is_tuned_on_a_title(
    tmp_path: Path, title: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "_steps", lambda *_: 60)
    model = model_file(tmp_path)
    where = ("--to", tmp_path / "out", "--out", tmp_path / "run")
    options = ("--crf", 20, "--device", "cpu", "--threads", 1, "--report", tmp_path / "r.json")
    command = ("model", "tune", model, "--on", title.parent, *where, *options)
    ended = vidlift(*command)
    assert ended.code == 0, ended.err
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["frames"], report["held_out"], report["steps"]) == (12, 6, 60)
    assert report["after"] > report["before"]
    said = re.search(r"([+-]\d+\.\d\d) over bicubic", " ".join(ended.out.split()))
    assert said is not None
    assert float(said[1]) == pytest.approx(report["gain"], abs=0.006)  # each is rounded by itself
    assert report["gain"] == pytest.approx(report["after"] - report["bicubic"], abs=2e-3)
    made = tmp_path / "out" / "s-x2-some-title-2024.onnx"
    assert models.describe(made).tier == "s"
    card = models.card(made)
    assert card is not None
    assert card["figures"]["held_out"]["gain"] == report["gain"]
    assert "Some Title (2024).mkv, through x264 at CRF 20" in card["training_data"]["what"]
    # The same command finds the finished run and writes the same model.
    before = made.read_bytes()
    monkeypatch.setattr(tune, "_steps", lambda *_: pytest.fail("the run was not found"))
    assert vidlift(*command).code == 0
    assert made.read_bytes() == before
    # Other minutes would be passed over in silence.
    ended = vidlift(*command, "--minutes", 9)
    assert ended.code == 2
    assert "holds a tuning of 2 minutes" in ended.complaint


def test_a_frame_that_comes_out_whole_counts_as_much_whatever_made_it() -> None:
    """Frames that are black are whole after interpolation as well: that is no gain."""
    network = architectures.build("plain-4x1-edge", scale=2)
    with torch.no_grad():
        network.tail.weight.zero_()  # what is left is the interpolation beside it
    black = pictures.degraded(np.full((32, 32), 16, np.uint8), source="black", scale=2)
    assert validation.psnr(network, [black]) == tune._bicubic([black]) == metrics.CEILING


def test_a_tuning_that_cannot_begin_leaves_nothing(tmp_path: Path) -> None:
    short = make_clip(tmp_path / "short.mkv", frames=3, sounds=0)
    run = tmp_path / "run"
    ended = vidlift(
        "model", "tune", model_file(tmp_path), "--on", short, "--out", run, "--to", tmp_path
    )
    assert (ended.code, run.exists()) == (3, False)


def test_a_title_is_not_shared_by_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "r")
    recipe = Recipe(
        name="t", tier="s", scale=2, architecture="plain-8x1", titles=("t.mkv",), steps=1
    )
    with pytest.raises(UsageError, match="by one process"):
        tune.tune(recipe, minutes=1, out=tmp_path, on=Machine(device="cpu"))


def test_steps_fill_the_minutes(title: Path) -> None:
    recipe = Recipe(
        name="t",
        tier="s",
        scale=2,
        architecture="plain-8x1",
        titles=(title.name,),
        steps=1,
        batch=2,
        patch=16,
    )
    found = dataset.load(recipe, title.parent)
    ticks = count(step=0.25)  # a quarter of a second from look to look
    on = Machine(device="cpu", threads=1, bf16=False)
    assert tune._steps(recipe, found, 2.0, on, lambda: next(ticks)) == 480
