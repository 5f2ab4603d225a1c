"""Which way of choosing rungs is the better one to watch? Prints and keeps a table.

    python benchmarks/adaptation.py

A simulation (``vidlift.client.simulation``): the figures do not depend on the machine.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from statistics import mean

from vidlift.client.adapt import Option, by_both, by_buffer, by_throughput
from vidlift.client.simulation import TRACES, Viewing, wandering, watch
from vidlift.evaluation import script

RESULTS = Path(__file__).with_name("results")

LADDER = [
    Option(bits_per_second=rate, quality=decibels / 3)
    for rate, decibels in ((230e3, 31.0), (420e3, 33.5), (700e3, 35.2), (1300e3, 37.2))
]
"""About what 180p, 270p, 360p and 540p of a film look like super-resolved; 3 dB are 1."""

WAYS = {"throughput": by_throughput, "BOLA": by_buffer, "Vidlift": by_both}
WANDERING = 50
"""Random traces a mean rate."""


def main() -> None:
    """Watch every trace in every way."""
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for way, choose in WAYS.items():
        for name, trace in TRACES.items():
            rows.setdefault(name, {})[way] = _figures([watch(choose, LADDER, trace)])
        for rate in (0.5e6, 1.2e6, 2e6):
            viewings = [
                watch(choose, LADDER, wandering(seed, mean=rate)) for seed in range(WANDERING)
            ]
            name = f"wandering, {rate / 1e6:g} Mbit/s on average"
            rows.setdefault(name, {})[way] = _figures(viewings)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "adaptation.json").write_text(json.dumps(rows, indent=2) + "\n")
    text = _table(rows)
    (RESULTS / "adaptation.md").write_text(text)
    print(text)  # noqa: T201


def _figures(viewings: list[Viewing]) -> dict[str, float]:
    fields = [asdict(v) | {"experience": v.experience} for v in viewings]
    return {name: round(mean(f[name] for f in fields), 3) for name in fields[0]}


def _table(rows: dict[str, dict[str, dict[str, float]]]) -> str:
    lines = [
        "# Choosing rungs over simulated networks",
        "",
        "`python benchmarks/adaptation.py`. Experience: mean quality (3 dB are 1) above the least",
        "rung, less 3 a second of standing and 1 a unit of stepping, per second of film.",
        "",
        "| network | " + " | ".join(f"{way}: experience, stalls, steps" for way in WAYS) + " |",
        "|---|" + "---|" * len(WAYS),
    ]
    for name, ways in rows.items():
        cells = [
            f"{f['experience']:.2f}, {f['stalled']:.1f} s, {f['switches']:.0f}"
            for f in ways.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    script.run(main)
