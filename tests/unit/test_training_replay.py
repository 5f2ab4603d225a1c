"""The step that a GPU repeats is the step that a CPU does."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

import torch

from support.pictures import make_pictures
from vidlift.training import pictures
from vidlift.training.machine import Machine
from vidlift.training.patches import GatheredPatches, Places
from vidlift.training.recipe import Recipe
from vidlift.training.replay import AHEAD, Replay, Step
from vidlift.training.run import Run

PLAIN = Machine(device="cpu", threads=1, bf16=False)


def recipe(**changes: object) -> Recipe:
    values: dict[str, object] = {
        "name": "t",
        "tier": "s",
        "scale": 2,
        "architecture": "plain-4x2",
        "pictures": ("p",),
        "steps": 12,
        "warmup": 3,
        "batch": 4,
        "patch": 16,
    }
    return Recipe(**{**values, **changes})  # type: ignore[arg-type]


def gathered(folder: Path, device: str) -> GatheredPatches:
    make_pictures(folder, count=3)
    places = Places(pictures.load([folder], scale=2), scale=2, patch=16, batch=4, seed=1)
    return GatheredPatches(places, device=device)


@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_a_step_that_can_be_recorded_is_the_step(tmp_path: Path, optimizer: str) -> None:
    cut = gathered(tmp_path, "cpu")
    wanted = recipe(optimizer=optimizer, rate=1e-3)
    plain, other = Run(wanted, cut, on=PLAIN), Run(wanted, cut, on=PLAIN)
    begun = [p.clone() for p in plain.averaged.parameters()]
    step = Step(other.moving(cut), device="cpu")
    step.draw(0)
    for _ in range(12):
        assert float(step()) == pytest.approx(float(plain.advance()), rel=1e-4)
    for made, sought, old in zip(
        other.averaged.parameters(), plain.averaged.parameters(), begun, strict=True
    ):
        assert not made.requires_grad
        assert not sought.requires_grad
        # Muon orthogonalises in bfloat16, which makes last bits of a gradient larger.
        assert float((made - sought).norm()) <= 0.02 * float((sought - old).norm())


def test_a_recorded_step_goes_on_from_plain_ones(tmp_path: Path) -> None:
    cut = gathered(tmp_path, "cpu")
    plain = Run(recipe(rate=1e-3), cut, on=PLAIN)
    for _ in range(9):  # by then the rate has fallen far
        plain.advance()
    before = copy.deepcopy(plain.state(training_data=""))
    other = Run(recipe(rate=1e-3), cut, on=PLAIN, before=before)
    step = Step(other.moving(cut), device="cpu")
    step.draw(9)
    step()
    plain.advance()
    moved = plain.state(training_data="").network
    for name, made in other.state(training_data="").network.items():
        apart = float((made - moved[name]).norm())
        assert apart <= 0.05 * float((moved[name] - before.network[name]).norm()), name


def test_places_are_laid_out_for_a_step_in_the_middle(tmp_path: Path) -> None:
    cut = gathered(tmp_path, "cpu")
    for start in (0, AHEAD):
        run = Run(recipe(steps=2 * AHEAD), cut, on=PLAIN)
        wanted = float(run.moving(cut).gradient(cut(start + 5)).detach())
        step = Step(run.moving(cut), device="cpu")
        step.draw(start + 5)
        assert float(step()) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of NVIDIA")
def test_a_recorded_step_is_the_step(tmp_path: Path) -> None:
    cut = gathered(tmp_path, "cuda:0")
    on = Machine(device="cuda", bf16=False)
    run, other = Run(recipe(), cut, on=on), Run(recipe(), cut, on=on)
    step = Step(other.moving(cut), device="cuda:0")
    step.draw(0)
    assert isinstance(run._replay, Replay)
    for _ in range(12):
        assert float(run.advance()) == pytest.approx(float(step()), rel=1e-3)
