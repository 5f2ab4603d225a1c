"""Which graph around the same network is fastest, and is it still the same function?

    python benchmarks/graphs.py                       (nothing else may run)
    python benchmarks/graphs.py --cases s-x4 --rounds 5

Builds networks with random weights in many forms that differ from the base form in one thing
each: the ends, the residual, the padding, the shuffle, how two frames become a batch. Times all
on each runtime and precision, taking turns in one process, and compares every output with the
base's on random input. Writes ``results/graphs.json`` and ``.md``, and the tables into
``docs/models.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidlift.errors import ModelError
from vidlift.evaluation import machine, runtimes, script, tables, timing
from vidlift.evaluation.forms import CASES, STRIP, Form, Variant, build, variants
from vidlift.evaluation.runtimes import SETUPS, Setup
from vidlift.evaluation.timing import SIZE, Job, Time

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[1] / "docs" / "models.md"
BEGIN, END = "<!-- graphs: made by benchmarks/graphs.py -->", "<!-- graphs end -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of one variant."""

    form: Form
    mac: int
    differing: float
    """Share of the samples that differ from the base's on random input."""

    most: int
    """Largest difference, in code values."""

    times: dict[str, Time]
    """By setup, those left out that cannot run it."""

    shares: dict[str, float]
    """Time over the base's on the same setup."""


def main() -> None:
    options = _options()
    cases = {}
    made = {**machine.about(), "threads": options.threads, "rounds": options.rounds}
    for case in options.cases:
        wanted = [v for v in variants(CASES[case]) if options.only in v.name or v.name == "base"]
        cases[case] = study(wanted, threads=options.threads, rounds=options.rounds)
        saved = {n: {v: asdict(f) for v, f in found.items()} for n, found in cases.items()}
        content = json.dumps({"made": made, "cases": saved}, indent=1)
        (RESULTS / f"{options.name}.json").write_text(content + "\n")
        (RESULTS / f"{options.name}.md").write_text(_page(cases, tables.machine(made)))
    sys.stdout.write(_page(cases, tables.machine(made)))
    if options.docs:
        _into_docs(_page(cases, tables.machine(made)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--only", default="", help="variants with this in their name, and the base")
    parser.add_argument("--rounds", type=script.count, default=timing.ROUNDS)
    parser.add_argument("--threads", type=script.count, default=2)
    parser.add_argument("--name", default="graphs", help="of the results")
    parser.add_argument("--docs", action="store_true", help="put the tables into docs/models.md")
    return parser.parse_args()


def study(wanted: Sequence[Variant], *, threads: int, rounds: int) -> dict[str, Found]:
    """Time variants against one another; the first is the base."""
    base = _answer(wanted[0].form)
    jobs, keys = [], []
    for setup in SETUPS:
        for variant in wanted:
            _tell(f"{variant.name} into {setup.name}")
            try:
                jobs.append(_job(variant, setup, threads=threads))
            except ModelError as error:
                sys.stderr.write(f"\n{variant.name}, {setup.name}: {error}\n")
            else:
                keys.append((variant.name, setup.name))
    taken = timing.interleaved(jobs, rounds=rounds, tell=_tell)
    times = dict(zip(keys, taken, strict=True))
    sys.stderr.write("\n")
    found = {}
    for variant in wanted:
        off = np.abs(_answer(variant.form).astype(np.int16) - base)
        own = {setup: taken for (name, setup), taken in times.items() if name == variant.name}
        found[variant.name] = Found(
            form=variant.form,
            mac=variant.form.mac,
            differing=float((off > 0).mean()),
            most=int(off.max()),
            times=own,
            shares={
                setup: round(own[setup].ratio / times[wanted[0].name, setup].ratio, 3)
                for setup in own
            },
        )
    return found


def _answer(form: Form) -> NDArray[np.uint8]:
    """What a form makes of random noise, in float32."""
    noise = np.random.default_rng(1).integers(16, 236, (1, 2, 64, 96), dtype=np.uint8)
    big: NDArray[np.uint8] = runtimes.onnxruntime(build(form), threads=1)(noise)
    return big


def _job(variant: Variant, setup: Setup, *, threads: int) -> Job:
    width, height = SIZE[variant.form.scale]
    times = 1
    if variant.strips:
        times = -(-height // STRIP)
        height = STRIP + 2 * variant.form.reach
    frames = 1 if setup.runtime == "openvino" else 2
    shape = (1, frames, height, width)
    data = build(variant.form)
    if setup.runtime == "openvino":
        run = runtimes.openvino(data, shape=shape, precision=setup.precision, threads=threads)
    else:
        run = runtimes.onnxruntime(data, threads=threads)
    values = np.random.default_rng(0).integers(16, 236, shape, dtype=np.uint8)

    def work() -> None:
        for _ in range(times):
            run(values)

    return Job(name=f"{variant.name}, {setup.name}", run=work, frames=frames)


def _tell(line: str) -> None:
    """Over the line before."""
    sys.stderr.write(f"\r{line:70}")


def _page(cases: dict[str, dict[str, Found]], taken_on: str) -> str:
    setups = [setup.name for setup in SETUPS]
    parts = [
        "Milliseconds a frame to 1080p of the base, and of each other form its share of the "
        "base's time on the same runtime, medians of runs in turns. *Same* says whether it gives "
        "the same bytes on noise, or in how many samples it is how far off.\n\n" + taken_on
    ]
    for case, found in cases.items():
        form = found["base"].form
        what = f"{form.channels} channels, {form.layers} layers, ×{form.scale}"
        rows = []
        for name, each in found.items():
            cells = (
                f"{each.times[s].median_ms:.1f} ms"
                if name == "base"
                else f"{each.shares[s]:.2f}"
                if s in each.shares
                else "refused"
                for s in setups
            )
            rows.append([name, f"{each.mac:,}", *cells, _same(each)])
        titles = ["form", "MAC/px", *setups, "same"]
        parts.append(f"**{case}**: {what}\n\n{tables.table(titles, rows)}")
    return "\n".join(parts)


def _same(found: Found) -> str:
    if not found.most:
        return "yes"
    if found.most == 1:
        return f"{found.differing * 1e6:.0f} in a million by 1"
    return "another function"


def _into_docs(page: str) -> None:
    text = DOCS.read_text()
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{DOCS} lacks the lines {BEGIN} and {END}")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    DOCS.write_text(f"{before}{BEGIN}\n\n{page}\n{END}{after}")


if __name__ == "__main__":
    script.run(main)
