"""What a loss weighs."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

import torch
from torch import Tensor

from vidlift.training import architectures, recipe
from vidlift.training.objective import LOSSES, Objective
from vidlift.training.patches import Batch
from vidlift.training.recipe import Recipe


def asked(**changes: object) -> Recipe:
    values = {"name": "t", "tier": "s", "scale": 2, "architecture": "plain-8x1", "steps": 1}
    return recipe.parse({**values, "pictures": ["."], **changes}, where="test")


def apart(*errors: float) -> tuple[Tensor, Tensor]:
    """Patches that are off by so much everywhere, and what was wanted."""
    wanted = torch.full((len(errors), 1, 4, 4), 0.5)
    return wanted + torch.tensor(errors)[:, None, None, None], wanted


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_a_recipe_s_to_name_and_least_where_nothing_is_wrong(name: str) -> None:
    assert asked(loss=name).loss == name
    losses = [float(LOSSES[name](*apart(error))) for error in (0.0, 0.02, -0.04)]
    assert losses == sorted(losses)
    assert losses[0] < losses[1] < losses[2]


def test_the_loss_psnr_is_minus_the_mean_psnr_of_the_patches() -> None:
    made = 255 * float(LOSSES["psnr"](*apart(0.1, 0.01)))
    assert made == pytest.approx(-(20 + 40) / 2, abs=0.25)  # the floor takes 0.2 dB of the second


def test_to_halve_an_error_counts_as_much_in_any_patch() -> None:
    # That is what sets it apart from L1, where the first patch would count ten times as much.
    both, first, second = (
        255 * float(LOSSES["psnr"](*apart(*errors)))
        for errors in ((0.2, 0.02), (0.1, 0.02), (0.2, 0.01))
    )
    assert both - first == pytest.approx(20 * math.log10(2) / 2, abs=0.01)
    assert both - second == pytest.approx(both - first, rel=0.15)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_teacher_has_its_share_of_either_loss(name: str, share: float) -> None:
    torch.manual_seed(0)
    network = architectures.build("plain-8x1", scale=2)
    low, high, taught = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 16, 16), torch.rand(2, 1, 16, 16)
    wanted = asked(loss=name, teacher="t.onnx", teacher_share=share)
    with torch.no_grad():
        made = Objective(wanted, network)(network, Batch(low, high, taught))
        true, told = (LOSSES[name](network(low), picture) for picture in (high, taught))
    assert float(made) == pytest.approx(float((1 - share) * true + share * told), rel=1e-5)
