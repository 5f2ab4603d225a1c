"""Which networks are worth shipping in 8 bits?

    python benchmarks/variants.py PICTURES --out FOLDER    (nothing else may run)

Quantises every shipped network into FOLDER, as ``vidlift model quantize`` does, and times it
beside the original in each precision, taking turns in one process. A variant is worth its bytes
where it loses at most 0.05 dB on held-out pictures and is faster than the original in float32,
for machines without bfloat16, or in the fastest precision of this one. Writes
``results/variants.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from vidlift import models
from vidlift.descriptor import SCALES
from vidlift.errors import ModelError
from vidlift.evaluation import machine, script, subjects, tables, timing
from vidlift.evaluation.timing import Time
from vidlift.models import family
from vidlift.models.family import Member
from vidlift.training import dataset, export, quantize

RESULTS = Path(__file__).parent / "results"

MAX_LOSS = 0.05
"""In dB."""


def main() -> None:
    options = _options()
    rows: list[dict[str, Any]] = []
    networks = _networks(options.only)
    for scale in options.scales:
        found = dataset.split(options.data, scale=scale)
        losses = {}
        for name in (each.name for each in networks if each.scale == scale):
            try:
                losses[name] = _quantised(name, *found, out=options.out)
            except ModelError as error:
                sys.stderr.write(f"{error}\n")
        files = [options.out / f"{name}-int8.onnx" for name in losses]
        every = [subjects.load(each) for each in (*losses, *files)]
        times = timing.measure(every, rounds=options.rounds, tell=_tell) if every else {}
        for name, loss in losses.items():
            rows.append(
                {"name": name, "loss": loss, "int8": _least(times[f"{name}-int8"])}
                | {setup: taken.median_ms for setup, taken in times[name].items()}
            )
    made = machine.about()
    RESULTS.joinpath("variants.json").write_text(
        json.dumps({"made": made, "rows": rows}, indent=1) + "\n"
    )
    page = f"# Networks in 8 bits\n\n{tables.machine(made)}\n{_page(rows)}"
    RESULTS.joinpath("variants.md").write_text(page)
    sys.stdout.write(page)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a pack, or a folder of pictures")
    parser.add_argument("--out", type=Path, required=True, help="where the variants go")
    parser.add_argument("--scales", type=int, nargs="+", default=SCALES, choices=SCALES)
    parser.add_argument("--only", nargs="*", default=[], help="names, or beginnings of names")
    parser.add_argument("--rounds", type=script.count, default=timing.ROUNDS)
    return parser.parse_args()


def _networks(only: list[str]) -> list[Member]:
    """Those that are shipped, as they were trained."""
    shipped = [member for name in models.names() if (member := family.parse(name))]
    own = {member.name: member for member in shipped if not member.variant}
    return [own[name] for name in subjects.beginning(own, only)]


def _quantised(name: str, training: Any, held_out: Any, *, out: Path) -> float:
    """Write the variant of a network with its card; what it loses, in dB."""
    made = quantize.quantize(models.load(name), training, held_out, max_loss=MAX_LOSS)
    figures = {"int8": {"loss": round(made.loss, 3), "in_float": list(made.in_float)}}
    export.write_variant(made.model, out, card=models.card(name) or {}, figures=figures)
    return round(made.loss, 3)


def _least(times: dict[str, Time]) -> float:
    return min(taken.median_ms for taken in times.values())


def _tell(line: str) -> None:
    """Over the line before."""
    sys.stderr.write(f"\r{line:60}")


def _page(rows: list[dict[str, Any]]) -> str:
    setups = [name for name in rows[0] if name not in ("name", "loss", "int8")] if rows else []
    lines = []
    for row in rows:
        exact = min(row[each] for each in setups if each.endswith("f32"))
        best = min(row[each] for each in setups)
        worth = "on any machine" if row["int8"] < best else "without bfloat16"
        lines.append(
            [
                row["name"],
                f"{row['loss']:.3f}",
                *(f"{row[each]:.1f}" for each in setups),
                f"{row['int8']:.1f}",
                worth if row["int8"] < exact else "no",
            ]
        )
    return tables.table(["network", "loss, dB", *setups, "int8", "worth it"], lines)


if __name__ == "__main__":
    script.run(main)
