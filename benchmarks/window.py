"""What does it take to put a picture on the screen of a machine without a GPU?

    xvfb-run -a -s "-screen 0 2600x1500x24" python benchmarks/window.py

Shows pictures of 1080p in windows of several sizes, by OpenGL that is computed on the CPU, as SDL
would have it, and as Vidlift has it; each in a process of its own. On a machine with a GPU the two
are the same. Writes ``results/window.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vidlift import system
from vidlift.color import ColorTags
from vidlift.evaluation import machine, script, tables
from vidlift.frame import Frame
from vidlift.sinks.window import Window

RESULTS = Path(__file__).parent / "results"
SIZE = (1920, 1080)
AREAS = ((1280, 720), (1600, 900), (1920, 1080), (2560, 1440))
SHOWN, WARM = 60, 10
DRIVERS = {"OpenGL on the CPU": {"SDL_RENDER_DRIVER": "opengl"}, "as Vidlift has it": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What pictures of one window took, shown one way."""

    area: tuple[int, int]
    beside: bool
    """Whether it is the split view: two pictures side by side."""

    shown_ms: float
    """From the call to the picture on the screen, median."""

    cpu_ms: float
    """Of all threads of the process, mean of a picture."""

    peak_memory_mb: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=3, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        width, height, beside = options.one
        row = _measure((width, height), beside=bool(beside))
        sys.stdout.write(json.dumps(asdict(row)) + "\n")
        return
    cases = [(area, False) for area in AREAS] + [(SIZE, True)]
    found = {
        name: [_alone(area, beside, extra) for area, beside in cases]
        for name, extra in DRIVERS.items()
    }
    made = machine.about()
    page = _page(found, made)
    content = {"machine": made, "shown": found}
    (RESULTS / "window.json").write_text(json.dumps(content, indent=2) + "\n")
    (RESULTS / "window.md").write_text(page)
    sys.stdout.write(page)


def _alone(area: tuple[int, int], beside: bool, extra: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", *map(str, (*area, int(beside)))]
    said = subprocess.run(
        command, env={**os.environ, **extra}, stdout=subprocess.PIPE, check=True, text=True
    )
    row: dict[str, Any] = json.loads(said.stdout)
    return row


def _measure(area: tuple[int, int], *, beside: bool) -> Row:
    rng = np.random.default_rng(0)
    pictures = [_picture(rng) for _ in range(3)]
    took, before = [], 0.0
    with closing(Window("benchmark", source_height=SIZE[1])) as window:
        window.opens_at = area
        for index in range(WARM + SHOWN):
            if index == WARM:
                before = time.process_time()
            begun = time.perf_counter()
            other = pictures[(index + 1) % 3] if beside else None
            window.show(pictures[index % 3], beside=other, divider=0.5)
            took.append(time.perf_counter() - begun)
        spent = time.process_time() - before
    return Row(
        area=area,
        beside=beside,
        shown_ms=round(statistics.median(took[WARM:]) * 1000, 1),
        cpu_ms=round(spent / SHOWN * 1000, 1),
        peak_memory_mb=system.peak_memory_mb(),
    )


def _picture(rng: np.random.Generator) -> Frame:
    width, height = SIZE
    sizes = ((height, width), *[(height // 2, width // 2)] * 2)
    return Frame(
        planes=tuple(rng.integers(16, 236, size, dtype=np.uint8) for size in sizes),
        pts=Fraction(0),
        duration=Fraction(1, 30),
        color=ColorTags(),
    )


def _page(found: dict[str, list[dict[str, Any]]], made: dict[str, Any]) -> str:
    theirs, ours = found.values()
    rows = [
        [
            f"{a['area'][0]}x{a['area'][1]}{', split view' if a['beside'] else ''}",
            *(f"{each['shown_ms']:.1f}" for each in (a, b)),
            *(f"{each['cpu_ms']:.1f}" for each in (a, b)),
            *(f"{each['peak_memory_mb']:.0f}" for each in (a, b)),
        ]
        for a, b in zip(theirs, ours, strict=True)
    ]
    titles = ["window", "OpenGL on the CPU, ms", "Vidlift, ms"]
    titles += ["processor time", "Vidlift", "memory, MB", "Vidlift"]
    return (
        f"# A window without a GPU\n\n{tables.machine(made)}\n"
        f"Pictures of {SIZE[0]}x{SIZE[1]}; medians of {SHOWN} from the call to the picture on the "
        "screen, mean processor time of all threads of a picture, and the largest memory of the "
        f"process.\n\n{tables.table(titles, rows)}"
    )


if __name__ == "__main__":
    script.run(main)
