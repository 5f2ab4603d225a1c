"""How long networks take, fairly: all in one process, taking turns.

Machines differ from one minute to the next, so figures are only worth comparing when they were
taken between one another. Every job runs once a round, in an order that changes from round to
round; before its timed run it runs once untimed, to have its caches back and the threads of
the job before it asleep. What is quoted is the median, and as a ratio the median over rounds
of its time over that of a reference job in the same round.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vidlift.engines import open_engine
from vidlift.errors import ModelError
from vidlift.evaluation import runtimes
from vidlift.evaluation.runtimes import FLOAT32, MIXED, SETUPS, Run, Setup
from vidlift.evaluation.subjects import Subject, check_names

SIZE = {2: (960, 540), 3: (640, 360), 4: (480, 270)}
"""Low-resolution width and height that give 1920x1080, by scale."""

ROUNDS = 50
WARM_UP = 3
"""Rounds before the first that counts."""

ENGINES = {FLOAT32: "openvino", MIXED: "openvino-mixed"}
"""Setups that ours are timed in as they are used, by an engine of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    name: str
    run: Callable[[], object]
    frames: int
    """How many frames one run makes: times are per frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """Milliseconds a frame."""

    median_ms: float
    least_ms: float
    ratio: float
    """Time over that of the first job, the median over rounds."""

    runs: int


def job(
    subject: Subject, setup: Setup, *, threads: int, size: tuple[int, int] | None = None
) -> Job:
    """A network in a runtime on random input of a size, that which gives 1080p unless said.

    Raises ``ModelError`` where the runtime cannot run it.
    """
    size = size or SIZE[subject.scale]
    frames = subject.frames
    run: Run
    if subject.model is not None and setup in ENGINES:
        run = open_engine(subject.model, engine=ENGINES[setup], threads=threads).run
    elif setup.runtime == "onnxruntime":
        run = runtimes.onnxruntime(subject.data, threads=threads)
    else:
        # One frame at a time where the graph allows, as our engine does.
        for frames in range(1, subject.frames + 1):
            shape = subject.shape(*size, frames=frames)
            try:
                run = runtimes.openvino(
                    subject.data, shape=shape, precision=setup.precision, threads=threads
                )
                break
            except ModelError:
                if frames == subject.frames:
                    raise
    values = np.random.default_rng(0).random(subject.shape(*size, frames=frames), np.float32)
    if subject.model is not None:
        values = (255 * values).astype(np.uint8)
    return Job(name=f"{subject.name}, {setup.name}", run=lambda: run(values), frames=frames)


def interleaved(
    jobs: Sequence[Job],
    *,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
    tell: Callable[[str], None] = lambda line: None,
) -> list[Time]:
    """Time jobs against one another, in their order; the first is the reference of the ratios."""
    order = list(range(len(jobs)))
    shuffle = random.Random(0).shuffle
    seconds = np.empty((rounds, len(jobs)))
    for turn in range(-WARM_UP, rounds):
        tell(f"round {max(0, turn + 1)} of {rounds}")
        shuffle(order)
        for index in order:
            jobs[index].run()
            begin = clock()
            jobs[index].run()
            if turn >= 0:
                seconds[turn, index] = (clock() - begin) / jobs[index].frames
    ratios = seconds / seconds[:, :1]
    return [
        Time(
            median_ms=round(1000 * float(np.median(seconds[:, index])), 3),
            least_ms=round(1000 * float(seconds[:, index].min()), 3),
            ratio=round(float(np.median(ratios[:, index])), 4),
            runs=rounds,
        )
        for index in range(len(jobs))
    ]


def measure(
    subjects: Sequence[Subject],
    *,
    setups: Sequence[Setup] = SETUPS,
    threads: int = 2,
    rounds: int = ROUNDS,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, dict[str, Time]]:
    """Time networks of one scale on each setup: times by network and setup.

    All are loaded at once. What a runtime cannot run is left out. Ratios are to the first
    network on the first setup that runs it. Raises ``UsageError`` for two of one name.
    """
    check_names(subjects)
    jobs, keys = [], []
    for subject in subjects:
        for setup in setups:
            if setup is MIXED and subject.model is None:
                continue  # a precision that is ours, not what its authors ship
            tell(f"{subject.name} into {setup.name}")
            try:
                jobs.append(job(subject, setup, threads=threads))
            except ModelError as error:
                tell(f"{subject.name}: {error}")
            else:
                keys.append((subject.name, setup.name))
    found: dict[str, dict[str, Time]] = {subject.name: {} for subject in subjects}
    for (name, setup_name), taken in zip(
        keys, interleaved(jobs, rounds=rounds, tell=tell), strict=True
    ):
        found[name][setup_name] = taken
    return found
