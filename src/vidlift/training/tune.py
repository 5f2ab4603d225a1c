"""A network tuned on a title: it goes on learning, for minutes, from frames like those to come."""

from __future__ import annotations

import json
import math
import re
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from vidlift import metrics, models, resample
from vidlift.errors import OutputError, UsageError
from vidlift.training import checkpoint, dataset, loop, patches, ranks, restore, run, validation
from vidlift.training.checkpoint import Checkpoint
from vidlift.training.dataset import Dataset
from vidlift.training.machine import Machine
from vidlift.training.pictures import Picture
from vidlift.training.recipe import Recipe

RATE = 3e-3
"""Learning rate: a third of what a network begins with, for this one is there already."""

NOTE = "tune.json"
"""File in the folder of a run that says how many minutes it is for."""

TIMED = 8
"""Steps that are timed to know how many go into the minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What tuning was worth, on frames that were held out: PSNR-Y in dB."""

    frames: int
    """Learnt from."""

    held_out: int
    bicubic: float
    before: float
    after: float

    @property
    def gain(self) -> float:
        """Over bicubic, in dB."""
        return self.after - self.bicubic

    def as_json(self) -> dict[str, float]:
        rounded = {name: round(value, 3) for name, value in asdict(self).items()}
        return {
            **rounded,
            "gain_before": round(self.before - self.bicubic, 3),
            "gain": round(self.gain, 3),
        }


def recipe_for(start: str, titles: Sequence[Path], *, crf: int, name: str | None) -> Recipe:
    """The recipe to tune ``start``, a run's folder or a model by name or file, on titles.

    Its steps are still to be set. Raises ``UsageError`` or ``ModelError`` for what is neither.
    """
    where = Path(start)
    if (where / checkpoint.FILE).is_file():
        base = checkpoint.load(where / checkpoint.FILE).recipe
        own = (base.name, base.tier, base.scale, base.architecture, base.licence)
    else:
        said = models.describe(start)
        restore.network(start)
        own = (said.name, said.tier, said.scale, said.architecture, said.licence)
    known = dict(zip(("name", "tier", "scale", "architecture", "licence"), own, strict=True))
    slug = re.sub(r"[^a-z0-9]+", "-", titles[0].stem.lower()).strip("-") or "title"
    return Recipe(
        **{**known, "name": f"{own[0]}-{slug}" if name is None else name},  # type: ignore[arg-type]
        titles=tuple(str(title.resolve()) for title in titles),
        title_crf=crf,
        start=start,
        steps=1,
        warmup=20,
        rate=RATE,
        ema=0.99,
    )


def tune(
    recipe: Recipe,
    *,
    minutes: float,
    out: Path,
    on: Machine,
    report: loop.Report = lambda _status: None,
) -> tuple[Checkpoint, Figures]:
    """Train for about so many minutes, decoding aside; a run that is found in ``out`` goes on.

    Raises ``InputError`` for titles that are too short, small or no videos, and ``UsageError``
    where that run is for other minutes.
    """
    if not 0 < minutes < math.inf:
        raise UsageError(f"minutes are a number above 0, got {minutes:g}")
    if not ranks.is_alone():
        raise UsageError("a network is tuned by one process; start it without torchrun")
    _check_minutes(minutes, out)
    found = dataset.load(recipe, Path())
    _note(minutes, out)
    smallest = min(min(p.low.shape) for p in found.training)
    recipe = replace(recipe, patch=min(recipe.patch, smallest))
    recipe = replace(recipe, steps=_steps_before(recipe, out) or _steps(recipe, found, minutes, on))
    before = validation.psnr(run.begun(recipe), found.held_out)
    state = loop.train(recipe, data=Path(), out=out, on=on, found=found, report=report)
    figures = Figures(
        frames=len(found.training),
        held_out=len(found.held_out),
        bicubic=_bicubic(found.held_out),
        before=before,
        after=validation.psnr(checkpoint.averaged(state), found.held_out),
    )
    return state, figures


def _check_minutes(minutes: float, out: Path) -> None:
    """Compare for how long a run in ``out`` is, if there is one."""
    if not (out / checkpoint.FILE).exists():
        return
    before = minutes
    with suppress(OSError, ValueError, KeyError, TypeError):  # one from before there were notes
        before = float(json.loads((out / NOTE).read_text())["minutes"])
    if before != minutes:
        raise UsageError(
            f"{out} holds a tuning of {before:g} minutes; for one of {minutes:g} give another "
            "--out, or remove it"
        )


def _note(minutes: float, out: Path) -> None:
    """Keep for how long a run is that begins."""
    if (out / checkpoint.FILE).exists():
        return
    where = out / NOTE
    try:
        out.mkdir(parents=True, exist_ok=True)
        where.write_text(json.dumps({"minutes": minutes}) + "\n")
    except OSError as error:
        raise OutputError(f"cannot write the run into {out}: {error.strerror}") from error


def _steps_before(recipe: Recipe, out: Path) -> int | None:
    """The steps of the same tuning that was begun in ``out``, None where there is none."""
    where = out / checkpoint.FILE
    if not where.exists():
        return None
    before = checkpoint.load(where).recipe
    return before.steps if replace(before, steps=recipe.steps) == recipe else None


def _steps(
    recipe: Recipe,
    found: Dataset,
    minutes: float,
    on: Machine,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """How many steps go into the minutes, from a few that are made and thrown away."""
    device = on.resolved()
    cut = patches.on_device(
        found.training,
        scale=recipe.scale,
        patch=recipe.patch,
        batch=recipe.batch,
        seed=recipe.seed,
        device=device,
    )
    trial = run.Run(recipe, cut, on=on)
    times = []
    for _ in range(TIMED):
        start = clock()
        float(trial.advance())  # the number is waited for, on a GPU as well
        times.append(clock() - start)
    return max(1, round(60 * minutes / statistics.median(times)))


def _bicubic(held_out: Sequence[Picture]) -> float:
    found = []
    for picture in held_out:
        height, width = picture.high.shape
        border = height // picture.low.shape[0]
        made = resample.resize(picture.low, (width, height))
        found.append(min(metrics.CEILING, metrics.psnr(made, picture.high, border=border)))
    return float(np.mean(found))
