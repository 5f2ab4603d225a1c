"""Structured pruning: a trained network cut down to a smaller one of its family.

First layers go, then channels, each time what changes the loss least. A layer's importance is
the loss without it; a channel's is the Taylor estimate of how much the loss would change
without it, the sum of value times gradient over its samples, squared (Molchanov et al., 2019).
What is left is a beginning, better than a random one; ``start`` in a recipe goes on from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from vidlift.errors import UsageError
from vidlift.training import architectures, checkpoint
from vidlift.training.architectures import Plain
from vidlift.training.checkpoint import Checkpoint
from vidlift.training.patches import Batch

USED = 0.85
"""Of what a tier allows, the share that a network at least uses of what the largest does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """A network that was cut down, and what was cut."""

    state: Checkpoint
    """To export, or to begin a run from; no steps are done on it."""

    layers: tuple[int, ...]
    """Body layers that went, numbered as they were."""

    channels: int
    """Channels that are left, of each layer."""


def check_target(to: str) -> None:
    """Whether there is such a tier or architecture to prune to. Raises ``UsageError``."""
    if to in architectures.CEILINGS:
        return
    try:
        architectures.fold_of(to)
    except UsageError as error:
        tiers = ", ".join(architectures.CEILINGS)
        raise UsageError(f"{error}; tiers are {tiers}") from error


def prune(state: Checkpoint, to: str, batches: Sequence[Batch]) -> Pruned:
    """Cut the averaged network of a checkpoint down to the architecture ``to``.

    ``to`` may be a tier: then it is the architecture that loses least of those that are as wide
    as the tier's ceiling allows, one for each number of layers. Importance is measured on
    ``batches``, which should not be of the test sets. Raises ``UsageError`` where ``to`` is not
    smaller, or of another family.
    """
    if to not in architectures.CEILINGS:
        return _pruned(state, to, batches)
    found = [_pruned(state, name, batches) for name in _allowed(state, to)]
    if not found:
        raise UsageError(
            f"{state.recipe.architecture} cannot be cut down to {to}: it is that small already"
        )

    def loss(pruned: Pruned) -> float:
        with torch.no_grad():
            return float(_loss(checkpoint.averaged(pruned.state), batches))

    return min(found, key=loss)


def _allowed(state: Checkpoint, tier: str) -> list[str]:
    """Smaller architectures of the same family that a tier allows, the widest of each depth that
    use most of it."""
    recipe = state.recipe
    whole = architectures.build(recipe.architecture, scale=recipe.scale)
    most = architectures.CEILINGS[tier] * recipe.scale**2
    if architectures.macs(whole) <= most:
        return []
    ending = recipe.architecture.partition("x")[2].lstrip("0123456789")
    costs = {}
    for layers in range(len(whole.body) + 1):
        for channels in range(whole.head.out_channels, 0, -1):
            name = f"plain-{channels}x{layers}{ending}"
            cost = architectures.macs(architectures.build(name, scale=recipe.scale))
            if cost <= most:
                costs[name] = cost
                break
    return [name for name, cost in costs.items() if cost >= USED * max(costs.values())]


def _pruned(state: Checkpoint, to: str, batches: Sequence[Batch]) -> Pruned:
    recipe = state.recipe
    network = checkpoint.averaged(state)
    target = architectures.build(to, scale=recipe.scale)
    small = (len(target.body), target.head.out_channels)
    large = (len(network.body), network.head.out_channels)
    same_kind = (target.fold, target.padding) == (network.fold, network.padding)
    if not same_kind or small == large or small[0] > large[0] or small[1] > large[1]:
        raise UsageError(
            f"{recipe.architecture} cannot be cut down to {to}: that has no fewer channels or "
            "layers, or folds or pads otherwise"
        )
    gone = _drop_layers(network, len(target.body), batches)
    _drop_channels(network, target, batches)
    weights = target.state_dict()
    made = replace(
        state,
        # Named anew: an export must not take the place of the whole network.
        recipe=replace(
            recipe,
            name=f"{recipe.name}-{to}",
            tier=architectures.tier_of(target) or recipe.tier,
            architecture=to,
            start=None,
        ),
        step=0,
        network=weights,
        average=weights,
        optimizer={},
        adapters={},
        seconds=0.0,
    )
    return Pruned(state=made, layers=tuple(gone), channels=target.head.out_channels)


def _drop_layers(network: Plain, keep: int, batches: Sequence[Batch]) -> list[int]:
    """Take body layers out, one after another, each time the one that is missed least."""
    numbers = list(range(len(network.body)))
    gone = []
    while len(network.body) > keep:
        layers = list(network.body)
        losses = []
        for index in range(len(layers)):
            network.body = nn.ModuleList(layers[:index] + layers[index + 1 :])
            with torch.no_grad():
                losses.append(float(_loss(network, batches)))
        least = min(range(len(layers)), key=losses.__getitem__)
        network.body = nn.ModuleList(layers[:least] + layers[least + 1 :])
        gone.append(numbers.pop(least))
    return gone


def _drop_channels(network: Plain, target: Plain, batches: Sequence[Batch]) -> None:
    """Copy into ``target`` the channels of every layer that matter most."""
    keep = target.head.out_channels
    kept = [
        scores.topk(keep).indices.sort().values for scores in channel_importance(network, batches)
    ]
    every = torch.arange(network.head.in_channels)
    outputs = torch.arange(network.tail.out_channels)
    sources = [network.head, *network.body, network.tail]
    targets = [target.head, *target.body, target.tail]
    entries, exits = [every, *kept], [*kept, outputs]
    with torch.no_grad():
        for source, own, entry, exit_ in zip(sources, targets, entries, exits, strict=True):
            own.weight.copy_(source.weight[exit_][:, entry])
            own.bias.copy_(source.bias[exit_])
        target.skip.weight.copy_(network.skip.weight)


def channel_importance(network: Plain, batches: Sequence[Batch]) -> list[Tensor]:
    """How much the loss would change without each channel of the head and of each body layer."""
    scores = [torch.zeros(network.head.out_channels) for _ in range(len(network.body) + 1)]
    for batch in batches:
        made, features = network.with_features(batch.low)
        for feature in features:
            feature.retain_grad()
        (made - batch.high).abs().mean().backward()  # type: ignore[no-untyped-call]
        for score, feature in zip(scores, features, strict=True):
            assert feature.grad is not None
            # Once a picture: what one gains and another loses does not cancel out.
            change = (feature.detach() * feature.grad).sum(dim=(2, 3))
            score += change.square().sum(dim=0)
        network.zero_grad()
    return scores


def _loss(network: Plain, batches: Sequence[Batch]) -> Tensor:
    return torch.stack([(network(b.low) - b.high).abs().mean() for b in batches]).mean()
