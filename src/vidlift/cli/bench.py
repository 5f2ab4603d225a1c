"""``vidlift bench``: what this machine can do, foretold from what it does."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidlift.cli.console import err, out, plain_table, print_table
from vidlift.cli.report import check_chart, check_report, save_json
from vidlift.errors import ModelError, UsageError

if TYPE_CHECKING:
    from vidlift.evaluation.foretell import Speed
    from vidlift.models import Model

HEAD_ROOM = 0.75
"""Share of a frame's time that a network may take for the player to choose it."""

RATES = (24, 25, 30, 50, 60)

MOST_ROUNDS = 10_000

MOST_PIXELS = 7680 * 4320
"""Of a small picture; what larger ones take, no machine that plays films has."""


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
        typer.Option(
            "--engine",
            metavar="NAME",
            help="May be given again.  [default: auto, and what the player chooses]",
        ),
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
    chart: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw times a frame (extra `charts`)."),
    ] = None,
) -> None:
    """Foretell frames a second by network, scale and engine, and play made-up films.

    Networks take turns in one process, so that what else the machine does is shared out. The
    network's time is that of luma; a frame's is with its chroma and conversions, as a player has
    it.
    """
    from vidlift.engines import check as check_engine
    from vidlift.evaluation import machine, timing
    from vidlift.evaluation.foretell import foretell

    if not 1 <= rounds <= MOST_ROUNDS:
        raise UsageError(f"a bench has at least one round and at most {MOST_ROUNDS}, got {rounds}")
    if not 0 <= seconds < math.inf:
        raise UsageError(f"seconds to play are a number, 0 or more, got {seconds:g}")
    check_report(report)
    check_chart(chart)
    for engine in engines or ("auto",):
        check_engine(engine, threads=threads)
    found: dict[str, Any] = {**machine.about(), "threads": threads, "networks": [], "play": []}
    speeds: list[Speed] = []
    for scale in scales or (2, 3, 4):
        if scale not in timing.SIZE:
            raise UsageError(f"scale {scale}: there are networks for 2, 3 and 4")
        small = _size(size) if size else timing.SIZE[scale]
        err.print(f"vidlift: timing networks at {small[0]}x{small[1]}, x{scale}")
        try:
            timed = foretell(
                scale,
                small,
                engines=_engines(engines, threads=threads),
                against=against or (),
                threads=threads,
                rounds=rounds,
            )
        except MemoryError as error:
            raise UsageError(
                f"pictures of {small[0]}x{small[1]}, x{scale}, take more memory than there is"
            ) from error
        speeds += timed
        _print(timed)
    found["networks"] = [asdict(each) for each in speeds]
    if chart is not None:
        from vidlift.evaluation.speed_chart import draw

        draw(speeds, chart)
    if seconds > 0:
        found["play"] = [
            _play(scale, _size(size) if size else timing.SIZE[scale], seconds, engine, threads)
            for scale in scales or (2, 3, 4)
            for engine in engines or ("auto",)
        ]
    save_json(report, found)


def _engines(
    asked: Sequence[str] | None, *, threads: int | None
) -> Callable[[Model], Iterable[str]]:
    """What a network is timed on: what was asked for, or float32 and what the player chooses."""
    from vidlift.player.calibration import Speeds
    from vidlift.player.ladder import Engines

    if asked:
        return lambda _model: asked
    chosen = Engines(speeds=Speeds(), threads=threads, ways=None)
    return lambda model: dict.fromkeys(("auto", chosen.of(model)))


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text, re.ASCII)
    width, height = map(int, found.groups()) if found else (0, 0)
    if not width * height:
        raise UsageError(f"a size is given as WxH, such as 480x270, got {text!r}")
    if width * height > MOST_PIXELS:
        raise UsageError(f"a small picture has at most {MOST_PIXELS} pixels (8K), got {text}")
    return width, height


def _print(speeds: Sequence[Speed]) -> None:
    (width, height), scale = speeds[0].size, speeds[0].scale
    table = plain_table(
        title=f"{width}x{height} → {width * scale}x{height * scale}",
        title_justify="left",
    )
    for head in ("network", "engine"):
        table.add_column(head)
    for head in ("network, ms", "ratio", "frame, ms", "frames/s"):
        table.add_column(head, justify="right")
    table.add_column("plays")
    for each in speeds:
        taken = each.frame_ms or each.network_ms
        holds = [str(rate) for rate in RATES if rate <= HEAD_ROOM * 1000 / taken]
        table.add_row(
            each.network,
            each.engine,
            f"{each.network_ms:.1f}",
            f"{each.ratio:.2f}",
            "–" if each.frame_ms is None else f"{each.frame_ms:.1f}",
            f"{1000 / taken:.0f}",
            f"up to {holds[-1]} frames/s" if holds else "slower films",
        )
    print_table(table)
    out.print()


def _play(
    scale: int, size: tuple[int, int], seconds: float, engine: str, threads: int | None
) -> dict[str, Any]:
    """Play a made-up film for nobody, with whatever network there is time for.

    In a process of its own, so that its start and its memory are those of a player.
    """
    from vidlift.player.bench import made_up_film

    with (
        TemporaryDirectory(prefix="vidlift-") as folder,
        made_up_film(size, seconds=seconds) as film,
    ):
        report = Path(folder) / "receipt.json"
        line = ["play", str(film), "--display", "none", "-s", str(scale), "--engine", engine]
        line += [] if threads is None else ["--threads", str(threads)]
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, *line, "--report", str(report)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ModelError(f"a film cannot be played: {done.stderr.strip()}")
        receipt = json.loads(report.read_text())
    extra = receipt["extra"]
    skipped = [sum(receipt[what].values()) for what in ("bypassed", "dropped")]
    found = {name: receipt[name] for name in ("model", "engine", "frames_out", "stages")}
    found |= {name: receipt[name] for name in ("bypassed", "dropped", "peak_memory_mb")}
    found |= {name: extra[name] for name in ("skew_ms", "joules_per_second", "made_by", "changes")}
    found["start_s"] = _start(extra)
    out.print(
        f"played {size[0]}x{size[1]} x{scale} for {receipt['seconds']:.0f} s: {found['model']} on "
        f"{found['engine']}, {found['frames_out']} frames shown, {skipped[0]} bypassed, "
        f"{skipped[1]} dropped, skew within {extra['skew_ms'].get('p95', 0)} ms, first "
        f"super-resolved after {found['start_s']} s"
        + (f", {found['peak_memory_mb']:.0f} MB" if found["peak_memory_mb"] else "")
        + (f", {extra['joules_per_second']} J/s" if extra["joules_per_second"] else ""),
    )
    return {"scale": scale, "size": size, **found}


_PROGRAM = "from vidlift.cli import run; run()"


def _start(extra: dict[str, Any]) -> float | None:
    """Seconds from the command to the first super-resolved picture; None: there was none."""
    loaded, first = extra["loaded_s"], extra["first_super_resolved_s"]
    return None if first is None else round((loaded or 0) + first, 2)
