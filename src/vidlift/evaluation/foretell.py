"""What this machine can do with films of a size: networks alone, and with all else of a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from vidlift import models
from vidlift.descriptor import TIERS
from vidlift.evaluation import runtimes, subjects, timing
from vidlift.evaluation.timing import Job
from vidlift.models import Model, family
from vidlift.models.family import Training
from vidlift.sources.synthetic import SyntheticSource
from vidlift.system import cores
from vidlift.upscaler import Upscaler


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Milliseconds a frame, medians, networks taking turns."""

    scale: int
    size: tuple[int, int]
    """Width and height of the small picture."""

    network: str
    engine: str
    ours: bool
    network_ms: float
    """Luma through the network."""

    frame_ms: float | None
    """With chroma and conversions, as a player has it; None for networks of others."""

    ratio: float
    """Time of the network over that of plain interpolation on the first engine."""

    runs: int


def foretell(
    scale: int,
    size: tuple[int, int],
    *,
    engines: Callable[[Model], Iterable[str]],
    against: Sequence[Path] = (),
    threads: int | None = None,
    rounds: int = timing.ROUNDS,
) -> list[Speed]:
    """Time every network of a scale on each of the ``engines`` that it is asked of, plain
    interpolation first, and files of others that have that scale.
    """
    first, second = SyntheticSource(width=size[0], height=size[1], frames=2)
    lumas = [first.luma, second.luma]
    there = models.names()  # all trainings of a tier take the same time
    names = [
        n
        for t in TIERS
        for n in family.members(there, tier=t, scale=scale, training=Training.CODED)
    ]
    kinds: list[tuple[str, str, bool]] = []
    alone: list[Job] = []
    whole: list[Job] = []
    with ExitStack() as stack:
        for name in (f"{models.BICUBIC}-x{scale}", *names):
            model = models.load(name)
            for engine in engines(model):
                upscaler = stack.enter_context(Upscaler(model, engine=engine, threads=threads))
                kinds.append((name, upscaler.engine, True))
                alone.append(
                    Job(
                        name=name,
                        run=lambda u=upscaler: u.luma_planes(lumas, bits=8),  # type: ignore[misc]
                        frames=2,
                    )
                )
                whole.append(
                    Job(
                        name=name,
                        run=lambda u=upscaler: u.pair(first, second),  # type: ignore[misc]
                        frames=2,
                    )
                )
        for subject in map(subjects.load, against):
            if subject.scale == scale:
                for setup in (runtimes.FLOAT32, runtimes.EXACT):
                    kinds.append((subject.name, setup.name, False))
                    alone.append(timing.job(subject, setup, threads=threads or cores(), size=size))
        times = timing.interleaved([*alone, *whole], rounds=rounds)
    return [
        Speed(
            scale=scale,
            size=size,
            network=name,
            engine=engine,
            ours=ours,
            network_ms=times[number].median_ms,
            frame_ms=times[len(alone) + number].median_ms if ours else None,
            ratio=times[number].ratio,
            runs=rounds,
        )
        for number, (name, engine, ours) in enumerate(kinds)
    ]
