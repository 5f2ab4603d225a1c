"""Which published networks ours leave no reason to use, and by how much the rest are missed.

A peer is dominated where one of ours of the same scale is at least as good on every set of
``SETS``, and takes at most ``SHARE`` of its time, each at its own fastest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from vidlift.descriptor import TIERS
from vidlift.evaluation.report import Figures
from vidlift.evaluation.runtimes import EXACT

SHARE = 0.6
CEILING = 10_600
"""Multiply-accumulates per output pixel of the dearest tier: what costs more is no rival."""

PICTURES = ("Set5", "Set14", "B100")
CLIPS = "vid4"
STREAM = "clean"
SETS = (*PICTURES, CLIPS)

QUANTISED = "-int8"
"""How the names of networks with quantised layers end, published ones too: they are not float32 on
any setup."""

Run: TypeAlias = tuple[Figures, str]
"""A network's figures at the precision of a setup, and the setup's name."""

Admit = Callable[[str], bool]
"""Which setups count, by name: ``openvino f32`` …"""


def float32(setup: str) -> bool:
    return setup.endswith(" f32")


def any_precision(_setup: str) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How the best answer of ours stands against one peer."""

    peer: str
    """With ``QUANTISED`` where it is fastest so."""

    scale: int
    ours: str | None
    """The network that dominates it, or else comes nearest; None where there is none."""

    share: float
    """Its time over the peer's."""

    margin: float
    """Its least lead over the peer on any set, in dB; negative where it is behind."""

    worst: str
    """The set that ``margin`` is of."""

    setups: tuple[str, str]
    """What each is fastest on, ours first."""

    missing: tuple[str, ...] = ()
    """Sets that one of the two was not measured on."""

    @property
    def dominated(self) -> bool:
        measured = self.ours is not None and not self.missing
        return measured and self.share <= SHARE and self.margin >= 0


def verdicts(figures: Sequence[Figures], *, admit: Admit = any_precision) -> list[Verdict]:
    """A verdict for each peer in the tiers' range of cost, by scale and then cost.

    One in 8 bits, ``NAME-int8``, is the peer ``NAME`` at another precision.

    Needs figures with ``speed``; peers without are left out. Figures of one network on several
    setups may stand side by side: quality is that of the precision it is timed at, or that in
    float32 where no other was measured. Times are compared by their ratios to one reference.
    """
    quality = {(each.name, _precision(each.setup)): each for each in figures}
    exact = [each for each in figures if _precision(each.setup) == EXACT.precision]
    runs = [
        (quality.get((each.name, _precision(setup)), each), setup)
        for each in exact
        for setup in each.speed
        if admit(setup) and not (admit is float32 and each.name.endswith(QUANTISED))
    ]
    ours = [run for run in runs if run[0].tier in TIERS]
    found = []
    for peer in sorted(exact, key=lambda each: (each.scale, each.cost.mac if each.cost else 0)):
        theirs = [run for run in runs if run[0].name in (peer.name, f"{peer.name}{QUANTISED}")]
        if _published(peer) and theirs and in_range(peer):
            rival = min(theirs, key=_time)
            same = [run for run in ours if run[0].scale == peer.scale]
            found.append(_best([_compare(rival, run) for run in same], rival))
    return found


def not_timed(figures: Sequence[Figures]) -> list[str]:
    """Peers in the range of cost that no verdict is given on."""
    peers = (each for each in figures if _published(each) and in_range(each))
    return sorted(each.name for each in peers if not each.speed)


def levels(figures: Figures) -> dict[str, float]:
    """PSNR on each set that counts."""
    found = {name: s.psnr for name, s in figures.pictures.items() if name in PICTURES}
    if STREAM in figures.clips.get(CLIPS, {}):
        found[CLIPS] = figures.clips[CLIPS][STREAM].mean.psnr
    return found


def in_range(peer: Figures) -> bool:
    """Whether a network costs no more than our dearest tier may."""
    return peer.cost is not None and peer.cost.mac <= CEILING * peer.scale**2


def _published(figures: Figures) -> bool:
    """Whether it is a peer as its authors have it, and not what was made of it."""
    return figures.tier == "peer" and not figures.name.endswith(QUANTISED)


def _precision(setup: str) -> str:
    return setup.rpartition(" ")[2]


def _time(run: Run) -> float:
    figures, setup = run
    return figures.speed[setup].ratio


def _compare(rival: Run, run: Run) -> Verdict:
    theirs, mine = levels(rival[0]), levels(run[0])
    leads = {name: mine[name] - theirs[name] for name in theirs if name in mine}
    worst = min(leads, key=lambda name: leads[name], default="")
    return Verdict(
        peer=rival[0].name,
        scale=rival[0].scale,
        ours=run[0].name,
        share=_time(run) / _time(rival),
        margin=leads.get(worst, -math.inf),
        worst=worst,
        setups=(run[1], rival[1]),
        missing=tuple(name for name in SETS if name not in leads),
    )


def _best(compared: Sequence[Verdict], rival: Run) -> Verdict:
    """The verdict to tell: what dominates by most, or else what misses by least.

    What was not measured on every set is told only where nothing was. Of what is as good, the
    quickest misses by time; or else, of what is quick enough, the best misses by dB; or else the
    best of all. Of those as good to a hundredth, the quickest is told.
    """

    def lead(each: Verdict) -> tuple[float, float]:
        return round(each.margin, 2), -each.share

    compared = [each for each in compared if not each.missing] or compared
    good = [each for each in compared if each.margin >= 0]
    quick = [each for each in compared if each.share <= SHARE]
    if both := [each for each in good if each in quick]:
        return max(both, key=lead)
    if good:
        return min(good, key=lambda each: each.share)
    if nearest := quick or compared:
        return max(nearest, key=lead)
    figures, setup = rival
    return Verdict(
        peer=figures.name,
        scale=figures.scale,
        ours=None,
        share=math.inf,
        margin=-math.inf,
        worst="",
        setups=("", setup),
    )
