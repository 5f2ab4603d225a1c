"""Steps on a GPU as one CUDA graph: there, to start a small network's kernels takes longer than
what they do.

A graph repeats the same kernels on the same memory, so what differs from step to step lies in that
memory: the places of the patches to come, and a row of factors for each step.

    drawn ──> patches ──> gradient ──> optimiser, at its full rate ──> its move, times the factor
    of the step ──> average of the weights

Updates grow with the rate, so that a move at the full rate times the factor of a step is the move
at that step's rate. The bias of Adam's averages is corrected by the same factor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vidlift.training.patches import Batch, GatheredPatches

AHEAD = 512
"""Steps whose places are drawn at a time."""

FAR = 10**9
"""A step so late that nothing is left of the bias of Adam's averages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """What a step reads and changes."""

    patches: GatheredPatches
    gradient: Callable[[Batch], Tensor]
    """Sets the gradients of what learns and returns the loss."""

    learning: Sequence[Tensor]
    optimizer: Any
    """A Muon of ``pytorch_optimizer``, whose updates are proportional to the rate."""

    clip: float
    network: Sequence[Tensor]
    average: Sequence[Tensor]
    factors: NDArray[np.float32]
    """``[steps, groups + 1]``: how much each group moves, and how far the average follows."""


class Step:
    """A step whose every number lies on the device, so that it can be recorded."""

    def __init__(self, moving: Moving, *, device: str) -> None:
        self._moving = moving
        self._factors = torch.from_numpy(moving.factors).to(device)
        self._drawn = torch.zeros(AHEAD, moving.patches.batch, 4, dtype=torch.int64, device=device)
        self._now = torch.zeros(1, dtype=torch.int64, device=device)
        for group in moving.optimizer.param_groups:
            group["step"] = FAR
            group["lr"] = group["full_rate"]  # a state of a CPU has that of its last step

    def draw(self, step: int) -> None:
        """Lay out the places of this step and those to come; due at every multiple of ``AHEAD``."""
        first = step - step % AHEAD
        tables = [self._moving.patches.table(each) for each in range(first, first + AHEAD)]
        places = torch.from_numpy(np.stack(tables))
        if self._drawn.is_cuda:
            places = places.pin_memory()
        self._drawn.copy_(places, non_blocking=True)
        self._now.fill_(step)

    def __call__(self) -> Tensor:
        """One step; returns its loss."""
        moving = self._moving
        drawn = self._drawn.index_select(0, self._now % AHEAD)[0]
        factor = self._factors.index_select(0, self._now)[0]
        loss = moving.gradient(moving.patches.at(drawn))
        nn.utils.clip_grad_norm_(moving.learning, moving.clip)
        groups = [list(group["params"]) for group in moving.optimizer.param_groups]
        before = [[p.detach().clone() for p in group] for group in groups]
        moving.optimizer.step()
        with torch.no_grad():
            for index, (group, old) in enumerate(zip(groups, before, strict=True)):
                torch._foreach_sub_(group, old)
                torch._foreach_mul_(group, factor[index])
                torch._foreach_add_(group, old)
            apart = torch._foreach_sub(list(moving.network), list(moving.average))
            torch._foreach_mul_(apart, factor[-1])
            torch._foreach_add_(list(moving.average), apart)
        self._now += 1
        return loss.detach()


class Replay:
    """``Step``, recorded once and repeated, on a stream of its own."""

    def __init__(self, moving: Moving, *, device: str, step: int) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(self._stream):
            self._step = Step(moving, device=device)
            self._step.draw(step)
            self._record(moving, step)

    def __call__(self, step: int) -> Tensor:
        """Do a step; returns its loss, which is there once the device has come to it."""
        with torch.cuda.stream(self._stream):
            if step % AHEAD == 0:
                self._step.draw(step)
            self._graph.replay()
            return self._loss.clone()

    def _record(self, moving: Moving, step: int) -> None:
        """Record a step. What the trials before it changed is put back."""
        optimizer = moving.optimizer
        moving.gradient(moving.patches(step))
        for group in optimizer.param_groups:
            optimizer.init_group(group)
        states = [v for state in optimizer.state.values() for v in state.values()]
        changed = [*moving.learning, *moving.average, *(v for v in states if torch.is_tensor(v))]
        kept = [tensor.detach().clone() for tensor in changed]
        for _ in range(3):
            self._step()
        optimizer.zero_grad()
        self._stream.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=self._stream):
            self._loss = self._step()
        with torch.no_grad():
            for tensor, old in zip(changed, kept, strict=True):
                tensor.copy_(old)
        self._step.draw(step)
        self._stream.synchronize()
