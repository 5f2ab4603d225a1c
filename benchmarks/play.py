"""How well does the player play: frames a second, where the time goes, memory, on time?

    python benchmarks/play.py                                     (nothing else may run)

Plays films, each in a process of its own with SDL's dummy drivers, samples its memory, and
writes ``results/play.json`` and ``.md``. Without ``--film`` they are made up and silent: a drifting
zone plate, the hardest content there is, so that nothing is saved where nothing moves.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidlift.evaluation import machine
from vidlift.player.bench import made_up_film

RESULTS = Path(__file__).parent / "results"

CASES = {
    "270p x4": ((480, 270), 4),
    "360p x3": ((640, 360), 3),
    "540p x2": ((960, 540), 2),
}
"""Films that become 1080p: size and scale."""

SETTLED = 0.25
"""Share of the samples of memory that belong to the beginning: growth is counted after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of playing one film."""

    case: str
    rate: float
    model: str | None
    shown: int
    bypassed: int
    dropped: int
    fps: float
    stages_ms: dict[str, float]
    skew_ms: dict[str, float]
    first_picture_s: float | None
    peak_mb: float
    growth_mb: float
    """Resident memory at the end less that after the beginning, least of the last tenth less
    the most of the tenth after ``SETTLED``, not below 0."""

    changes: list[dict[str, Any]]


def main() -> None:
    options = _options()
    rows = []
    for case in options.cases:
        size, scale = CASES[case]
        for rate in options.rates:
            sys.stderr.write(f"{case} at {rate} frames/s\n")
            with ExitStack() as stack:
                film = options.film or stack.enter_context(
                    made_up_film(size, seconds=options.frames / rate, rate=Fraction(rate))
                )
                rows.append(_play(case, film, scale, rate, options))
            _save(rows, options)
    sys.stdout.write((RESULTS / f"{options.name}.md").read_text())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=2000, help="of each film")
    parser.add_argument("--rates", type=int, nargs="+", default=[24, 30])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--film", type=Path, help="play this instead of a made-up film")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--name", default="play", help="of the results")
    return parser.parse_args()


def _play(case: str, film: Path, scale: int, rate: int, options: argparse.Namespace) -> Row:
    report = RESULTS / f".{options.name}-receipt.json"
    RESULTS.mkdir(exist_ok=True)
    program = Path(sys.executable).with_name("vidlift")
    command = [str(program), "play", str(film), "--display", "none"]
    command += ["-s", str(scale), "-m", options.model, "--device", options.device]
    playing = subprocess.Popen([*command, "--report", str(report)], stdout=subprocess.DEVNULL)
    memory = []
    while playing.poll() is None:
        memory.append(_resident_mb(playing.pid))
        time.sleep(0.5)
    if playing.returncode:
        raise SystemExit(f"play ended with {playing.returncode}")
    receipt = json.loads(report.read_text())
    report.unlink()
    begun = memory[int(len(memory) * SETTLED) :]
    tenth = max(1, len(memory) // 10)
    return Row(
        case=case,
        rate=rate,
        model=receipt["model"],
        shown=receipt["frames_out"],
        bypassed=sum(receipt["bypassed"].values()),
        dropped=sum(receipt["dropped"].values()),
        fps=receipt["fps"],
        stages_ms={name: stage["median_ms"] for name, stage in receipt["stages"].items()},
        skew_ms=receipt["extra"]["skew_ms"],
        first_picture_s=receipt["extra"]["first_picture_s"],
        peak_mb=receipt["peak_memory_mb"],
        # The last samples may be of a process that is closing: they are left out.
        growth_mb=round(max(0.0, min(begun[-tenth - 2 : -2]) - max(begun[:tenth])), 2),
        changes=receipt["extra"]["changes"],
    )


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _save(rows: list[Row], options: argparse.Namespace) -> None:
    made = {**machine.about(), "frames": options.frames}
    content = {"machine": made, "films": [asdict(row) for row in rows]}
    where = RESULTS / f"{options.name}.json"
    where.write_text(json.dumps(content, indent=2) + "\n")
    where.with_suffix(".md").write_text(_page(rows, made))


def _page(rows: list[Row], made: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {found}" for name, found in made["versions"].items())
    lines = [
        "# Playing\n",
        f"`python benchmarks/play.py`, {made['frames']} frames each; {made['processor']}, "
        f"{made['cores']} cores ({', '.join(made['units'])}); {versions}. Times are medians: of "
        "a pair for a network or bicubic, of a frame for the rest.\n",
        "| film | frames/s | network | shown | bypassed | dropped | network, ms | bicubic, ms "
        "| decode, ms | present, ms | skew p95 / most, ms | first picture, s | peak, MB "
        "| growth, MB |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        stage = row.stages_ms
        times = [stage.get(f"{name} pair") for name in ("upscale", "bicubic")]
        times += [stage.get("decode"), stage.get("present")]
        shown = " | ".join("–" if taken is None else f"{taken:.1f}" for taken in times)
        lines.append(
            f"| {row.case} | {row.rate} | {row.model} | {row.shown} | {row.bypassed} "
            f"| {row.dropped} | {shown} | {row.skew_ms.get('p95', 0):.1f} / "
            f"{row.skew_ms.get('max', 0):.1f} | {row.first_picture_s} | {row.peak_mb:.0f} "
            f"| {row.growth_mb:.1f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
