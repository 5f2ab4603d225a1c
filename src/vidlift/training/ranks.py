"""Several processes that train one network together, as ``torchrun`` starts them.

Each has the whole network and takes its share of every batch; gradients are averaged before the
network moves. So every process makes the same step, the one that a single process with the
whole batch would have made, up to the order in which floats are added.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE = timedelta(hours=12)
"""How long a process waits for the others: the first may be making a teacher's pictures."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """This process among those of the run. What it does is nothing where it is alone."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes the log and the checkpoints, and measures."""
        return self.rank == 0

    def share(self, whole: Sequence[Item]) -> Sequence[Item]:
        """This process's part of a batch: parts are equally large and in order."""
        size = len(whole) // self.world
        return whole[self.rank * size : (self.rank + 1) * size]

    def average(self, values: Sequence[Tensor]) -> None:
        """Replace tensors by their means over all processes: one message for them all."""
        if self.world == 1:
            return
        flat = torch.cat([value.reshape(-1) for value in values])
        dist.all_reduce(flat)
        flat /= self.world
        start = 0
        for value in values:
            value.copy_(flat[start : start + value.numel()].view_as(value))
            start += value.numel()

    def agreed(self, choice: int, *, device: str) -> int:
        """The first process's choice."""
        if self.world == 1:
            return choice
        said = torch.tensor(choice, device=device)
        dist.broadcast(said, 0)
        return int(said)

    def wait(self) -> None:
        """Until every process has come here."""
        if self.world > 1:
            dist.barrier()


ALONE = Ranks()


def is_alone() -> bool:
    """Whether this process is the only one, as far as ``torchrun`` is concerned: what another
    program says of itself in the environment joins nobody."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or not dist.is_torchelastic_launched()


def is_first() -> bool:
    """Whether this process is the only one, or the first of those that ``torchrun`` started."""
    return is_alone() or os.environ.get("RANK", "0") == "0"


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Join the others that ``torchrun`` started, if it did: by NCCL on GPUs, else by gloo."""
    if is_alone():
        yield ALONE
        return
    dist.init_process_group("gloo" if device == "cpu" else "nccl", timeout=PATIENCE)
    try:
        yield Ranks(rank=dist.get_rank(), world=dist.get_world_size())
    finally:
        dist.destroy_process_group()
