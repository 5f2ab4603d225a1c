"""What is colour worth, in PSNR of luma?

    python benchmarks/colour.py --data ../shared/data/test --peers ../shared/peers

Networks that take RGB are judged by luma as ours are, but see more: an edge between two colours
that are equally bright. Here they are given grey pictures of the same luma, which is all that a
network of ours is given; and ours are given R', G' and B' one after another, as
``Upscaler.picture`` does, in three times their time. Beside that stand the figures of both as the
protocol has them, from ``results/quality.json``: run ``quality.py`` first. Pictures carry colour
in full, clips at half the size. Writes ``results/colour.json`` and ``.md``; what was measured
before is kept.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidlift import models
from vidlift.descriptor import SCALES, TIERS
from vidlift.evaluation import (
    domination,
    machine,
    pictures,
    report,
    script,
    sets,
    streams,
    subjects,
    tables,
)
from vidlift.evaluation.networks import Network, open_network
from vidlift.evaluation.pictures import Luma, Rgb
from vidlift.evaluation.report import Figures
from vidlift.evaluation.sets import TestSet
from vidlift.evaluation.subjects import Subject
from vidlift.frame import Frame
from vidlift.models import family
from vidlift.models.family import Training
from vidlift.upscaler import Upscaler

RESULTS = Path(__file__).parent / "results"

NEUTRAL = 128
"""Code value of chroma without colour."""


class Grey:
    """A network that takes RGB, given luma alone."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.scale, self.paired = network.scale, network.paired

    def picture(self, low: Rgb) -> Luma:
        luma = (pictures.studio_luma(low) - 16) * (255 / 219)
        return self._network.picture(np.repeat(luma[..., None], 3, axis=-1))

    def frames(self, low: Sequence[Frame], *, first_pair: int = 0) -> Iterator[NDArray[Any]]:
        return self._network.frames([_grey(frame) for frame in low], first_pair=first_pair)

    def close(self) -> None:
        self._network.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of test sets")
    parser.add_argument("--peers", type=Path, required=True, help="a folder of published networks")
    parser.add_argument("--scales", type=int, nargs="+", default=SCALES, choices=SCALES)
    options = parser.parse_args()
    tests = sets.find(options.data, domination.SETS)
    usual = {each.sha256: each for each in report.load(RESULTS / "quality.json")}
    where = RESULTS / "colour.json"
    done = {each.sha256: each for each in report.load(where)} if where.exists() else {}
    found = []
    every = _subjects(options.peers)
    for scale in SCALES:
        for subject in (each for each in every if each.scale == scale):
            figures = report.about(subject, scale=scale)
            if figures.sha256 not in usual or not domination.in_range(figures):
                continue
            if figures.sha256 not in done:
                if scale not in options.scales:
                    continue
                sys.stderr.write(f"{subject.name}\n")
                done[figures.sha256] = _measured(subject, figures, tests)
                report.save(where, list(done.values()), made=machine.about())
            found.append(done[figures.sha256])
    page = _page(usual, found)
    where.with_suffix(".md").write_text(page)
    sys.stdout.write(page)


def _subjects(peers: Path) -> list[Subject]:
    """Ours that learnt from pictures, and peers that take RGB."""
    members = [member for name in models.names() if (member := family.parse(name))]
    ours = [subjects.load(m.name) for m in members if m.training is Training.CLEAN]
    return [*ours, *(each for each in subjects.published(peers) if each.takes == "rgb")]


def _measured(subject: Subject, figures: Figures, tests: Sequence[TestSet]) -> Figures:
    """A peer without colour, one of ours with it: on pictures alone, as video has none to give."""
    if subject.model is not None:
        with Upscaler(subject.model) as upscaler:
            scores = {
                test.name: pictures.score(
                    lambda low: pictures.studio_luma(upscaler.picture(low)),
                    test.folder,
                    scale=subject.scale,
                )
                for test in tests
                if not test.clips
            }
        return replace(figures, pictures=scores)
    grey = Grey(open_network(subject))
    try:
        for test in tests:
            figures = report.put_through(grey, figures, test, [streams.parse(streams.CLEAN)])
        return figures
    finally:
        grey.close()


def _grey(frame: Frame) -> Frame:
    luma, *chroma = frame.planes
    return replace(frame, planes=(luma, *(np.full_like(plane, NEUTRAL) for plane in chroma)))


def _page(usual: Mapping[str, Figures], found: Sequence[Figures]) -> str:
    parts = [
        "# Colour\n\nPSNR of luma, dB, with colour / without. Peers take RGB; ours, in bold, take "
        "luma, and colour where R', G' and B' go through them one after another "
        f"(`Upscaler.picture`), in three times their time.\n\n{_count(usual, found)}"
    ]
    for scale in SCALES:
        same = [each for each in found if each.scale == scale]
        same.sort(key=lambda each: each.cost.mac if each.cost else 0)
        rows = [_row(usual[each.sha256], each) for each in same]
        parts.append(
            f"## ×{scale}\n\n{tables.table(['network', 'MAC/px', *domination.SETS], rows)}"
        )
    return "\n".join(parts)


def _row(usual: Figures, other: Figures) -> list[str]:
    ours = usual.tier in TIERS
    colour, luma = map(domination.levels, (other, usual) if ours else (usual, other))
    levels = [
        f"{colour[name]:.2f} / {luma[name]:.2f}" if name in colour else f"– / {luma[name]:.2f}"
        for name in domination.SETS
    ]
    cost = f"{usual.cost.mac:,.0f}" if usual.cost else ""
    return [f"**{usual.name}**" if ours else usual.name, cost, *levels]


def _count(usual: Mapping[str, Figures], found: Sequence[Figures]) -> str:
    """How many peers would be dominated, both in float32, were they given luma alone."""
    times = {each.name: each.speed for each in report.load(RESULTS / "speed.json")}
    luma = {**usual, **{each.sha256: each for each in found if each.tier not in TIERS}}
    verdicts = domination.verdicts(
        report.with_speed(list(luma.values()), times), admit=domination.float32
    )
    count = sum(each.dominated for each in verdicts)
    return f"Given luma alone, {count} of {len(verdicts)} peers would be dominated in float32.\n"


if __name__ == "__main__":
    script.run(main)
