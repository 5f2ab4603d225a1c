"""What is worth how much in training, at equal measured time?

    python benchmarks/training.py DATA --runs FOLDER --teacher FILE.onnx [--steps 3000] [--bf16]

One small network for x4 is the base. Each variant changes one thing of it and gets as many steps
as fit into the time of the base: seconds a step are measured first, in turns. Writes PSNR on the
validation split into ``results/training.json`` and ``.md``; no test set is looked at. Runs that
are finished are not made again, and a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from vidlift.cli import teachers
from vidlift.evaluation import machine, script, tables
from vidlift.training import architectures, checkpoint, dataset, loop, prune, recipe, validation
from vidlift.training.architectures import SLOPE, Architecture, Plain
from vidlift.training.checkpoint import Checkpoint
from vidlift.training.dataset import Dataset
from vidlift.training.machine import Machine
from vidlift.training.patches import CutPatches, Places
from vidlift.training.recipe import Recipe
from vidlift.training.run import Run

RESULTS = Path(__file__).parent / "results"

BASE: dict[str, Any] = {
    "tier": "m",
    "scale": 4,
    "architecture": "plain-16x4",
    "pictures": ["train/pictures"],
    "leave_out": ["screen_*", "text_*", "draw_*", "material-kit_*", "now-ui_*"],
    "shrink": 0.67,
    "loss": "psnr",
}

LARGER = "plain-16x6"
"""What is trained for half the time, cut down to the base, and fine-tuned for the other half."""

TIMED_STEPS = 12
"""Steps by which the time of a step is measured; of one variant after another, three times."""


class Varied(Plain):
    """The plain network with one thing changed."""

    def __init__(self, *, activation: str = "leaky", **sizes: Any) -> None:
        super().__init__(**sizes)
        self._activation = activation
        if activation == "prelu":
            channels = self.head.out_channels
            self.slopes = nn.Parameter(torch.full((len(self.body) + 1, channels), SLOPE))

    def with_features(self, y: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = [self._active(self.head(y), 0)]
        with torch.autocast(y.device.type, torch.bfloat16, enabled=self.bf16_body):
            for index in range(len(self.body)):
                features.append(self._active(self._layer(features[-1], index), index + 1))
        residual = self.tail(self._last(features))
        return fn.pixel_shuffle(residual + self.skip(y), self.scale), features

    def _layer(self, features: Tensor, index: int) -> Tensor:
        made: Tensor = self.body[index](features)
        return made

    def _last(self, features: list[Tensor]) -> Tensor:
        return features[-1].float()

    def _active(self, values: Tensor, layer: int) -> Tensor:
        if self._activation == "prelu":
            return fn.prelu(values, self.slopes[layer].to(values.dtype))
        if self._activation == "relu":
            return fn.relu(values)
        return fn.leaky_relu(values, SLOPE)


class Branched(Varied):
    """Body layers of a 3x3, a 1x1 and no convolution side by side, one 3x3 when they run."""

    def __init__(self, **sizes: Any) -> None:
        super().__init__(**sizes)
        self.pointwise = nn.ModuleList(
            nn.Conv2d(layer.in_channels, layer.out_channels, 1, bias=False) for layer in self.body
        )

    def _layer(self, features: Tensor, index: int) -> Tensor:
        whole: Tensor = self.body[index](features) + self.pointwise[index](features)
        return whole + features.to(whole.dtype)


class Bridged(Varied):
    """What the head gave is added to what the body gives."""

    def _last(self, features: list[Tensor]) -> Tensor:
        return features[-1].float() + features[0]


class WideEnds(Varied):
    """A head of 5x5."""

    def __init__(self, **sizes: Any) -> None:
        super().__init__(**sizes)
        head = nn.Conv2d(1, self.head.out_channels, 5, padding=2)
        with torch.no_grad():
            head.weight[..., 1:-1, 1:-1] = self.head.weight
        self.head = head


def _register(name: str, build: Callable[..., Plain]) -> None:
    pattern = re.compile(rf"{name}-(?P<channels>\d+)x(?P<layers>\d+)")
    architectures.ARCHITECTURES[name] = Architecture(pattern=pattern, build=build)


def _with(activation: str) -> Callable[..., Plain]:
    return lambda **sizes: Varied(activation=activation, **sizes)


for _name, _build in {
    "prelu": _with("prelu"),
    "relu": _with("relu"),
    "branched": Branched,
    "bridged": Bridged,
    "wide": WideEnds,
}.items():
    _register(_name, _build)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    what: str
    changes: dict[str, Any] = field(default_factory=dict)


VARIANTS = (
    Variant(what="base: Muon 1e-2, plain, LeakyReLU"),
    Variant(what="Adam 1e-3", changes={"optimizer": "adam", "rate": 1e-3}),
    Variant(what="Muon 5e-3", changes={"rate": 5e-3}),
    Variant(what="re-parameterised branches", changes={"architecture": "branched-16x4"}),
    Variant(what="PReLU", changes={"architecture": "prelu-16x4"}),
    Variant(what="ReLU", changes={"architecture": "relu-16x4"}),
    Variant(what="5x5 head", changes={"architecture": "wide-16x4"}),
    Variant(what="head added to the body", changes={"architecture": "bridged-16x4"}),
    Variant(what="deeper and narrower", changes={"architecture": "plain-12x7"}),
    Variant(what="wider and shallower", changes={"architecture": "plain-22x2"}),
    Variant(what="2x2 pixels folded", changes={"architecture": "plain-32x4-fold2"}),
    Variant(what="L1", changes={"loss": "l1"}),
    Variant(what="graphics learnt from as well", changes={"leave_out": []}),
    Variant(what="no shrunk pictures", changes={"shrink": 1.0}),
    Variant(what="distilled", changes={"teacher": "", "teacher_share": 0.6}),
    Variant(what="pruned from 16x6"),
)


class Bench:
    """All variants on one machine."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._on = Machine(device="cpu", threads=options.threads, bf16=options.bf16)
        self._base = self._recipe(VARIANTS[0], options.steps)
        self._found = dataset.load(self._base, options.data)

    def rows(self) -> list[dict[str, Any]]:
        seconds = self._seconds_a_step()
        made = []
        for variant in VARIANTS:
            steps = round(self._options.steps * seconds[VARIANTS[0].what] / seconds[variant.what])
            state = self._pruned(seconds) if "pruned" in variant.what else self._run(variant, steps)
            network = checkpoint.averaged(state)
            row = {
                "what": variant.what,
                "architecture": state.recipe.architecture,
                "mac_per_lr_pixel": round(architectures.macs(network)),
                "step_time_over_base": round(seconds[variant.what] / seconds[VARIANTS[0].what], 2),
                "steps": state.step,
                "validation_psnr": round(validation.psnr(network, self._found.held_out), 3),
            }
            sys.stdout.write(f"{row}\n")
            made.append(row)
        return made

    def _recipe(self, variant: Variant, steps: int) -> Recipe:
        name = re.sub(r"\W+", "-", variant.what.lower())
        content = {**BASE, "name": name, "steps": steps, **variant.changes}
        if "teacher" in content:
            content["teacher"] = str(self._options.teacher)
        return recipe.parse(content, where=name)

    def _run(self, variant: Variant, steps: int) -> Checkpoint:
        wanted = self._recipe(variant, steps)
        with teachers.opened(wanted, cache=self._options.runs / "taught", threads=1) as teacher:
            return loop.train(
                wanted,
                data=self._options.data,
                out=self._options.runs / wanted.name,
                on=self._on,
                teacher=teacher,
                found=self._dataset(wanted),
            )

    def _dataset(self, wanted: Recipe) -> Dataset:
        if (wanted.leave_out, wanted.shrink) == (self._base.leave_out, self._base.shrink):
            return self._found
        training = dataset.load(wanted, self._options.data).training
        return Dataset(training=training, held_out=self._found.held_out)

    def _pruned(self, seconds: dict[str, float]) -> Checkpoint:
        """Half the time for the larger network, half for what is left of it."""
        share = seconds[VARIANTS[0].what] / seconds["larger"] / 2
        larger = self._run(
            Variant(what="larger", changes={"architecture": LARGER}),
            round(self._options.steps * share),
        )
        cut = CutPatches(_places(self._found, larger.recipe))
        left = prune.prune(larger, self._base.architecture, [cut(step) for step in range(8)])
        where = self._options.runs / "cut.pt"
        checkpoint.save(where, left.state)
        return self._run(
            Variant(what="pruned", changes={"start": str(where)}), self._options.steps // 2
        )

    def _seconds_a_step(self) -> dict[str, float]:
        timed = [*VARIANTS, Variant(what="larger", changes={"architecture": LARGER})]
        runs = {
            variant.what: Run(
                replace(wanted, teacher=None),
                CutPatches(_places(self._found, wanted)),
                on=self._on,
            )
            for variant in timed
            for wanted in [self._recipe(variant, self._options.steps)]
        }
        found: dict[str, list[float]] = {what: [] for what in runs}
        for _ in range(3):
            for what, run in runs.items():
                before = run.seconds
                for _ in range(TIMED_STEPS):
                    run.advance()
                found[what].append((run.seconds - before) / TIMED_STEPS)
        return {what: statistics.median(times) for what, times in found.items()}


