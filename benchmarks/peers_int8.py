"""Published networks in 8 bits, so that both sides are compared at their best precision.

    python benchmarks/peers_int8.py ../shared/peers OUT --data ../shared/data/train/pictures

Quantises each in our range of cost as ``vidlift model quantize`` does ours: ranges are those of
training pictures, what takes the picture and the sums after the last layers stay in float32, and
so do the last layers where the loss on held-out photographs asks for it. Those that lose at most
0.05 dB go to OUT as NAME-int8.onnx; ``results/peers_int8.md`` says what each loses. ``quality.py``
and ``speed.py`` take OUT as ``--peers``. Needs the extra ``quantize``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import version_converter

from vidlift.evaluation import domination, machine, pictures, script, subjects, tables
from vidlift.evaluation.cost import cost
from vidlift.evaluation.networks import open_network
from vidlift.evaluation.subjects import Subject
from vidlift.training import quantize
from vidlift.training.pictures import DRAWN, is_held_out, picture_files, source_of

RESULTS = Path(__file__).parent / "results"

MAX_LOSS = 0.05
"""In dB."""

OPSET = 17
"""NNCF wants 13 at least."""

LAYERS = ("Conv", "ConvTranspose", "MatMul", "Gemm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", type=Path, help="a folder of published networks")
    parser.add_argument("out", type=Path, help="where those in 8 bits go")
    parser.add_argument("--data", type=Path, required=True, help="a folder of training pictures")
    parser.add_argument("--only", nargs="*", default=[], help="names, or beginnings of names")
    options = parser.parse_args()
    quantize.check_extra()
    options.out.mkdir(parents=True, exist_ok=True)
    where = RESULTS / "peers_int8.json"
    found = subjects.published(options.peers)
    names = subjects.beginning([each.name for each in found], options.only)
    rows = json.loads(where.read_text())["rows"] if options.only and where.is_file() else []
    rows = [row for row in rows if row["name"] not in names]
    with TemporaryDirectory() as folder:
        training, held_out = _split(options.data, Path(folder))
        for peer in found:
            if peer.name in names and cost(peer).mac <= domination.CEILING * peer.scale**2:
                rows.append(_quantised(peer, training, held_out, options.out))
                sys.stderr.write(f"{rows[-1]}\n")
    rows.sort(key=lambda row: row["name"])
    made = machine.about()
    where.write_text(json.dumps({"made": made, "rows": rows}, indent=1) + "\n")
    page = f"# Published networks in 8 bits\n\n{tables.machine(made)}\n{_table(rows)}"
    where.with_suffix(".md").write_text(page)
    sys.stdout.write(page)


def _split(data: Path, folder: Path) -> tuple[Path, Path]:
    """Folders with links to photographs: some to find ranges on, and the held-out ones."""
    training, held_out = folder / "training", folder / "held-out"
    files = picture_files([data], leave_out=DRAWN)
    kept = [file for file in files if is_held_out(source_of(file))]
    seen = [file for file in files if file not in kept]
    some = seen[:: max(1, len(seen) // quantize.CALIBRATION)]
    for where, chosen in ((training, some), (held_out, kept)):
        where.mkdir()
        for file in chosen:
            (where / file.name).symlink_to(file.resolve())
    return training, held_out


def _quantised(peer: Subject, training: Path, held_out: Path, out: Path) -> dict[str, Any]:
    """Write what loses little enough; what there is to say of it."""
    before, lost = _psnr(peer, held_out), None
    graph = onnx.load_model_from_string(peer.data)
    if max(each.version for each in graph.opset_import) < OPSET:
        graph = version_converter.convert_version(graph, OPSET)
    samples = [_sample(peer, case.low) for case in pictures.cases(training, peer.scale)]
    for in_float in _tries(graph.graph):
        changed = onnx.ModelProto()
        changed.CopyFrom(graph)
        try:
            made = quantize.by_nncf(changed, samples, in_float=in_float)
        except Exception as error:  # NNCF's have no base of their own
            return {"name": peer.name, "said": str(error).strip().splitlines()[-1]}
        where = out / f"{peer.name}-int8.onnx"
        where.write_bytes(made.SerializeToString())
        lost = before - _psnr(subjects.load(where), held_out)
        if lost <= MAX_LOSS:
            return {"name": peer.name, "loss": round(lost, 3), "in_float": in_float}
        where.unlink()
    return {"name": peer.name, "loss": round(lost or 0.0, 3), "said": "loses too much"}


def _psnr(peer: Subject, folder: Path) -> float:
    return pictures.score(open_network(peer).picture, folder, scale=peer.scale).psnr


def _sample(peer: Subject, low: pictures.Rgb) -> NDArray[np.float32]:
    """A corner of a small picture as a peer is given it."""
    sides = [min(side, quantize.SIDE) // peer.multiple_of * peer.multiple_of for side in low.shape]
    low = low[: sides[0], : sides[1]]
    if peer.takes == "rgb":
        return np.ascontiguousarray(low.transpose(2, 0, 1)[None] / 255, np.float32)
    black, span = (16, 219) if peer.full_range else (0, 255)
    return ((pictures.studio_luma(low) - black) / span)[None, None].astype(np.float32)


def _tries(graph: onnx.GraphProto) -> list[list[str]]:
    """What stays in float32, by the names of its outputs: what is tried, the most quantised
    first."""
    first = _near({graph.input[0].name}, graph.node)
    last = _near({graph.output[0].name}, reversed(graph.node), backwards=True)
    ends = [node.output[0] for node in last if node.op_type in LAYERS]
    always = {node.output[0] for node in [*first, *last]} - set(ends)
    return [sorted(always), sorted(always.union(ends))]


def _near(
    known: set[str], nodes: Iterable[onnx.NodeProto], *, backwards: bool = False
) -> list[onnx.NodeProto]:
    """Nodes that take (or make) what is known, as it is or moved about by what is no layer."""
    found = []
    for node in nodes:
        here, there = (node.output, node.input) if backwards else (node.input, node.output)
        if known.intersection(here):
            found.append(node)
            if node.op_type not in LAYERS:
                known |= set(there)
    return found


def _table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        [
            row["name"],
            f"{row['loss']:.3f}" if "loss" in row else "–",
            row.get("said") or f"{len(row['in_float'])} operators in float32",
        ]
        for row in rows
    ]
    return tables.table(["network", "loss, dB", ""], lines)


if __name__ == "__main__":
    script.run(main)
