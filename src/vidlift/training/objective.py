"""What a step brings down: the distance to the true picture, and to what a teacher says."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from vidlift.errors import UsageError
from vidlift.training.architectures import SLOPE, Plain
from vidlift.training.patches import Batch
from vidlift.training.recipe import Recipe


class Objective:
    """The loss of a batch, in 0..1.

    The distance to the true picture; to it and the teacher's by ``teacher_share`` where the batch
    has one; and to the features of ``guide``, a larger network of ours, halfway and at the end of
    the body, through 1x1 convolutions that learn along and are dropped in the end.
    """

    def __init__(self, recipe: Recipe, network: Plain, *, guide: Plain | None = None) -> None:
        """Draws the first weights of the adapters. Raises ``UsageError`` for a guide that the
        network cannot follow."""
        self._recipe, self._guide = recipe, guide
        self.adapters = nn.ModuleList()
        if guide is None:
            return
        if guide.fold != network.fold:
            raise UsageError(
                f"recipe {recipe.name}: features are taught by a network that works on as many "
                f"positions; the teacher folds {guide.fold}x{guide.fold} pixels, "
                f"{recipe.architecture} {network.fold}x{network.fold}"
            )
        for _ in _taught_places(network):
            adapter = nn.Conv2d(network.head.out_channels, guide.head.out_channels, 1)
            self.adapters.append(adapter.to(network.head.weight.device))

    def __call__(self, network: Plain, batch: Batch) -> Tensor:
        low = batch.low.contiguous(memory_format=torch.channels_last)
        made, features = network.with_features(low)
        apart = LOSSES[self._recipe.loss]
        loss = apart(made, batch.high)
        if batch.taught is not None:
            share = self._recipe.teacher_share
            loss = (1 - share) * loss + share * apart(made, batch.taught)
        if self._guide is not None:
            loss = loss + self._recipe.feature_share * self._apart(network, features, low)
        return loss

    def _apart(self, network: Plain, features: list[Tensor], low: Tensor) -> Tensor:
        """Mean relative distance of features to the guide's."""
        assert self._guide is not None
        with torch.no_grad():
            _, taught = self._guide.with_features(low)
        apart = torch.zeros((), device=low.device)
        side = low.shape[-1] // network.fold
        places = zip(_taught_places(network), _taught_places(self._guide), strict=True)
        for adapter, (own, other) in zip(self.adapters, places, strict=True):
            wanted = _inside(taught[other].float(), side)
            came = fn.leaky_relu(adapter(_inside(features[own].float(), side)), SLOPE)
            # Relative to each picture's own features: shares of a batch then add up to the whole.
            size = wanted.abs().mean(dim=(1, 2, 3)).clamp_min(1e-6)
            apart = apart + ((came - wanted).abs().mean(dim=(1, 2, 3)) / size).mean()
        return apart / len(self.adapters)


def _mean_absolute(made: Tensor, wanted: Tensor) -> Tensor:
    return (made - wanted).abs().mean()


def _minus_psnr(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean over patches of minus their PSNR; in dB, once the log counts it in code values.

    Errors have a floor, at 50 dB, so that flat patches do not outweigh the others."""
    errors = (made - wanted).square().mean(dim=(1, 2, 3))
    return 10 / 255 * torch.log10(errors + 1e-5).mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": _mean_absolute,
    "psnr": _minus_psnr,
}
"""By ``loss`` of a recipe: ``[n, 1, H, W]`` twice -> a scalar, of 0..1 samples."""


def _inside(feature: Tensor, side: int) -> Tensor:
    """What lies over the patch itself, of so many places, where a network padded it by its edge."""
    by = (feature.shape[-1] - side) // 2
    return feature[..., by : feature.shape[-2] - by, by : feature.shape[-1] - by]


def _taught_places(network: Plain) -> tuple[int, int]:
    """Which features are taught: those halfway and at the end of the body."""
    layers = len(network.body)
    return (layers + 1) // 2, layers