def _places(found: Dataset, wanted: Recipe) -> Places:
    return Places(
        found.training,
        scale=wanted.scale,
        patch=wanted.patch,
        batch=wanted.batch,
        seed=wanted.seed,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--runs", type=Path, required=True, help="where runs are kept")
    parser.add_argument("--teacher", type=Path, required=True, help="a network for x4")
    parser.add_argument("--steps", type=script.count, default=3000, help="of the base")
    parser.add_argument("--threads", type=script.count, default=1)
    parser.add_argument("--bf16", action="store_true", help="bodies in bfloat16")
    options = parser.parse_args()
    rows = Bench(options).rows()
    RESULTS.mkdir(exist_ok=True)
    content = {
        "made": machine.about(),
        "threads": options.threads,
        "bf16": options.bf16,
        "rows": rows,
    }
    (RESULTS / "training.json").write_text(json.dumps(content, indent=1) + "\n")
    (RESULTS / "training.md").write_text(f"{tables.machine(content['made'])}\n{_page(rows)}")


def _page(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| | network | MAC / LR px | time a step | steps | validation PSNR-Y, dB | over the base |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        lines.append(
            f"| {row['what']} | {row['architecture']} | {row['mac_per_lr_pixel']:,} "
            f"| {row['step_time_over_base']:.2f} | {row['steps']:,} "
            f"| {row['validation_psnr']:.3f} "
            f"| {row['validation_psnr'] - rows[0]['validation_psnr']:+.3f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    script.run(main)
