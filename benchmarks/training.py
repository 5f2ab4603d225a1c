"""What is worth how much in training: optimiser, depth against width, length?

    python benchmarks/training.py DATA --runs FOLDER [--steps 3000] [--threads 1]

Trains each variant of one small recipe from the same seed on ``DATA/train/pictures`` and writes
PSNR on the validation split, multiply-accumulates and minutes into ``results/training.json`` and
``.md``. Runs that are finished are not made again, and a run that was stopped goes on. Minutes
are those of this machine and of what else it was doing.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidlift.evaluation import machine
from vidlift.training import architectures, checkpoint, dataset, loop, recipe, validation
from vidlift.training.machine import Machine

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    what: str
    changes: dict[str, Any]
    longer: int = 1
    """How many times as many steps."""


BASE = {"tier": "m", "scale": 4, "architecture": "plain-16x4", "pictures": ["train/pictures"]}

VARIANTS = (
    Variant(what="Adam 1e-3", changes={"optimizer": "adam", "rate": 1e-3}),
    Variant(what="Muon 1e-2", changes={}),
    Variant(what="Muon 5e-3", changes={"rate": 5e-3}),
    Variant(
        what="Adam 1e-3, five times as long", changes={"optimizer": "adam", "rate": 1e-3}, longer=5
    ),
    Variant(what="Muon 1e-2, five times as long", changes={}, longer=5),
    Variant(what="deeper", changes={"architecture": "plain-16x8"}),
    Variant(what="wider, as many operations", changes={"architecture": "plain-22x4"}),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--runs", type=Path, required=True, help="where runs are kept")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    on = Machine(device="cpu", threads=options.threads, bf16=False)
    rows = []
    for number, variant in enumerate(VARIANTS):
        name = f"training-{number}"
        steps = options.steps * variant.longer
        wanted = recipe.parse({**BASE, "name": name, "steps": steps, **variant.changes}, where=name)
        state = loop.train(wanted, data=options.data, out=options.runs / name, on=on)
        network = checkpoint.averaged(state)
        held_out = dataset.load(wanted, options.data).held_out
        rows.append(
            {
                "what": variant.what,
                "architecture": wanted.architecture,
                "mac_per_lr_pixel": architectures.macs(network),
                "steps": steps,
                "minutes": round(state.seconds / 60, 1),
                "validation_psnr": round(validation.psnr(network, held_out), 3),
            }
        )
        sys.stdout.write(f"{rows[-1]}\n")
    RESULTS.mkdir(exist_ok=True)
    content = {"made": machine.about(), "threads": options.threads, "rows": rows}
    (RESULTS / "training.json").write_text(json.dumps(content, indent=1) + "\n")
    (RESULTS / "training.md").write_text(_page(rows))


def _page(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| | network | MAC / LR px | steps | minutes | validation PSNR-Y, dB |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for row in rows:
        lines.append(
            f"| {row['what']} | {row['architecture']} | {row['mac_per_lr_pixel']:,.0f} "
            f"| {row['steps']:,} | {row['minutes']} | {row['validation_psnr']:.2f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
