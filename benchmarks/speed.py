"""How fast are our networks and the published ones, against one another?

    python benchmarks/speed.py --peers ../shared/peers            (nothing else may run)

Times every network to 1080p on each runtime and precision, taking turns in one process
(``docs/measurement.md``), and writes ``results/speed.json`` and ``.md``. Memory holds only some
networks at once, so they are timed in groups, cheapest first, each with the same reference
network; ratios are to the reference in the same rounds and can be compared across groups.
``--keep`` adds one more group to what was measured before on the same machine with the same
versions.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vidlift.descriptor import SCALES
from vidlift.evaluation import machine, report, script, subjects, tables, timing
from vidlift.evaluation.cost import cost
from vidlift.evaluation.report import Figures
from vidlift.evaluation.runtimes import SETUPS

RESULTS = Path(__file__).parent / "results"

REFERENCE = "m"
"""Tier of the network that is timed in every group: of the cost of most, so that what slows them
slows it as well. A lighter one, of 2 ms, moved by a third between groups that agreed in ms."""


def main() -> None:
    options = _options()
    where = RESULTS / f"{options.name}.json"
    made = {
        **machine.about(),
        "threads": options.threads,
        "rounds": options.rounds,
        "reference": REFERENCE,
    }
    before = kept(where, made) if options.keep else []
    made = by_both(where, made) if before else made
    found: list[Figures] = []
    # Cheapest first, so that a group has its like in it.
    wanted = sorted(
        subjects.gather(options.peers, only=options.only), key=lambda each: cost(each).mac
    )
    for scale in options.scales:
        every = [each for each in wanted if each.scale == scale]
        every = [each for each in every if cost(each).mac <= options.ceiling * scale**2]
        reference = subjects.load(f"{REFERENCE}-x{scale}")
        every = [each for each in every if each.name != reference.name]
        every = [subjects.load(f"bicubic-x{scale}"), *every] if every else []
        for begin in range(0, len(every), options.group):
            group = every[begin : begin + options.group]
            sys.stderr.write(f"x{scale}: {', '.join(each.name for each in group)}\n")
            times = timing.measure(
                [reference, *group],
                threads=options.threads,
                rounds=options.rounds,
                tell=_tell,
            )
            sys.stderr.write("\n")
            gc.collect()
            measured = [reference, *group] if begin == 0 else group
            for subject in measured:
                figures = report.about(subject, scale=scale)
                found.append(replace(figures, speed=times[subject.name]))
            now = {each.name for each in found}
            every_one = [*found, *(each for each in before if each.name not in now)]
            every_one.sort(key=lambda each: (each.scale, each.cost.mac if each.cost else 0))
            report.save(where, every_one, made=made)
            where.with_suffix(".md").write_text(_page(every_one, tables.machine(made)))
    sys.stdout.write(where.with_suffix(".md").read_text())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, help="a folder of published networks")
    parser.add_argument("--scales", type=int, nargs="+", default=SCALES, choices=SCALES)
    parser.add_argument("--only", nargs="*", default=[], help="names, or beginnings of names")
    parser.add_argument("--rounds", type=script.count, default=timing.ROUNDS)
    parser.add_argument("--group", type=script.count, default=8, help="networks in memory at once")
    parser.add_argument("--ceiling", type=float, default=11_000, help="MAC per output pixel")
    parser.add_argument("--threads", type=script.count, default=2)
    parser.add_argument("--name", default="speed", help="of the results")
    parser.add_argument("--keep", action="store_true", help="what is not timed now")
    return parser.parse_args()


def kept(where: Path, made: dict[str, Any]) -> list[Figures]:
    """What lies there; nothing where it is of another machine or other versions."""
    if not where.exists():
        return []
    same = machine.comparable(json.loads(where.read_text())["made"], made)
    return report.load(where) if same else []


def by_both(where: Path, made: dict[str, Any]) -> dict[str, Any]:
    """What times of now are made by, with the command of those that lie there before it."""
    first = json.loads(where.read_text())["made"]["command"]
    return {**made, "command": f"{first}; {made['command']}"}


def _tell(line: str) -> None:
    """Over the line before."""
    sys.stderr.write(f"\r{line:60}")


def _page(figures: Sequence[Figures], taken_on: str) -> str:
    setups = [setup.name for setup in SETUPS]
    parts = [
        "# Speed\n\nMilliseconds a frame to 1080p, median, and in brackets the ratio to "
        f"{REFERENCE}-x2, -x3 and -x4 in {setups[0]}. Ours run in OpenVINO in float32 and mixed "
        "precision as Vidlift's engines run them, which leave the last shuffle to numpy; else, and "
        f"for the peers, the file is run as it is.\n\n{taken_on}"
    ]
    for scale in SCALES:
        rows = [
            [
                each.name,
                f"{each.cost.mac:,.0f}" if each.cost else "",
                *(
                    f"{taken.median_ms:.1f} ({taken.ratio:.2f})" if taken else "–"
                    for taken in (each.speed.get(setup) for setup in setups)
                ),
            ]
            for each in figures
            if each.scale == scale
        ]
        if rows:
            parts.append(f"## ×{scale}\n\n{tables.table(['network', 'MAC/px', *setups], rows)}")
    return "\n".join(parts)


if __name__ == "__main__":
    script.run(main)
