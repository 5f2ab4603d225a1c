"""What a run computes on, and the settings that are measured when it begins."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from vidlift.errors import UsageError

DEVICES = ("auto", "cpu", "cuda")

TRIES = 4
"""Gradients that are timed with each setting, in turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a run computes on. ``threads`` and ``bf16`` None: as measured to be faster."""

    device: str = "auto"
    threads: int | None = None
    bf16: bool | None = None

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise UsageError(f"device {self.device!r} is none of {', '.join(DEVICES)}")

    def resolved(self) -> str:
        """``cpu``, or the GPU of this process: ``cuda:0``. Raises ``UsageError`` where none is."""
        if self.device == "cpu":
            return "cpu"
        if torch.cuda.is_available():
            return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        if self.device == "cuda":
            raise UsageError("device cuda: torch finds no GPU here; use --device cpu")
        return "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What can be chosen without changing the network; each gives other last bits."""

    threads: int
    bf16: bool


def candidates(machine: Machine, device: str) -> list[Setting]:
    """The settings that leave open only what ``machine`` leaves open.

    On a GPU bfloat16 is not measured but taken: single gradients take as long as it takes to start
    their kernels, which recorded steps do not."""
    cores = torch.get_num_threads()
    threads = [machine.threads or cores]
    if machine.threads is None and device == "cpu":
        threads = sorted({1, max(1, cores // 2), cores})
    bodies = [True] if device != "cpu" else [False, True]
    if machine.bf16 is not None:
        bodies = [machine.bf16]
    return [Setting(threads=count, bf16=bf16) for count in threads for bf16 in bodies]


def fastest(
    choices: Sequence[Setting],
    work: Callable[[Setting], None],
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """Index of the setting with the quickest run of ``work``, all tried in turns."""
    if len(choices) == 1:
        return 0
    times: list[list[float]] = [[] for _ in choices]
    for _ in range(TRIES):
        for choice, found in zip(choices, times, strict=True):
            start = clock()
            work(choice)
            found.append(clock() - start)
    return min(range(len(choices)), key=lambda index: min(times[index]))


def prepare(device: str) -> None:
    """Settings of torch for a GPU: the same result every time, and floats that are whole.

    TF32 keeps 11 bits of a product's factors, too few for code values at the ends of a network.
    """
    if device != "cpu":
        torch.cuda.set_device(device)
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False
