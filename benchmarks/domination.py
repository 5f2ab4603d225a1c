"""Which published networks do ours leave no reason to use?

    python benchmarks/domination.py [--speed NAME]

Reads what ``quality.py`` (in each precision that it was run in) and ``speed.py`` found, and
writes ``results/domination.md`` and the chart ``results/domination.png``; for times that
``speed.py`` wrote by another name, ``speed-avx2``, files of that ending. Ends with 1 where a peer
is not dominated.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vidlift.descriptor import SCALES, TIERS
from vidlift.evaluation import domination, report, script, tables
from vidlift.evaluation.chart import draw
from vidlift.evaluation.domination import SHARE, Verdict
from vidlift.evaluation.report import Figures

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", default="speed", help="of the results of speed.py")
    speed: str = parser.parse_args().speed
    name = "domination" + speed.removeprefix("speed")
    where = RESULTS / f"{speed}.json"
    times = {each.name: each.speed for each in report.load(where)}
    timed_on = tables.machine(json.loads(where.read_text())["made"])
    exact = report.with_speed(report.load(RESULTS / "quality.json"), times)
    rough = [
        figures
        for where in sorted(RESULTS.glob("quality-*.json"))
        for figures in report.with_speed(report.load(where), times)
    ]
    in_float32 = domination.verdicts(exact, admit=domination.float32)
    at_best = domination.verdicts([*exact, *rough])
    page = (
        "# Domination\n\nA published network is dominated where one of ours is at least as good "
        "on Set5, Set14, B100 and clean Vid4 and takes at most "
        f"{SHARE:.0%} of its time, each on what is fastest for it (`docs/measurement.md`). Times "
        f"are of {timed_on}\n"
        f"{_section('Both in float32', in_float32)}\n"
        f"{_section('Both at their best precision', at_best)}"
    )
    if unmeasured := granted(at_best, rough):
        page += (
            "\nOf ours, timed in a precision that quality was not measured in, that of float32 "
            f"standing for it: {', '.join(unmeasured)}.\n"
        )
    if left_out := domination.not_timed(exact):
        page += f"\nIn the range of cost, but not timed: {', '.join(left_out)}.\n"
    (RESULTS / f"{name}.md").write_text(page)
    sys.stdout.write(page)
    draw([_for_chart(each) for each in exact if _shown(each)], RESULTS / f"{name}.png")
    return 0 if all(each.dominated for each in [*in_float32, *at_best]) else 1


def granted(verdicts: Sequence[Verdict], measured: Sequence[Figures]) -> list[str]:
    """Which networks of ours are judged at the time of a precision whose quality nobody measured,
    and that precision."""
    known = {(each.name, each.setup.rpartition(" ")[2]) for each in measured}
    used = {
        (each.ours, each.setups[0].rpartition(" ")[2])
        for each in verdicts
        if each.ours is not None and not domination.float32(each.setups[0])
    }
    return [f"{name} in {precision}" for name, precision in sorted(used - known)]


def _section(title: str, verdicts: Sequence[Verdict]) -> str:
    count = sum(each.dominated for each in verdicts)
    rows = [
        [
            each.peer,
            "yes" if each.dominated else "**no**",
            each.ours or "–",
            f"{each.share:.2f}" if each.ours else "–",
            f"{each.margin:+.2f} ({each.worst})" if each.worst else "–",
            _missed(each),
            " / ".join(each.setups),
        ]
        for each in verdicts
    ]
    titles = [
        "peer",
        "dominated",
        "by, or nearest",
        "share of its time",
        "least lead, dB",
        "missed by",
        "on",
    ]
    return f"## {title}: {count} of {len(verdicts)}\n\n{tables.table(titles, rows)}"


def _missed(verdict: Verdict) -> str:
    """What is lacking to domination, in words."""
    parts = []
    if verdict.share > SHARE:
        parts.append(f"{verdict.share / SHARE - 1:.0%} too slow" if verdict.ours else "all")
    if verdict.margin < 0 and verdict.ours:
        parts.append(f"{-verdict.margin:.2f} dB")
    if verdict.missing and verdict.ours:
        parts.append(f"figures on {', '.join(verdict.missing)}")
    return ", ".join(parts)


def _shown(figures: Figures) -> bool:
    return figures.scale in SCALES and (bool(figures.speed) or figures.tier == report.BICUBIC)


def _for_chart(figures: Figures) -> Figures:
    """Two sets are enough to see, and only ours and peers are told apart."""
    few = {name: score for name, score in figures.pictures.items() if name in ("Set5", "Set14")}
    kept = figures.tier in (*TIERS, "peer", report.BICUBIC)
    return replace(figures, pictures=few, speed=figures.speed if kept else {})


if __name__ == "__main__":
    script.run(main)
