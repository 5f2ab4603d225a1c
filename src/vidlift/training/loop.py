"""The training loop: plain, deterministic, and able to go on where it was killed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from vidlift.errors import ModelError, OutputError, UsageError
from vidlift.training import checkpoint, dataset, machine, patches, ranks, teach, validation
from vidlift.training.checkpoint import Checkpoint
from vidlift.training.dataset import Dataset
from vidlift.training.history import Log
from vidlift.training.machine import Machine
from vidlift.training.ranks import Ranks
from vidlift.training.recipe import Recipe
from vidlift.training.run import Run
from vidlift.training.teach import Teacher

SAVE_EVERY = 120.0
"""Seconds between checkpoints."""

REPORT_EVERY = 0.5
"""Seconds between reports, less where a line of the log is due."""

LOG_EVERY = 200
"""Steps between lines of the log."""

VALIDATE_EVERY = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How far a run is."""

    step: int
    steps: int
    loss: float | None
    """Mean of the steps before the last line of the log: code values of 8 bits or, with the loss
    ``psnr``, minus dB."""

    psnr: float | None
    """PSNR-Y on the validation split as last measured, dB."""

    seconds_left: float


Report = Callable[[Status], None]


def train(
    recipe: Recipe,
    *,
    data: Path,
    out: Path,
    on: Machine | None = None,
    teacher: Teacher | None = None,
    found: Dataset | None = None,
    report: Report = lambda _status: None,
    stop_at: int | None = None,
) -> Checkpoint:
    """Train to the last step, or to ``stop_at``; goes on from ``out/checkpoint.pt`` if it is there.

    ``data`` is what the recipe's folders are relative to; ``teacher`` is the one that the recipe
    names, and ``found`` what it learns from, where that is loaded already. Leaves
    ``checkpoint.pt`` and ``log.jsonl`` in ``out``, after an interruption as well.
    Under ``torchrun`` the batch is shared by its processes, and the first of them reports and
    writes. Raises ``InputError`` for pictures that are missing, ``UsageError`` when the checkpoint
    is of another recipe, ``OutputError`` where the run cannot be written, and ``ModelError`` when
    the training diverges: the checkpoint is then the last one that was good.
    """
    on = on or Machine()
    device = on.resolved()
    machine.prepare(device)
    with ranks.joined(device) as own:
        training = _Training(recipe, data, out, on, teacher, own, found)
        _in_turns([training.steps(report, stop_at)])
        return training.state()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What ``train`` is given for one recipe."""

    recipe: Recipe
    out: Path
    teacher: Teacher | None = None
    report: Report = field(default=lambda _status: None)


def train_together(
    jobs: Sequence[Job], *, data: Path, on: Machine | None = None
) -> list[Checkpoint]:
    """Train several recipes in turns of a step, each as ``train`` would.

    On a GPU, which does their steps side by side, that takes less time than one after the other;
    what recipes learn from is loaded once where it is the same. Not under ``torchrun``.
    """
    on = on or Machine()
    if not ranks.is_alone():
        raise UsageError("several recipes are trained by one process; give torchrun a single one")
    machine.prepare(on.resolved())
    loaded: dict[tuple[str, int], Dataset] = {}
    trainings = []
    cores = torch.get_num_threads()
    for job in jobs:
        torch.set_num_threads(cores)  # not what the run before this one was found to be fastest on
        key = dataset.digest(job.recipe, data), job.recipe.scale
        if key not in loaded:
            loaded[key] = dataset.load(job.recipe, data)
        trainings.append(
            _Training(job.recipe, data, job.out, on, job.teacher, ranks.ALONE, loaded[key])
        )
    reports = [job.report for job in jobs]
    _in_turns([each.steps(report) for each, report in zip(trainings, reports, strict=True)])
    return [each.state() for each in trainings]


def _in_turns(runs: Sequence[Generator[int]]) -> None:
    """Advance every run by a step, again and again; where one is interrupted, all are kept."""
    with ExitStack() as stack:
        live = [stack.enter_context(closing(run)) for run in runs]
        while live:
            live = [run for run in live if next(run, None) is not None]


class _Training:
    """A run, what it learns from, and where it is kept."""

    def __init__(
        self,
        recipe: Recipe,
        data: Path,
        out: Path,
        on: Machine,
        teacher: Teacher | None,
        own: Ranks,
        found: Dataset | None,
    ) -> None:
        if (recipe.teacher is None) != (teacher is None):
            raise UsageError(f"recipe {recipe.name}: a teacher is named and given, or neither")
        guide = teacher.network if teacher is not None and recipe.feature_share else None
        if recipe.feature_share and guide is None:
            raise UsageError(f"recipe {recipe.name}: feature_share needs a teacher of ours")
        self._recipe, self._out, self._ranks = recipe, out, own
        self._device = on.resolved()
        self._training_data = dataset.digest(recipe, data)
        self._teacher = teacher.sha256 if teacher is not None else ""
        before = self._before()
        self._kept = before.step if before else None
        self._diverged = False
        torch.set_num_threads(before.threads if before else on.threads or torch.get_num_threads())
        found = found or dataset.load(recipe, data)
        self._held_out = found.held_out
        training = found.training
        if teacher is not None:
            training = teach.taught(
                training,
                teacher,
                ensemble=recipe.teacher_ensemble,
                training_data=self._training_data,
                ranks=own,
            )
        cut = patches.on_device(
            training,
            scale=recipe.scale,
            patch=recipe.patch,
            batch=recipe.batch,
            seed=recipe.seed,
            device=self._device,
            ranks=own,
        )
        self._run = Run(recipe, cut, on=on, before=before, guide=guide, ranks=own)

    def steps(self, report: Report, stop_at: int | None = None) -> Generator[int]:
        """Train; yields the number of every step that is begun."""
        run, steps = self._run, self._recipe.steps
        last = steps if stop_at is None else min(steps, stop_at)
        log = Log(self._out, step=run.step) if self._ranks.first else None
        begun = saved = reported = time.monotonic()
        first = run.step
        loss: float | None = None
        psnr: float | None = None
        losses: list[Tensor] = []
        try:
            while run.step < last:
                losses.append(run.advance())
                yield run.step
                logging = run.step % LOG_EVERY == 0 or run.step == last
                if logging:
                    loss = 255 * float(self._mean(losses))
                    losses.clear()
                    self._check(loss)
                if log is None:
                    continue
                if self._held_out and (run.step % VALIDATE_EVERY == 0 or run.step == steps):
                    psnr = validation.psnr(run.averaged, self._held_out, device=self._device)
                    log.write(step=run.step, psnr=round(psnr, 3))
                if logging:
                    assert loss is not None
                    log.write(step=run.step, loss=round(loss, 4), seconds=round(run.seconds, 1))
                now = time.monotonic()
                if logging or now - reported > REPORT_EVERY:
                    reported = now
                    # By the clock: others may take their turns, and validation takes time too.
                    left = (now - begun) / (run.step - first) * (steps - run.step)
                    report(
                        Status(step=run.step, steps=steps, loss=loss, psnr=psnr, seconds_left=left)
                    )
                if now - saved > SAVE_EVERY:
                    self._save()
                    saved = now
        finally:
            if self._ranks.first and run.whole and not self._diverged:
                self._save()

    def _mean(self, losses: list[Tensor]) -> Tensor:
        self._run.settle()
        mean = torch.stack(losses).mean()
        self._ranks.average([mean])
        return mean

    def state(self) -> Checkpoint:
        return self._run.state(training_data=self._training_data, teacher=self._teacher)

    def _save(self) -> None:
        self._check()
        checkpoint.save(self._out / checkpoint.FILE, self.state())
        self._kept = self._run.step

    def _check(self, loss: float = 0.0) -> None:
        """Raise ``ModelError`` where the loss or a weight is no number any more.

        Waits for a GPU, so it is for lines of the log and checkpoints, not for each step.
        """
        if math.isfinite(loss) and self._run.finite:
            return
        self._diverged = True
        wrong = "its weights are no numbers" if math.isfinite(loss) else f"its loss is {loss}"
        kept = "nothing was kept" if self._kept is None else f"{self._out} keeps step {self._kept}"
        raise ModelError(
            f"the training of {self._recipe.name} diverged: {wrong} after step {self._run.step}; "
            f"{kept}; a lower rate may help"
        )

    def _before(self) -> Checkpoint | None:
        """The state to go on from, None to begin."""
        try:
            self._out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write the run into {self._out}: {error.strerror}") from error
        where = self._out / checkpoint.FILE
        if not where.exists():
            return None
        before = checkpoint.load(where)
        recipe = replace(before.recipe, sources=self._recipe.sources)
        known = (recipe, before.training_data, before.teacher)
        if known != (self._recipe, self._training_data, self._teacher):
            raise UsageError(
                f"{self._out} holds a run of another recipe, other pictures or another teacher; "
                "give another --out, or remove it to begin afresh"
            )
        return before
