"""How good are our networks and the published ones, on every protocol?

    python benchmarks/quality.py --data ../shared/data/test --peers ../shared/peers

Measures what ships and every peer on the picture sets and on clips, and writes
``results/quality.json`` and ``.md``. A file that was measured before, with the same content, on
the same set and stream, is not measured again, so a run that was stopped goes on where it was;
several may run at once and keep what each of them finds.
``--precision bf16`` measures quality as OpenVINO computes it in bfloat16, ``mixed`` with the ends
in float32, into ``results/quality-bf16.*`` and ``-mixed.*``.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from vidlift.descriptor import SCALES
from vidlift.errors import ModelError
from vidlift.evaluation import machine, report, script, sets, streams, subjects, tables
from vidlift.evaluation.networks import Bicubic, Network, open_network
from vidlift.evaluation.report import Figures
from vidlift.evaluation.runtimes import EXACT, PRECISIONS, Setup
from vidlift.evaluation.sets import TestSet
from vidlift.evaluation.streams import Stream
from vidlift.evaluation.subjects import Subject

RESULTS = Path(__file__).parent / "results"
SETS = "Set5,Set14,B100,Urban20,vid4"


def main() -> None:
    options = _options()
    setup = PRECISIONS[options.precision]
    suffix = "" if setup is EXACT else f"-{setup.precision}"
    where = RESULTS / f"quality{suffix}.json"
    tests = sets.find(options.data, options.sets.split(","))
    sent = [streams.parse(name) for name in options.streams.split(",")]
    found: list[Figures] = []
    every = _kept(where)
    wanted = subjects.gather(options.peers, only=options.only)
    for scale in options.scales:
        chosen = [each for each in wanted if each.scale == scale]
        for subject in (None, *chosen) if chosen else ():  # bicubic first
            figures = report.about(subject, scale=scale, setup=setup)
            known = {_key(each): each for each in _kept(where)}.get(_key(figures), figures)
            measured = _measure(subject, known, tests, sent, setup=setup, threads=options.threads)
            found.append(measured)
            every = keep(where, measured)
    where.with_suffix(".md").write_text(_page(every))
    sys.stdout.write(_page(found))


def keep(where: Path, measured: Figures) -> list[Figures]:
    """Put the figures of a network with all that the file holds at this moment; returns those.

    What was measured before of the same file, on other sets, stays; of an older file of its name
    nothing does. The file is there whole or as it was, and other runs wait meanwhile.
    """
    with _alone(where.parent):
        done = {_key(each): each for each in _kept(where)}
        if before := done.get(_key(measured)):
            measured = replace(
                measured,
                pictures={**before.pictures, **measured.pictures},
                clips={
                    name: {**before.clips.get(name, {}), **measured.clips.get(name, {})}
                    for name in {**before.clips, **measured.clips}
                },
            )
        else:
            done = {key: each for key, each in done.items() if not _is_another(each, measured)}
        done[_key(measured)] = measured
        part = where.with_suffix(".part")
        report.save(part, list(done.values()), made=machine.about())
        part.replace(where)
    return list(done.values())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other run writes into the folder."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _kept(where: Path) -> list[Figures]:
    return report.load(where) if where.exists() else []


def _is_another(each: Figures, measured: Figures) -> bool:
    """Whether these are of another file with the same name, measured alike."""
    same = (each.name, each.scale, each.setup) == (measured.name, measured.scale, measured.setup)
    return same and each.sha256 != measured.sha256


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of test sets")
    parser.add_argument("--peers", type=Path, help="a folder of published networks")
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--streams", default="clean", help="what clips go through, as in h264-28")
    parser.add_argument("--scales", type=int, nargs="+", default=SCALES, choices=SCALES)
    parser.add_argument("--only", nargs="*", default=[], help="names, or beginnings of names")
    parser.add_argument("--precision", default=EXACT.precision, choices=PRECISIONS)
    parser.add_argument("--threads", type=script.count, default=2)
    return parser.parse_args()


def _measure(
    subject: Subject | None,
    figures: Figures,
    tests: Sequence[TestSet],
    sent: Sequence[Stream],
    *,
    setup: Setup,
    threads: int,
) -> Figures:
    """The figures with what is missing of the sets and streams; opens the network only for that."""
    network: Network | None = None
    try:
        for test in tests:
            known = figures.clips.get(test.name, {})
            missing = [stream for stream in sent if stream.name not in known]
            if not missing if test.clips else test.name in figures.pictures:
                continue
            begin = time.monotonic()
            try:
                network = network or (
                    open_network(subject, setup=setup, threads=threads)
                    if subject
                    else Bicubic(figures.scale)
                )
                figures = report.put_through(network, figures, test, missing)
            except ModelError as error:
                sys.stderr.write(f"{figures.name} on {test.name}: {error}\n")
                break
            took = time.monotonic() - begin
            sys.stderr.write(f"{figures.name} x{figures.scale} on {test.name}: {took:.0f} s\n")
    finally:
        if network is not None:
            network.close()
    return figures


def _key(figures: Figures) -> tuple[str, int, str, str]:
    return figures.name, figures.scale, figures.sha256, figures.setup


def _page(figures: Sequence[Figures]) -> str:
    """A table a scale, dearest last; clips as gain over bicubic."""
    parts = ["# Quality\n\nPSNR / SSIM of luma on pictures; gain over bicubic, dB, on clips.\n"]
    for scale in SCALES:
        same = sorted(
            (each for each in figures if each.scale == scale),
            key=lambda each: each.cost.mac if each.cost else 0,
        )
        base = next((each for each in same if each.name == report.BICUBIC), None)
        if base is None:
            continue
        photos = list(dict.fromkeys(name for each in same for name in each.pictures))
        films = list(
            dict.fromkeys((n, s) for each in same for n, by in each.clips.items() for s in by)
        )
        titles = ["network", "MAC/px", "KB", *photos, *(f"{n} {s}" for n, s in films)]
        rows = []
        for each in same:
            row = [each.name, "", ""]
            if each.cost:
                row[1:] = [f"{each.cost.mac:,.0f}", f"{each.cost.bytes / 1000:.0f}"]
            for name in photos:
                score = each.pictures.get(name)
                row.append(f"{score.psnr:.2f} / {score.ssim:.4f}" if score else "–")
            for name, stream in films:
                mine = each.clips.get(name, {}).get(stream)
                least = base.clips.get(name, {}).get(stream)
                row.append(f"{mine.mean.psnr - least.mean.psnr:+.2f}" if mine and least else "–")
            rows.append(row)
        parts.append(f"## ×{scale}\n\n{tables.table(titles, rows)}")
    return "\n".join(parts)


if __name__ == "__main__":
    script.run(main)
