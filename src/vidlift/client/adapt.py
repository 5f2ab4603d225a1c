"""Which rung to receive next: by what the network carries, and by what this machine makes of it.

What counts of a rung is how it looks after super-resolution *here*: 270 lines and a network this
machine can run may look better than 360 lines and one that it cannot, for half the bits. The
choice between rungs is BOLA's (Spiteri et al., 2016): the fuller the buffer, the dearer a rung
may be. It is bounded by the throughput as long as the buffer is short.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

BUFFER = 24.0
"""Seconds of film that are received ahead, at most."""

SHORT = 8.0
"""Seconds of buffer below which the throughput has the last word."""

SAFE = 0.8
"""The share of the measured throughput that is counted on."""

DECIBELS = 3.0
"""Decibels of PSNR that are worth as much as one doubling of the rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One rung as it is chosen by."""

    bits_per_second: float
    quality: float
    """How it looks here, in doublings of worth: an additive scale."""


class Choose(Protocol):
    """Gives the place of the rung to receive next, by seconds of buffer and bits a second."""

    def __call__(
        self, options: Sequence[Option], *, buffer: float, throughput: float | None
    ) -> int: ...


def by_throughput(options: Sequence[Option], *, buffer: float, throughput: float | None) -> int:
    """The dearest that the network carries: what players did first, and a measure to beat."""
    del buffer
    if throughput is None:
        return 0
    return max(
        (i for i, o in enumerate(options) if o.bits_per_second <= SAFE * throughput), default=0
    )


def best(options: Sequence[Option], *, buffer: float, throughput: float | None) -> int:
    """The one that looks best, however long it takes: for a film that nobody waits for."""
    del buffer, throughput
    return max(range(len(options)), key=lambda i: options[i].quality)


def by_buffer(options: Sequence[Option], *, buffer: float, throughput: float | None) -> int:
    """BOLA alone, with the rate as its quality."""
    del throughput
    plain = [
        Option(bits_per_second=o.bits_per_second, quality=math.log2(o.bits_per_second))
        for o in options
    ]
    return _bola(plain, buffer, base=1)


def by_both(options: Sequence[Option], *, buffer: float, throughput: float | None) -> int:
    """What we do. Never a rung that looks no better than a cheaper one."""
    useful = _frontier(options)
    if throughput is None:
        return useful[0]
    chosen = useful[_bola([options[i] for i in useful], buffer, base=0)]
    carried = [i for i in useful if options[i].bits_per_second <= SAFE * throughput]
    most = max(carried, default=useful[0])
    if buffer < SHORT:
        return (
            min(chosen, most)
            if buffer >= SHORT / 2
            else _hasty(useful, options, buffer, throughput)
        )
    # A full buffer may be spent on a better rung, one step beyond what the network carries.
    beyond = useful[min(useful.index(most) + 1, len(useful) - 1)]
    return min(max(chosen, most if buffer >= BUFFER / 2 else useful[0]), beyond)


def _hasty(
    useful: Sequence[int], options: Sequence[Option], buffer: float, throughput: float
) -> int:
    """With next to nothing in hand: what comes in half the time it lasts."""
    share = SAFE * (0.5 if buffer < SHORT / 4 else 0.75)
    carried = [i for i in useful if options[i].bits_per_second <= share * throughput]
    return max(carried, default=useful[0])


def _bola(options: Sequence[Option], buffer: float, *, base: float) -> int:
    """The rung with the most worth a bit, where the buffer is what bits cost.

    Worth is the quality, scaled to span what the logarithm of the rates spans, above ``base``:
    that of the least rung. With 1 the least rung is taken as long as the buffer is empty; with 0
    a dearer one is as soon as it pays, and something else must see to an empty buffer.
    """
    least, best = options[0], options[-1]
    span = best.quality - least.quality
    if span <= 0 or best.bits_per_second <= least.bits_per_second:
        return 0
    unit = math.log(best.bits_per_second / least.bits_per_second) / span
    worth = [base + unit * (option.quality - least.quality) for option in options]
    gain = (worth[-1] - base) / (0.9 * BUFFER / SHORT - 1)
    scores = [
        (SHORT / gain * (w + gain) - buffer) / option.bits_per_second
        for w, option in zip(worth, options, strict=True)
    ]
    return max(range(len(options)), key=lambda i: (scores[i], i))


def _frontier(options: Sequence[Option]) -> list[int]:
    """Places of the rungs that look better than every cheaper one."""
    kept: list[int] = []
    for i, option in enumerate(options):
        if not kept or option.quality > options[kept[-1]].quality:
            kept.append(i)
    return kept


class Throughput:
    """What the network carried of late: the lesser of a quick and a slow average."""

    def __init__(self) -> None:
        self._quick = self._slow = 0.0
        self._quick_weight = self._slow_weight = 0.0

    def add(self, size: int, seconds: float) -> None:
        """A download of ``size`` bytes took so long."""
        seconds = max(seconds, 1e-3)
        rate = 8 * size / seconds
        for half_life, name in ((3.0, "quick"), (10.0, "slow")):
            keep = 0.5 ** (seconds / half_life)
            value = getattr(self, f"_{name}") * keep + rate * (1 - keep)
            weight = getattr(self, f"_{name}_weight") * keep + (1 - keep)
            setattr(self, f"_{name}", value)
            setattr(self, f"_{name}_weight", weight)

    @property
    def bits_per_second(self) -> float | None:
        """None as long as nothing was received."""
        if not self._quick_weight:
            return None
        return min(self._quick / self._quick_weight, self._slow / self._slow_weight)


def quality_of(card: Mapping[str, Any], name: str, tiers: Iterable[str]) -> float | None:
    """How a rung of a published title looks here, None where it was not measured.

    ``tiers`` are those that this machine runs in time from that rung.
    """
    for rendition in card.get("renditions", ()):
        if rendition.get("name") == name:
            mean = rendition.get("psnr_y", {}).get("mean", {})
            wanted = {*tiers, "bicubic"}
            found = [value for model, value in mean.items() if model.partition("-x")[0] in wanted]
            return max(found) / DECIBELS if found else None
    return None


GUESSED = {"xs": 0.1, "s": 0.15, "m": 0.22, "l": 0.27, "xl": 0.3}
"""What a network is worth on a stream that nobody measured, by tier: about half a decibel up."""


def guess(
    width: int | None, height: int | None, bits_per_second: int, *, tiers: Iterable[str] = ()
) -> float:
    """How a rung looks that nobody measured: by its size, else by its rate, and its network."""
    gained = max((GUESSED.get(tier, 0.0) for tier in tiers), default=0.0)
    rate = math.log2(max(bits_per_second, 1))
    return math.log2(width * height) / 2 + 0.1 * rate + gained if width and height else rate
