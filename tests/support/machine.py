"""A simulated machine for the player's governor: time and costs are given, and nothing runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate

from support.frames import make_frame
from vidlift.player.governor import Governor, Rung
from vidlift.stages.pair import Pair

AHEAD = 4
"""Finished frames that wait for their time in the simulated player."""

COSTS = {"plain": 0.008, "s": 0.020, "m": 0.040, "l": 0.080, "xl": 0.240}
"""Seconds a pair, on a quiet machine."""

Load = Callable[[str, float], float]
"""How many times its calibrated cost a rung takes, at a time."""

FRAME = make_frame(size=(2, 2))


def ladder(costs: dict[str, float] = COSTS, scale: int = 4) -> list[Rung]:
    return [
        Rung(name=name, tier="kernel" if name == "plain" else name, scale=scale, cost=cost)
        for name, cost in costs.items()
    ]


AS_IT_IS = ladder({"as it is": 1e-6}, scale=1)


def ladder_of(costs: dict[str, float] = COSTS) -> Callable[[int], Sequence[Rung]]:
    """The ladders of a film that is to be four times as large."""
    return {1: AS_IT_IS, 4: ladder(costs)}.__getitem__


def steady(_name: str, _time: float) -> float:
    return 1.0


def pair_of(time: Fraction, *lasting: Fraction) -> Pair:
    """A pair whose frames last so long."""
    first, second = (
        replace(FRAME, pts=at, duration=lasts)
        for at, lasts in zip((time, time + lasting[0]), lasting, strict=True)
    )
    return Pair(first=first, second=second)


def pair_at(time: Fraction, rate: Fraction | float) -> Pair:
    return pair_of(Fraction(time), 1 / Fraction(rate), 1 / Fraction(rate))


@dataclass
class Played:
    """What came of a simulated film."""

    rungs: list[str] = field(default_factory=list)
    """What made each pair bigger."""

    reasons: Counter[str] = field(default_factory=Counter)
    late: list[float] = field(default_factory=list)
    """Times of pairs that were ready only after the time of their first frame."""

    skipped: list[float] = field(default_factory=list)
    """Times of pairs for which even plain interpolation came too late."""

    dropped: list[float] = field(default_factory=list)
    """Times of frames that were there in time, and for which the screen had none."""

    steps: list[tuple[float, str]] = field(default_factory=list)

    def share(self, rung: str) -> float:
        return self.rungs.count(rung) / len(self.rungs)


class _Screen:
    """Takes frames in order, each at its time or as soon as it can."""

    def __init__(self, times: Sequence[float], present: Load) -> None:
        self._times, self._present = times, present
        self.made: list[tuple[str, float]] = []
        """By which rung each frame was made, and when it was there."""

        self.dropped: list[float] = []
        self._free, self._next, self._left = 0.0, 0, 0.0

    def leaves(self, frame: int) -> float:
        """When the screen takes a frame, the one after which is there."""
        while self._next <= frame:
            self._take()
        return self._left

    def go_on(self, until: float) -> None:
        while self._next + 1 < len(self.made) and self._due <= until:
            self._take()

    @property
    def _due(self) -> float:
        return max(self._free, self.made[self._next][1], self._times[self._next])

    def _take(self) -> None:
        if math.isnan(self.made[self._next][1]):
            self._next += 1
            return
        at, self._left = self._next, self._due
        self._next += 1
        by, there = self.made[at]
        begins, ends = self._times[at : at + 2]
        if begins < ends <= self._left and self.made[at + 1][1] <= self._left:
            self.dropped += [begins] if there <= begins else []
        else:
            self._free = self._left + self._present(by, self._left)


def simulate(
    *,
    rate: Fraction | float = 24,
    seconds: float = 60,
    load: Load = steady,
    costs: dict[str, float] = COSTS,
    act: Callable[[Governor, float], None] | None = None,
    ladders: dict[int, Sequence[Rung]] | None = None,
    work: Callable[[float], float] = lambda _time: 1.0,
    lasting: Sequence[Fraction] = (),
    worth: Callable[[float], bool] = lambda _time: True,
    present: Load = lambda _name, _time: 0.0,
) -> Played:
    """Play a film: one worker makes pairs as far ahead as the queue allows, a screen shows them.

    The film begins once the queue is full; before that, time stands and work costs nothing.
    ``lasting``: how long each frame is shown, where there is no rate that is constant. ``worth``:
    when a network is known to gain something. ``present``: seconds that a picture that a rung made
    takes to be shown, at a time.
    """
    played, worker, begun = Played(), 0.0, False
    frames = lasting or [1 / Fraction(rate)] * (2 * int(seconds * rate / 2))
    times = [Fraction(0), *accumulate(frames)]
    lasts = 1 / Fraction(rate)
    governor = Governor(
        ladders.__getitem__ if ladders else ladder_of(costs),
        now=lambda: worker if begun else -math.inf,
        enough=float(AHEAD / 2 * lasts),
        scale=4,
    )
    screen, missed = _Screen([float(time) for time in times], present), 0
    for index in range(0, len(frames) - 1, 2):
        pair = pair_of(times[index], frames[index], frames[index + 1])
        begun = index >= AHEAD
        # There is room in the queue once the frame AHEAD places before has left it.
        worker = max(worker, screen.leaves(index - AHEAD) if begun else 0.0)
        screen.go_on(worker)
        if act:
            act(governor, worker)
        if governor.skip(pair):
            played.skipped.append(float(pair.first.pts))
            screen.made += [("", math.nan)] * 2
            continue
        choice = governor.choose(pair, missed=len(screen.dropped) > missed)
        missed = len(screen.dropped)
        rung = choice.rung if worth(float(pair.first.pts)) else governor.plain()
        share = work(float(pair.first.pts))
        taken = rung.cost * load(rung.name, worker) * share
        if begun:
            worker += taken
        governor.took(rung, taken, work=share)
        screen.made += [(rung.name, worker)] * 2
        played.rungs.append(rung.name)
        if choice.bypass:
            played.reasons[choice.bypass] += 1
        if begun and worker > pair.first.pts:
            played.late.append(float(pair.first.pts))
    played.dropped = screen.dropped
    played.steps = [(change.time, change.rung) for change in governor.changes]
    return played
