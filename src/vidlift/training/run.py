"""A network on its way: weights, their average, the optimiser, and the step that moves them.

Muon (orthogonalised momentum) for kernels and Adam for the rest, a cosine, an average of the
weights. See ``docs/training.md`` for why.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_optimizer import Muon
from torch import Tensor, nn

from vidlift.errors import InputError
from vidlift.training import architectures, checkpoint, machine, restore
from vidlift.training.architectures import Plain
from vidlift.training.checkpoint import Checkpoint
from vidlift.training.machine import Machine, Setting
from vidlift.training.objective import Objective
from vidlift.training.patches import Batch, GatheredPatches, Patches
from vidlift.training.ranks import ALONE, Ranks
from vidlift.training.recipe import Recipe
from vidlift.training.replay import Moving, Replay
from vidlift.training.signals import held_back


class Run:
    """What a step changes. Begins anew, or where ``before`` ended, to the bit.

    Raises ``InputError`` where ``before`` is not of such a run.
    """

    def __init__(
        self,
        recipe: Recipe,
        patches: Patches,
        *,
        on: Machine,
        before: Checkpoint | None = None,
        guide: Plain | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self._recipe, self._patches, self._ranks = recipe, patches, ranks
        self._device = on.resolved()
        self._network = _on(begun(recipe), self._device)
        self._network.bits = recipe.bits
        self._average = _on(begun(recipe), self._device)
        self._average.load_state_dict(self._network.state_dict())
        self._average.requires_grad_(False)
        self._guide = _on(guide, self._device) if guide is not None else None
        self._objective = Objective(recipe, self._network, guide=self._guide)
        self._learning = [*self._network.parameters(), *self._objective.adapters.parameters()]
        self._optimizer = _optimizer(self._network, self._objective.adapters, recipe)
        self.step, self.seconds = 0, 0.0
        self.whole = True
        """False in the middle of a step, when there is no state to keep."""
        if before is not None:
            self._go_on(before)
        else:
            self._set(self._measured(on))
        self._replay: Replay | None = None
        if isinstance(patches, GatheredPatches) and self._device != "cpu" and ranks is ALONE:
            self._replay = Replay(self.moving(patches), device=self._device, step=self.step)
        self._since = time.perf_counter() - self.seconds

    def advance(self) -> Tensor:
        """One step; returns the loss of this process's share of the batch."""
        if self._replay is not None:
            return self._repeated(self._replay)
        start = time.perf_counter()
        if torch.get_num_threads() != self._threads:  # another run had its turn
            torch.set_num_threads(self._threads)
        factor = _rate(self.step, self._recipe)
        for group in self._optimizer.param_groups:
            group["lr"] = group["full_rate"] * factor
        loss = self._gradient(self._patches(self.step))
        self._ranks.average([p.grad for p in self._learning if p.grad is not None])
        nn.utils.clip_grad_norm_(self._learning, self._recipe.clip)
        with held_back():
            self.whole = False
            self._optimizer.step()
            self.step += 1
            with torch.no_grad():
                torch._foreach_lerp_(
                    list(self._average.parameters()),
                    list(self._network.parameters()),
                    _follow(self.step, self._recipe),
                )
            self.seconds += time.perf_counter() - start
            self.whole = True
        return loss.detach()

    def _repeated(self, replay: Replay) -> Tensor:
        with held_back():
            loss = replay(self.step)
            self.step += 1
        self.seconds = time.perf_counter() - self._since
        return loss

    def _go_on(self, before: Checkpoint) -> None:
        self.step, self.seconds = before.step, before.seconds
        try:
            self._network.load_state_dict(before.network)
            self._average.load_state_dict(before.average)
            self._objective.adapters.load_state_dict(before.adapters)
            self._optimizer.load_state_dict(before.optimizer)
            self._set(Setting(threads=before.threads, bf16=before.bf16))
        except Exception as error:  # torch raises many kinds for what does not fit
            raise InputError(
                f"recipe {self._recipe.name} cannot go on from its checkpoint, which is damaged or "
                f"of another kind of run: {checkpoint.first_line(error)}"
            ) from error

    @property
    def finite(self) -> bool:
        """Whether every weight, and its average, is a number; waits for a GPU."""
        self.settle()
        weights = [*self._learning, *self._average.parameters()]
        with torch.no_grad():
            return bool(torch.stack([weight.isfinite().all() for weight in weights]).all())

    @property
    def averaged(self) -> Plain:
        """The network that is kept."""
        self.settle()
        return self._average

    def settle(self) -> None:
        """Wait until a GPU has done the steps that it was given."""
        if self._replay is not None:
            torch.cuda.synchronize(self._device)

    def moving(self, patches: GatheredPatches) -> Moving:
        """What a step of this run is, for a graph."""
        return Moving(
            patches=patches,
            gradient=self._gradient,
            learning=self._learning,
            optimizer=self._optimizer,
            clip=self._recipe.clip,
            network=list(self._network.parameters()),
            average=list(self._average.parameters()),
            factors=_factors(self._optimizer, self._recipe),
        )

    def state(self, *, training_data: str, teacher: str = "") -> Checkpoint:
        self.settle()
        for group in self._optimizer.param_groups:
            group["step"] = self.step
        return Checkpoint(
            recipe=self._recipe,
            training_data=training_data,
            step=self.step,
            network=self._network.state_dict(),
            average=self._average.state_dict(),
            optimizer=self._optimizer.state_dict(),
            bf16=self._network.bf16_body,
            threads=self._threads,
            seconds=self.seconds,
            adapters=self._objective.adapters.state_dict(),
            teacher=teacher,
        )

    def _gradient(self, batch: Batch) -> Tensor:
        self._optimizer.zero_grad()
        loss = self._objective(self._network, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def _set(self, setting: Setting) -> None:
        self._threads = setting.threads
        torch.set_num_threads(setting.threads)
        self._network.bf16_body = setting.bf16
        if self._guide is not None:
            self._guide.bf16_body = setting.bf16

    def _measured(self, on: Machine) -> Setting:
        """The quickest of the settings that are open, as the first process finds."""
        choices = machine.candidates(on, self._device)

        def work(choice: Setting) -> None:
            self._set(choice)
            self._gradient(self._patches(0))
            if self._device != "cpu":
                torch.cuda.synchronize()

        chosen = choices[self._ranks.agreed(machine.fastest(choices, work), device=self._device)]
        self._optimizer.zero_grad()
        return chosen


def came_over(recipe: Recipe) -> tuple[int, int]:
    """How many layers of the network ``start`` gives whole, and how many it has."""
    network = architectures.build(recipe.architecture, scale=recipe.scale)
    weights = _weights_of(recipe.start) if recipe.start is not None else {}
    own = network.state_dict()
    layers = {name.rpartition(".")[0] for name in own}
    anew = {name.rpartition(".")[0] for name in set(own) - set(_fitting(own, weights))}
    return len(layers - anew), len(layers)


def begun(recipe: Recipe) -> Plain:
    """The network before its first step: random, or what ``start`` gives."""
    network = architectures.build(recipe.architecture, scale=recipe.scale)
    if recipe.start is not None:
        _take_over(network, _weights_of(recipe.start))
    return network


def _weights_of(start: str) -> dict[str, Tensor]:
    where = Path(start)
    if where.is_dir():
        where /= checkpoint.FILE
    if where.suffix == ".pt":
        return checkpoint.load(where).average
    return restore.network(start).state_dict()


def _on(network: Plain, device: str) -> Plain:
    # Channels last: the layout that matrix units want, a third faster in float32 as well.
    moved: Plain = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def _take_over(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Begin from the layers of another network that have the same name and shape."""
    own = network.state_dict()
    network.load_state_dict({**own, **_fitting(own, weights)})


def _fitting(own: dict[str, Tensor], weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n: w for n, w in weights.items() if n in own and own[n].shape == w.shape}


def _optimizer(network: Plain, adapters: nn.Module, recipe: Recipe) -> Muon:
    """Muon for kernels; Adam, at a tenth of the rate, for biases and the image-space residual.

    Or Adam for all, at the rate itself.
    """
    kernels = [p for n, p in network.named_parameters() if p.ndim == 4 and n != "skip.weight"]
    others = [p for n, p in network.named_parameters() if p.ndim != 4 or n == "skip.weight"]
    others += adapters.parameters()
    adam = {"betas": (0.9, 0.99), "eps": 1e-8, "use_muon": False}
    if recipe.optimizer == "adam":
        groups = [{"params": [*kernels, *others], "lr": recipe.rate, **adam}]
    else:
        groups = [
            {"params": kernels, "lr": recipe.rate, "use_muon": True},
            {"params": others, "lr": recipe.rate / 10, **adam},
        ]
    optimizer = Muon(groups)
    for group in optimizer.param_groups:
        group["full_rate"] = group["lr"]
    return optimizer


def _rate(step: int, recipe: Recipe) -> float:
    """Share of the full learning rate at a step: a short rise, then a cosine down to 0."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return 0.5 * (1 + math.cos(math.pi * done))


def _follow(step: int, recipe: Recipe) -> float:
    """How far the average follows the weights after so many steps: all the way at first."""
    return 1 - min(recipe.ema, step / (step + 10))


def _factors(optimizer: Muon, recipe: Recipe) -> NDArray[np.float32]:
    """A row for each step, as of ``replay.Moving``, and for a few trials beyond the last."""
    steps = np.arange(recipe.steps + 8, dtype=np.float64)
    rate = np.array([_rate(step, recipe) for step in range(len(steps))])
    moves = [rate * _correction(group, steps + 1) for group in optimizer.param_groups]
    follow = [_follow(step + 1, recipe) for step in range(len(steps))]
    return np.stack([*moves, np.array(follow)], axis=1).astype(np.float32)


def _correction(group: dict[str, Any], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much Adam moves further for averages that began at 0; 1 for Muon."""
    if group["use_muon"]:
        return np.ones_like(steps)
    first, second = group["betas"]
    correction: NDArray[np.float64] = np.sqrt(1 - second**steps) / (1 - first**steps)
    return correction
