"""``vidlift bench``: what this machine can do, foretold from what it does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from vidlift.cli.console import err, out, print_table
from vidlift.errors import OutputError, UsageError

if TYPE_CHECKING:
    from vidlift.evaluation.timing import Job

HEAD_ROOM = 0.75
"""Share of a frame's time that a network may take for the player to choose it."""

RATES = (24, 25, 30, 50, 60)


def bench(
    *,
    scales: Annotated[
        list[int] | None, typer.Option("-s", "--scale", metavar="2|3|4", help="All unless said.")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH", help="Size of the small picture; what gives 1080p unless said."
        ),
    ] = None,
    engines: Annotated[
        list[str] | None,
        typer.Option("--engine", metavar="NAME", help="May be given again.  [default: auto]"),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE.onnx", help="Another network to time in the same run."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Cores for the network; all unless said.")
    ] = None,
    rounds: Annotated[int, typer.Option(help="Timed runs of each, in turn.")] = 50,
    seconds: Annotated[
        float, typer.Option(metavar="SECONDS", help="Seconds to play as well; 0: none.")
    ] = 10.0,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write all figures here.")
    ] = None,
) -> None:
    """Foretell frames a second by network, scale and engine, and play a made-up film.

    Networks take turns in one process, so that what else the machine does is shared out. A frame
    is timed with its chroma and conversions, as a player has it.
    """
    from vidlift.evaluation import machine, timing

    if rounds < 1:
        raise UsageError(f"a bench has at least one round, got {rounds}")
    found: dict[str, Any] = {**machine.about(), "threads": threads, "networks": [], "play": []}
    for scale in scales or (2, 3, 4):
        if scale not in timing.SIZE:
            raise UsageError(f"scale {scale}: there are networks for 2, 3 and 4")
        small = _size(size) if size else timing.SIZE[scale]
        with ExitStack() as stack:
            jobs = _jobs(scale, small, engines or ["auto"], threads, stack)
            jobs += _others(against or [], scale, threads)
            if not jobs:
                continue
            err.print(f"vidlift: timing {len(jobs)} networks at {small[0]}x{small[1]}, x{scale}")
            times = timing.interleaved(jobs, rounds=rounds)
        rows = [
            {"scale": scale, "size": small, "network": job.name, **asdict(taken)}
            for job, taken in zip(jobs, times, strict=True)
        ]
        found["networks"] += rows
        _print(scale, small, rows)
    if seconds > 0:
        found["play"] = [_play(scale, seconds) for scale in scales or (2, 3, 4)]
    if report is not None:
        try:
            report.write_text(json.dumps(found, indent=2) + "\n")
        except OSError as error:
            raise OutputError(f"cannot write the report {report}: {error.strerror}") from error


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UsageError(f"a size is given as WxH, such as 480x270, got {text!r}")
    return int(width), int(height)


def _jobs(
    scale: int,
    size: tuple[int, int],
    engines: Sequence[str],
    threads: int | None,
    stack: ExitStack,
) -> list[Job]:
    """Each network of a scale on each engine, a pair of frames with chroma a run."""
    from vidlift import models
    from vidlift.descriptor import TIERS
    from vidlift.evaluation.timing import Job
    from vidlift.models import family
    from vidlift.sources.synthetic import SyntheticSource
    from vidlift.upscaler import Upscaler

    first, second = SyntheticSource(width=size[0], height=size[1], frames=2)
    there = models.names()  # the two trainings of a tier take the same time
    names = [n for t in TIERS for n in family.members(there, tier=t, scale=scale, clean=False)]
    jobs = []
    for name in (f"bicubic-x{scale}", *names):
        for engine in engines:
            upscaler = stack.enter_context(Upscaler(name, engine=engine, threads=threads))
            jobs.append(
                Job(
                    name=f"{name}, {upscaler.engine}",
                    run=lambda u=upscaler: u.pair(first, second),  # type: ignore[misc]
                    frames=2,
                )
            )
    return jobs


def _others(files: Sequence[Path], scale: int, threads: int | None) -> list[Job]:
    """Networks to compare with: the graph alone, at the size that gives 1080p."""
    from vidlift.evaluation import runtimes, subjects, timing

    loaded = [subjects.load(file) for file in files]
    return [
        timing.job(subject, setup, threads=threads or 2)
        for subject in loaded
        if subject.scale == scale
        for setup in (runtimes.SETUPS[0], runtimes.EXACT)
    ]


def _print(scale: int, size: tuple[int, int], rows: Sequence[dict[str, Any]]) -> None:
    width, height = size
    table = Table(
        box=None,
        pad_edge=False,
        title=f"{width}x{height} → {width * scale}x{height * scale}",
        title_justify="left",
    )
    table.add_column("network, engine")
    for head in ("ms a frame", "frames/s", "ratio"):
        table.add_column(head, justify="right")
    table.add_column("plays")
    for row in rows:
        most = HEAD_ROOM * 1000 / row["median_ms"]
        holds = [str(rate) for rate in RATES if rate <= most]
        table.add_row(
            row["network"],
            f"{row['median_ms']:.1f}",
            f"{1000 / row['median_ms']:.0f}",
            f"{row['ratio']:.2f}",
            f"up to {holds[-1]} frames/s" if holds else "slower films",
        )
    print_table(table)
    out.print()


def _play(scale: int, seconds: float) -> dict[str, Any]:
    """Play a made-up film for nobody, with whatever network there is time for."""
    from vidlift.evaluation.timing import SIZE
    from vidlift.player.bench import made_up_film
    from vidlift.player.play import PlayOptions, play

    with made_up_film(SIZE[scale], seconds=seconds) as film:
        receipt = play(str(film), PlayOptions(scale=scale, display="none"))
    extra = receipt.extra
    skipped = sum(receipt.bypassed.values()), sum(receipt.dropped.values())
    out.print(
        f"played {receipt.size_in[0]}x{receipt.size_in[1]} x{scale} for {receipt.seconds:.0f} s: "
        f"{receipt.model}, {receipt.frames_out} frames shown, {skipped[0]} bypassed, "
        f"{skipped[1]} dropped, first after {extra['first_picture_s']} s, "
        f"skew within {extra['skew_ms'].get('p95', 0)} ms, {receipt.peak_memory_mb:.0f} MB"
        + (f", {extra['joules_per_second']} J/s" if extra["joules_per_second"] else ""),
        soft_wrap=True,
    )
    return {
        "scale": scale,
        "model": receipt.model,
        "shown": receipt.frames_out,
        "bypassed": dict(receipt.bypassed),
        "dropped": dict(receipt.dropped),
        "stages": {name: asdict(time) for name, time in receipt.stages.items()},
        "peak_memory_mb": receipt.peak_memory_mb,
        **{name: extra[name] for name in ("skew_ms", "first_picture_s", "joules_per_second")},
        "made_by": extra["made_by"],
        "changes": extra["changes"],
    }
