"""How soon is the first super-resolved picture there?

    python benchmarks/start.py                                    (nothing else may run)

Plays a film of 480x270 from the command on, again and again, each time in a process of its own
with SDL's dummy drivers: a local file, and the same published and served by HLS on loopback; the
speeds of this machine known from before, and its networks compiled, and neither, as at the very
first use. Writes ``results/start.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vidlift.cloud.publish import PublishOptions, publish
from vidlift.cloud.serve import serving
from vidlift.evaluation import machine, script, tables
from vidlift.player.bench import made_up_film

RESULTS = Path(__file__).parent / "results"
SIZE, SCALE, RATE = (480, 270), 4, 30
WANTED = {"file": 1.0, "stream": 1.5}
"""Seconds from the command to the first super-resolved picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of starting one way again and again. Seconds from the start of the process."""

    source: str
    speeds: str
    """``known`` or ``measured``."""

    loaded_s: float
    """Until Python and all that playing needs is loaded, median."""

    first_s: float
    """Until the first picture of any kind, median."""

    super_resolved_s: float
    """Until the first super-resolved picture, median."""

    worst_s: float
    wanted_s: float
    model: str
    runs: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=script.count, default=7, help="of each")
    parser.add_argument("--name", default="start", help="of the files of results")
    options = parser.parse_args()
    rows = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="vidlift-")))
        film = stack.enter_context(made_up_film(SIZE, seconds=10, rate=Fraction(RATE)))
        title = publish(film, folder / "library", PublishOptions(rungs=(270,), name="film"))
        base = stack.enter_context(serving(folder / "library"))
        sources = {"file": str(film), "stream": f"{base}/{title.path('master.m3u8')}"}
        for source, where in sources.items():
            _start(where, folder / "cache")  # whose speeds are known from here on
            for speeds in ("known", "measured"):
                sys.stderr.write(f"{source}, speeds {speeds}\n")
                receipts = [
                    _start(where, folder / ("cache" if speeds == "known" else f"{source}{run}"))
                    for run in range(options.runs)
                ]
                rows.append(_row(source, speeds, receipts))
    RESULTS.mkdir(exist_ok=True)
    made = machine.about()
    content = {"machine": made, "starts": [asdict(row) for row in rows]}
    (RESULTS / f"{options.name}.json").write_text(json.dumps(content, indent=2) + "\n")
    (RESULTS / f"{options.name}.md").write_text(_page(rows, made))
    sys.stdout.write(_page(rows, made))


def _start(where: str, cache: Path) -> dict[str, Any]:
    """The receipt of a second of playback, with what is remembered in a folder of its own."""
    report = cache.with_suffix(".json")
    program = Path(sys.executable).with_name("vidlift")
    command = [str(program), "play", where, "-s", str(SCALE), "--display", "none"]
    command += ["--duration", "1", "--report", str(report)]
    subprocess.run(
        command,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def _row(source: str, speeds: str, receipts: list[dict[str, Any]]) -> Row:
    extras = [receipt["extra"] for receipt in receipts]
    loaded = [extra["loaded_s"] for extra in extras]

    def seconds(what: str) -> list[float]:
        # One that never came counts as long as the run.
        return [
            extra["loaded_s"] + (extra[what] or receipt["seconds"])
            for extra, receipt in zip(extras, receipts, strict=True)
        ]

    best = seconds("first_super_resolved_s")
    return Row(
        source=source,
        speeds=speeds,
        loaded_s=round(statistics.median(loaded), 2),
        first_s=round(statistics.median(seconds("first_picture_s")), 2),
        super_resolved_s=round(statistics.median(best), 2),
        worst_s=round(max(best), 2),
        wanted_s=WANTED[source],
        model=str(receipts[-1]["model"]),
        runs=len(receipts),
    )


def _page(rows: list[Row], made: dict[str, Any]) -> str:
    lines = [
        "# Starting\n",
        f"{tables.machine(made)}{rows[0].runs} runs each, {SIZE[0]}x{SIZE[1]} to 1080p. "
        "Seconds from the start of the process, medians.\n",
        "| source | speeds of this machine | loaded | first picture | first super-resolved | worst "
        "| wanted | network then |",
        "|---|---|--:|--:|--:|--:|--:|---|",
    ]
    lines += [
        f"| {row.source} | {row.speeds} | {row.loaded_s:.2f} | {row.first_s:.2f} "
        f"| {row.super_resolved_s:.2f} | {row.worst_s:.2f} | {row.wanted_s} | {row.model} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    script.run(main)
