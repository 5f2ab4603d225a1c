"""A viewer without a network or pictures: what a way of choosing rungs makes of a trace.

A trace is the bits a second that the network carries, second by second. The film is received
segment by segment into the buffer and played from it; when the buffer is empty, it stands.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

from vidlift.client.adapt import BUFFER, Choose, Option, Throughput

SEGMENT = 4.0
"""Seconds of a segment."""

ROUND_TRIP = 0.06
"""Seconds from a request to the first byte."""

STALL_COST = 3.0
"""What a second of standing costs: as much as three seconds without any quality gained."""

SWITCH_COST = 1.0
"""What a step of quality costs, per unit of quality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewing:
    """How it was to watch."""

    quality: float
    """Mean quality of the segments, above that of the least rung."""

    stalled: float
    """Seconds that the film stood, its beginning apart."""

    waited: float
    """Seconds before it began."""

    switches: int
    switched: float
    """Sum of all steps of quality."""

    seconds: float
    """Length of the film."""

    @property
    def experience(self) -> float:
        """One figure, more is better: mean quality, less standing and stepping, per second."""
        lost = STALL_COST * self.stalled + SWITCH_COST * self.switched
        return self.quality - lost / self.seconds


TRACES = {
    "steady": [1.2e6] * 400,
    "stepwise": ([2.5e6] * 60 + [0.6e6] * 60 + [1.5e6] * 40) * 3,
    "oscillating": ([2.0e6] * 6 + [0.4e6] * 6) * 40,
    "train with tunnels": ([2.2e6] * 45 + [0.02e6] * 12) * 8,
    "poor": [0.25e6] * 500,
}
"""Bits a second, second by second; a trace begins anew where it ends."""


def wandering(seed: int, *, mean: float = 1.2e6, seconds: int = 600) -> list[float]:
    """A trace that wanders about ``mean`` as mobile networks do."""
    chance = random.Random(seed)
    rate, found = mean, []
    for _ in range(seconds):
        rate = min(max(rate * 2 ** chance.gauss(0, 0.35), mean / 12), mean * 4)
        rate += (mean - rate) / 10
        found.append(rate)
    return found


def watch(
    choose: Choose, options: Sequence[Option], trace: Sequence[float], *, segments: int = 60
) -> Viewing:
    """Watch a film of so many segments over a network that follows ``trace``."""
    throughput = Throughput()
    now, buffer, begun = 0.0, 0.0, False
    waited = stalled = switched = 0.0
    chosen: list[int] = []
    for _ in range(segments):
        room = BUFFER - SEGMENT
        if buffer > room:
            now += buffer - room
            buffer = room
        at = choose(options, buffer=buffer, throughput=throughput.bits_per_second)
        size = options[at].bits_per_second * SEGMENT / 8
        seconds = ROUND_TRIP + _transfer(8 * size, trace, now + ROUND_TRIP)
        throughput.add(round(size), seconds)
        if not begun:
            waited += seconds
        elif seconds > buffer:
            stalled += seconds - buffer
        buffer = max(0.0, buffer - seconds) if begun else buffer
        now += seconds
        buffer += SEGMENT
        begun = True
        if chosen:
            switched += abs(options[at].quality - options[chosen[-1]].quality)
        chosen.append(at)
    least = options[0].quality
    return Viewing(
        quality=sum(options[i].quality - least for i in chosen) / len(chosen),
        stalled=stalled,
        waited=waited,
        switches=sum(a != b for a, b in itertools.pairwise(chosen)),
        switched=switched,
        seconds=segments * SEGMENT,
    )


def _transfer(bits: float, trace: Sequence[float], start: float) -> float:
    """Seconds that so many bits take from a time on."""
    at = start
    while True:
        rate = trace[int(at) % len(trace)]
        left = int(at) + 1 - at
        if bits <= rate * left:
            return at + bits / rate - start
        bits -= rate * left
        at += left
