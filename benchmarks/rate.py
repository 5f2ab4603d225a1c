"""How near do the networks come to what the machine can do?

    python benchmarks/rate.py                                     (nothing else may run)

Three rates of multiplying and adding in float32 are put side by side, in one run and in turns: of
a large product of matrices, in numpy and in OpenVINO, which is what the machine has; and of the
3x3 layers that networks are made of, 16 or 32 channels each with its activation, at 480x270. A
layer's time is that of a deep net less that of a shallow one, over the layers between: what is
done once, at the ends, does not count. Writes ``results/rate.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vidlift.errors import ModelError
from vidlift.evaluation import machine, runtimes, script, tables
from vidlift.evaluation.timing import Job, interleaved

RESULTS = Path(__file__).parent / "results"
SIZE = (270, 480)
CHANNELS = (16, 32)
SHALLOW, DEEP = 2, 10
"""Layers of the two nets."""

SIDE = 1536
"""Of the matrices: three of them fill a second-level cache several times."""

PATHS = {
    "openvino f32": runtimes.Setup(runtime="openvino", precision="f32"),
    "openvino bf16": runtimes.BF16,
    "onnxruntime f32": runtimes.EXACT,
}
WANTED = 0.8
"""Share of the float32 rate of matrix products that layers in float32 are to reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    what: str
    runtime: str
    gflops: float
    """10^9 multiplications and additions, two to a MAC, a second; by the median time."""

    share: float
    """Of the best float32 matrix product in this run."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=script.count, default=50)
    parser.add_argument("--threads", type=script.count, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    jobs: list[Job] = []
    values = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    jobs.append(Job(name="numpy", run=lambda: values @ values, frames=1))
    product = runtimes.openvino(
        _product(values), shape=(SIDE, SIDE), precision="f32", threads=options.threads
    )
    jobs.append(Job(name="product", run=lambda: product(values), frames=1))
    for channels in CHANNELS:
        for name, setup in PATHS.items():
            try:
                for layers in (SHALLOW, DEEP):
                    jobs.append(_net(channels, layers, setup, name, options.threads))
            except ModelError as error:
                sys.stderr.write(f"{name}: {error}\n")
    times = {
        job.name: taken.median_ms / 1000
        for job, taken in zip(jobs, interleaved(jobs, rounds=options.rounds), strict=True)
    }
    rows = _rates(times)
    RESULTS.mkdir(exist_ok=True)
    made = {**machine.about(), "threads": options.threads, "rounds": options.rounds}
    content = {"machine": made, "rates": [asdict(row) for row in rows], "seconds": times}
    (RESULTS / "rate.json").write_text(json.dumps(content, indent=2) + "\n")
    (RESULTS / "rate.md").write_text(_page(rows, made))
    sys.stdout.write(_page(rows, made))


def _rates(times: dict[str, float]) -> list[Rate]:
    work = 2 * SIDE**3 / 1e9
    found = [
        ("product of matrices", "numpy f32", work / times["numpy"]),
        ("product of matrices", "openvino f32", work / times["product"]),
    ]
    most = max(rate for _, _, rate in found)
    for channels in CHANNELS:
        work = 2 * 9 * channels**2 * SIZE[0] * SIZE[1] / 1e9
        for name in (each for each in PATHS if f"{channels}, {DEEP}, {each}" in times):
            shallow, deep = (times[f"{channels}, {n}, {name}"] for n in (SHALLOW, DEEP))
            layer = (deep - shallow) / (DEEP - SHALLOW)
            found.append((f"3x3, {channels} to {channels} channels", name, work / layer))
    return [
        Rate(what=what, runtime=name, gflops=round(rate, 1), share=round(rate / most, 3))
        for what, name, rate in found
    ]


def _net(channels: int, layers: int, setup: runtimes.Setup, name: str, threads: int) -> Job:
    shape = (1, channels, *SIZE)
    data = _layers(channels, layers)
    if setup.runtime == "onnxruntime":
        run = runtimes.onnxruntime(data, threads=threads)
    else:
        run = runtimes.openvino(data, shape=shape, precision=setup.precision, threads=threads)
    values = np.random.default_rng(0).random(shape, np.float32)
    return Job(name=f"{channels}, {layers}, {name}", run=lambda: run(values), frames=1)


def _layers(channels: int, layers: int) -> bytes:
    """So many convolutions of 3x3, each followed by the activation of our networks."""
    rng = np.random.default_rng(0)
    nodes, weights, at = [], [], "x"
    for number in range(layers):
        kernel = rng.normal(0, 1 / (3 * channels**0.5), (channels, channels, 3, 3))
        weights.append(numpy_helper.from_array(kernel.astype(np.float32), f"w{number}"))
        nodes.append(
            helper.make_node("Conv", [at, f"w{number}"], [f"c{number}"], pads=[1, 1, 1, 1])
        )
        at = f"a{number}"
        nodes.append(helper.make_node("LeakyRelu", [f"c{number}"], [at], alpha=0.1))
    return _model(nodes, weights, [1, channels, "H", "W"], at)


def _product(values: Any) -> bytes:
    weights = [numpy_helper.from_array(values, "w")]
    return _model([helper.make_node("MatMul", ["x", "w"], ["y"])], weights, [SIDE, SIDE], "y")


def _model(nodes: list[Any], weights: list[Any], shape: list[Any], output: str) -> bytes:
    graph = helper.make_graph(
        nodes,
        "rate",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _page(rows: list[Rate], made: dict[str, Any]) -> str:
    lines = [
        "# What the layers reach of what the machine can do\n",
        f"{tables.machine(made)}{made['rounds']} rounds, {made['threads']} threads. Matrices of "
        f"{SIDE}x{SIDE}; layers at {SIZE[1]}x{SIZE[0]}, the time of {DEEP} less that of "
        f"{SHALLOW}, over {DEEP - SHALLOW}. Wanted: {WANTED:.0%} in float32.\n",
        "| what | runtime | GFLOP/s | of the best float32 product |",
        "|---|---|--:|--:|",
    ]
    lines += [
        f"| {row.what} | {row.runtime} | {row.gflops:.0f} | {row.share:.0%} |" for row in rows
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    script.run(main)
