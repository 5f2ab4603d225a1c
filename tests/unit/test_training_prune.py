"""Cutting a network down: what does nothing goes first, and what is left still works."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

import torch

from support.cli import vidlift
from support.pictures import make_pictures
from vidlift.errors import UsageError
from vidlift.training import architectures, checkpoint, export, loop, prune, recipe
from vidlift.training.architectures import Plain
from vidlift.training.checkpoint import Checkpoint
from vidlift.training.machine import Machine
from vidlift.training.patches import Batch
from vidlift.training.recipe import Recipe

MACHINE = Machine(device="cpu", threads=1, bf16=False)


def recipe_of(architecture: str, **changes: object) -> Recipe:
    values = {"name": "t", "tier": "s", "scale": 2, "architecture": architecture}
    sizes = {"pictures": ["."], "steps": 4, "batch": 2, "patch": 16}
    return recipe.parse({**values, **sizes, **changes}, where="test")


def state_of(network: Plain, architecture: str) -> Checkpoint:
    return Checkpoint(
        recipe=recipe_of(architecture),
        training_data="0" * 64,
        step=9,
        network=network.state_dict(),
        average=network.state_dict(),
        optimizer={},
        bf16=False,
        threads=1,
        seconds=1.0,
    )


def network_of(architecture: str) -> Plain:
    torch.manual_seed(5)
    network = architectures.build(architecture, scale=2)
    with torch.no_grad():  # far from bicubic, so that every channel shows
        network.tail.weight.mul_(10)
    return network


def batches() -> list[Batch]:
    torch.manual_seed(6)
    return [Batch(torch.rand(2, 1, 12, 12), torch.rand(2, 1, 24, 24)) for _ in range(3)]


def test_channels_that_do_nothing_go_first() -> None:
    network = network_of("plain-8x2")
    dead = {0: (1, 6), 1: (0, 3), 2: (5, 7)}
    with torch.no_grad():
        for conv, channels in zip([network.head, *network.body], dead.values(), strict=True):
            conv.weight[list(channels)] = 0
            conv.bias[list(channels)] = 0
    pruned = prune.prune(state_of(network, "plain-8x2"), "plain-6x2", batches())
    small = checkpoint.averaged(pruned.state)
    low = torch.rand(1, 1, 15, 18)
    with torch.no_grad():
        assert torch.allclose(small(low), network(low), atol=1e-5)


def test_a_layer_that_does_nothing_goes_first() -> None:
    network = network_of("plain-8x3")
    with torch.no_grad():
        layer = network.body[1]
        layer.weight.zero_()
        layer.bias.zero_()
        layer.weight[range(8), range(8), 1, 1] = 1.0
        # LeakyReLU is then done twice: only what is not below zero goes through unchanged.
        network.body[0].bias.fill_(5.0)
    with torch.no_grad():
        right = [Batch(batch.low, network(batch.low)) for batch in batches()]
    pruned = prune.prune(state_of(network, "plain-8x3"), "plain-8x2", right)
    assert pruned.layers == (1,)
    low = torch.rand(1, 1, 15, 18)
    with torch.no_grad():
        assert torch.allclose(checkpoint.averaged(pruned.state)(low), network(low), atol=1e-5)


def test_importance_is_how_fast_the_loss_changes_as_a_channel_fades() -> None:
    network = network_of("plain-8x1")
    batch = Batch(torch.rand(1, 1, 12, 12), torch.rand(1, 1, 24, 24))
    scores = prune.channel_importance(network, [batch])[1].sqrt()

    def loss(channel: int, share: float) -> float:
        faded = network_of("plain-8x1")
        with torch.no_grad():
            faded.tail.weight[:, channel] *= share
            return float((faded(batch.low).double() - batch.high).abs().mean())

    speeds = [abs(loss(c, 1.01) - loss(c, 0.99)) / 0.02 for c in range(8)]
    assert scores.tolist() == pytest.approx(speeds, abs=0.05 * max(speeds))


def test_what_is_not_smaller_is_refused() -> None:
    state = state_of(network_of("plain-8x2"), "plain-8x2")
    for to in (
        "plain-16x2",
        "plain-8x3",
        "plain-8x2",
        "plain-8x2-fold2",
        "plain-8x1-edge",
        "l",
        "xl",
    ):
        with pytest.raises(UsageError, match="cannot be cut down"):
            prune.prune(state, to, batches())


def test_a_target_that_there_is_not_is_told_first(tmp_path: Path) -> None:
    ended = vidlift("model", "prune", tmp_path / "no-run", tmp_path / "small", "--to", "huge")
    assert ended.code == 2
    assert "'huge'" in ended.complaint
    assert "plain-16x6" in ended.complaint
    assert "tiers are xs, s, m, l, xl" in ended.complaint


@pytest.mark.parametrize("tier", ["xs", "s"])
def test_a_network_is_cut_down_to_what_a_tier_allows(tier: str) -> None:
    state = state_of(network_of("plain-16x4"), "plain-16x4")
    made = prune.prune(state, tier, batches()).state
    network = checkpoint.averaged(made)
    assert architectures.macs(network) / 4 <= architectures.CEILINGS[tier]
    assert (made.recipe.tier, made.recipe.name) == (tier, f"t-{made.recipe.architecture}")
    wider = f"plain-{network.head.out_channels + 1}x{len(network.body)}"
    assert (
        architectures.macs(architectures.build(wider, scale=2)) / 4 > architectures.CEILINGS[tier]
    )
    assert architectures.macs(network) / 4 > 0.7 * architectures.CEILINGS[tier]


def test_a_pruned_run_is_exported_and_gone_on_from(tmp_path: Path) -> None:
    folder = make_pictures(tmp_path / "pictures", count=30)
    big, small = tmp_path / "big", tmp_path / "small"
    loop.train(recipe_of("plain-16x3"), data=folder, out=big, on=MACHINE)
    command = ("model", "prune", big, small, "--to", "plain-8x2", "--data", folder)
    ended = vidlift(*command)
    assert ended.code == 0, ended.err
    assert "plain-16x3 to plain-8x2" in ended.out
    assert "before any fine-tuning" in ended.out
    assert vidlift(*command).code == 2
    ended = vidlift("model", "prune", big, tmp_path / "tier", "--to", "xs", "--data", folder)
    tier = checkpoint.load(tmp_path / "tier" / checkpoint.FILE)
    assert f"plain-16x3 to {tier.recipe.architecture}; taken out of the body: " in ended.out
    state = checkpoint.load(small / checkpoint.FILE)
    assert state.recipe.name == "t-plain-8x2", "an export would take the place of the whole one"
    assert export.export(state).descriptor.architecture == "plain-8x2"
    onwards = replace(recipe_of("plain-8x2"), start=str(small))
    begun = loop.train(onwards, data=folder, out=tmp_path / "on", on=MACHINE, stop_at=0)
    for name, weight in state.average.items():
        assert torch.equal(begun.average[name], weight), name
