"""Which network there is time for: the largest that keeps up, and a smaller one before it is late.

A ladder is plain interpolation and then the networks of one scale, cheapest first; under them is
the picture as it is, for the window to stretch, where even interpolation is too slow. The governor
stands on one rung of it. Frames are never dropped to super-resolve one: super-resolution gives
way first, for one pair (a bypass) or by a step down.

    xl        ·
    l      ┌──┴─┐ too slow: down, and not again for a while
    m   ───┘    └──────┐      ┌── head-room: up again
    s                  └──────┘ late
    plain
    as it is

What a rung costs is known from calibration and corrected by how fast the machine is right now.
Nothing here reads a clock of its own; a test moves time and sets costs.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

from vidlift.descriptor import TIERS
from vidlift.stages.pair import Pair

LATE = "late"
SWITCHED_OFF = "switched off"
TOO_SLOW = "super-resolution takes too long here"
NO_TIME = "interpolation is not fast enough"
NOT_ENLARGED = "window no larger than the picture"

STAY = 0.95
"""Share of a pair's own time that a rung may take at most."""

CLIMB = 0.75
"""Share of it that the next network may take, for a step up: the rest is head-room."""

SETTLE = 4
"""Pairs in a row over ``STAY`` after which a rung is left: one slow pair is an accident."""

LATE_MAX, LATE_WITHIN = 2, 5.0
"""So many times fallen behind within so many seconds are a reason to step down."""

ON_THE_WAY = 3
"""Pairs after a step for which the screen may still be busy with what was made before it."""

CLIMB_AFTER = 2.0
"""Seconds on a rung before the next is tried."""

HOLD, HOLD_MAX = 10.0, 300.0
"""Seconds for which a rung that was left is not tried again; they double each time."""

PROVEN = 60.0
"""Seconds after which a rung that holds is forgiven."""

FORGET = 64
"""Pairs left as they are, which tell nothing about the machine, in which what was known of it
fades by two thirds."""

TELLING = 0.25
"""Share of a pair that must be new for its time to say something about the machine."""

BESIDE = 0.2
"""What a pair costs however little of it is new, chroma and copies, as a share of one all new."""

SKIPS_MAX = 4
"""Pairs dropped in a row at most, so that something is shown however slow the machine is."""

LATELY = 8
"""Pairs by which it is known how long one is shown."""

Cap: TypeAlias = tuple[str, str] | None
_Wanted: TypeAlias = tuple[int, Cap]

DEARER = "takes longer than a larger one"
"""Why a rung is left out: the larger is in bfloat16, say, and this one is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One way to make a pair bigger."""

    name: str
    """Name of the model."""

    tier: str
    """As in its descriptor: ``kernel`` for plain interpolation."""

    scale: int
    cost: float
    """Seconds a pair on this machine at this size when nothing else runs, more than 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is to be done with a pair."""

    rung: Rung
    bypass: str | None = None
    """Why it is not super-resolved, None where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A step, or the first choice, for the receipt."""

    time: float
    """Media time of the first pair it holds for."""

    rung: str
    reason: str


class Governor:
    """Decides for each pair, before any work on it, what makes it bigger.

    ``choose`` and ``took`` are called by one thread; ``on``, ``scale`` and ``cap`` may be set by
    another. It may be kept over seeks: what it learnt stays true.
    """

    def __init__(
        self,
        ladder: Callable[[int], Sequence[Rung]],
        *,
        now: Callable[[], float],
        enough: float,
        scale: int,
        on: bool = True,
    ) -> None:
        """``ladder`` gives, by scale, plain interpolation and then dearer and dearer networks; for
        scale 1 what leaves pictures as they are.

        ``now`` gives the media time, minus infinity before playback begins; ``enough`` the seconds
        of finished film at which a player that was late has caught up.
        """
        self._ladder = ladder
        self.now = now
        self._enough = enough
        self.on = on
        """Whether the viewer wants super-resolution."""

        self.scale = scale
        """Which ladder to stand on."""

        self.cap: Cap = None
        """Highest tier allowed, and why; None: any."""

        self.changes: list[Change] = []
        self.seen: dict[str, array[float]] = {}
        """Seconds of every pair, by the rung that made it."""

        self.rung: Rung | None = None
        """Where it stands; None before the first pair. Other threads may look."""

        self._wanted: _Wanted = (scale, None)
        """Scale and cap as they were for the last pair."""

        self._stands_for: _Wanted | None = None
        """Those that ``rung`` was chosen for."""

        self._load = 1.0
        """How much slower the machine is than when it was calibrated."""

        self._work = 1.0
        """Share of a pair that is new, of late."""

        self._lately: deque[float] = deque(maxlen=LATELY)
        """Seconds for which the last pairs are shown."""

        self._lasts = 0.0
        """Seconds for which most pairs are shown, of late: one that stays gives others no time."""

        self._played = 0.0
        """Seconds of film chosen for: the governor's own time, which no seek turns back."""

        self._since = 0.0
        """When the last step was made."""

        self._over = 0
        self._lates: deque[float] = deque(maxlen=LATE_MAX)
        self._held: dict[str, tuple[float, float]] = {}
        """Rungs that were left: until when, and for how long, they are not tried again."""

        self._behind = False
        self._skips = 0

    def choose(self, pair: Pair, *, missed: bool = False) -> Choice:
        """The rung for this pair, and why not the network where it is the plain one.

        ``missed``: since the last pair the screen had no time for a picture that was there.
        """
        lasts = float(sum(frame.duration for frame in pair.frames)) * (2 if pair.alone else 1)
        if not all(frame.duration for frame in pair.frames):  # nobody knows
            lasts = self._enough
        self._lately.extend([lasts] if self._lately else [min(lasts, self._enough)] * LATELY)
        self._lasts = median(self._lately)
        self._played += lasts
        scale, cap = self._wanted = self.scale, self.cap  # they may change meanwhile
        rungs, time = self._rungs(scale, cap), float(pair.first.pts)
        if self.rung is None or self._stands_for != self._wanted:
            self._begin(rungs, time)
        else:
            self._step(rungs, time)
        assert self.rung is not None
        plain = self.plain()
        in_time = self._in_time(self.rung, time, missed)
        if self.rung.scale == 1:
            return Choice(rung=self.rung, bypass=NOT_ENLARGED if scale == 1 else NO_TIME)
        if not self.on and rungs[-1] != plain:
            return Choice(rung=plain, bypass=SWITCHED_OFF)
        if self.rung == plain:
            return Choice(rung=plain, bypass=TOO_SLOW if rungs[-1] != plain else None)
        return Choice(rung=self.rung) if in_time else Choice(rung=plain, bypass=LATE)

    def _in_time(self, rung: Rung, time: float, missed: bool) -> bool:
        """Whether a pair for that time can be made on a rung. Where the player falls behind it is
        noted, again and again while it stays so, and it has to catch up before the answer is yes.
        """
        in_hand, need = time - self.now(), self.estimate(rung)
        in_time = in_hand >= (max(self._ahead, need) if self._behind else need)
        last = max([self._since, *self._lates])
        again = not self._behind or self._played - last >= LATE_WITHIN / LATE_MAX
        missed = missed and self._played - self._since > ON_THE_WAY * self._lasts
        if missed or (again and not in_time):
            self._lates.append(self._played)
        self._behind = not in_time
        return in_time

    def turn_to(self, ladder: Callable[[int], Sequence[Rung]], *, scale: int) -> None:
        """Choose anew: from here on the pictures have another size, and networks other costs."""
        self._ladder, self.scale, self._stands_for = ladder, scale, None
        self.seen = {}

    @property
    def _ahead(self) -> float:
        """Seconds of finished film that there can be, at half."""
        return min(self._enough, self._lasts)

    @property
    def load(self) -> float:
        """How much slower the machine is than when it was calibrated."""
        return self._load

    @property
    def enlarges(self) -> bool:
        """Whether what comes is made larger, as far as is known. Other threads may look."""
        too_slow = self.rung is not None and self.rung.scale == 1 != self._wanted[0]
        return self.scale > 1 and not too_slow

    def plain(self) -> Rung:
        """Plain interpolation at the scale of the last choice."""
        return self._ladder(self._wanted[0])[0]

    @property
    def below(self) -> Rung | None:
        """What a step down leads to."""
        rungs = self._rungs(*self._wanted)
        return rungs[at - 1] if self.rung in rungs and (at := rungs.index(self.rung)) else None

    def skip(self, pair: Pair) -> bool:
        """Whether even plain interpolation is too late: the pair's time has passed."""
        last = pair.second
        passed = last.duration > 0 and self.now() >= float(last.pts + last.duration)
        self._skips = self._skips + 1 if passed and self._skips < SKIPS_MAX else 0
        return self._skips > 0

    def took(self, rung: Rung, seconds: float, *, work: float = 1.0) -> None:
        """Learn what a pair cost on a rung, be it that of ``choose`` or another.

        ``work`` is the share of the pair that had to be made, where the rest was known from
        before. More of it is believed at once, less only in time: a cut may come any moment.
        """
        self._work += (work - self._work) / (1 if work > self._work else 32)
        if work >= TELLING:
            whole = seconds / _share(work)
            self.seen.setdefault(rung.name, array("f")).append(whole)
            if rung.scale == 1:
                self._load += (1 - self._load) / FORGET
            else:
                # One pair may take long by accident: it counts as twice what was expected at most.
                ratio = min(whole / rung.cost, 2 * self._load)
                if self.rung is not None and rung != self.rung and not self._behind:
                    # How slow one is does not say how slow another is, at most that it is less;
                    # but whoever has fallen behind is to know.
                    ratio = min(max(ratio, 1), self._load)
                self._load += (ratio - self._load) / 4
        if self.rung is not None and (rung == self.rung or self._behind):
            over = self._usual(self.rung) > STAY * self._lasts
            self._over = self._over + 1 if over else 0

    def estimate(self, rung: Rung) -> float:
        """Seconds that a pair would cost on it now, if all of it had to be made."""
        return rung.cost * self._load

    def _usual(self, rung: Rung) -> float:
        """Seconds that a pair costs on it, as much of it being new as of late."""
        return self.estimate(rung) * _share(self._work)

    def verdicts(self, lasts: float) -> Iterator[tuple[Rung, float, str]]:
        """For each rung of the ladder: its cost now and what speaks for or against it, where
        pairs last so many seconds. ``vidlift play --dry-run`` prints them.
        """
        scale, cap = self.scale, self.cap
        allowed, capped = self._rungs(scale, cap), self._capped(scale, cap)
        for rung in self._ladder(scale):
            cost = self.estimate(rung)
            if rung not in capped:
                assert cap is not None
                verdict = f"above the cap: {cap[1]}"
            elif rung not in allowed:
                verdict = DEARER
            elif cost <= CLIMB * lasts:
                verdict = f"fits, {1 - cost / lasts:.0%} to spare"
            elif cost <= lasts:
                verdict = f"no head-room: {1 - cost / lasts:.0%} to spare"
            else:
                verdict = f"too slow: {cost / lasts:.1f} times the time there is"
            yield rung, cost, verdict

    def _rungs(self, scale: int, cap: Cap) -> Sequence[Rung]:
        """The ladder of the scale, without what is dearer than something above it, and below it
        the picture as it is."""
        ladder = self._capped(scale, cap)
        as_it_is = [] if scale == 1 else self._ladder(1)
        reaching = [
            rung
            for at, rung in enumerate(ladder)
            if rung.tier == "kernel" or all(rung.cost <= each.cost for each in ladder[at + 1 :])
        ]
        return [*as_it_is, *reaching]

    def _capped(self, scale: int, cap: Cap) -> Sequence[Rung]:
        """The ladder of the scale, up to the cap."""
        ladder = self._ladder(scale)
        if cap is None:
            return ladder
        allowed = TIERS[: TIERS.index(cap[0]) + 1]
        return [rung for rung in ladder if rung.tier == "kernel" or rung.tier in allowed]

    def _begin(self, rungs: Sequence[Rung], time: float) -> None:
        """Stand on the largest rung with head-room, in a new ladder or with another cap."""
        fitting = [i for i in range(len(rungs)) if self._fits(rungs[i])]
        scale, cap = self._stands_for = self._wanted
        reason = "begin" if self.rung is None else f"{scale} times"
        if cap is not None:
            reason += f", {cap[1]}"
        self._stand_on(rungs[max(fitting, default=0)], time, reason)

    def _step(self, rungs: Sequence[Rung], time: float) -> None:
        assert self.rung is not None
        at = rungs.index(self.rung)
        late = len(self._lates) == LATE_MAX and self._played - self._lates[0] <= LATE_WITHIN
        if at and (late or self._over >= SETTLE):
            reason = (
                f"fell behind {LATE_MAX} times within {LATE_WITHIN:.0f} s"
                if late
                else f"{_ms(self._usual(self.rung))} a pair, there are {_ms(self._lasts)}"
            )
            _, hold = self._held.get(self.rung.name, (0.0, HOLD / 2))
            hold = min(2 * hold, HOLD_MAX)
            self._held[self.rung.name] = (self._played + hold, hold)
            self._stand_on(rungs[at - 1], time, reason)
            return
        if self._played - self._since >= PROVEN:
            self._held.pop(self.rung.name, None)
        settled = not (late or self._behind) and self._played - self._since >= CLIMB_AFTER
        if at + 1 == len(rungs) or not settled:
            return
        above = rungs[at + 1]
        until, _ = self._held.get(above.name, (0.0, 0.0))
        if self._played >= until and self._fits(above):
            self._stand_on(
                above, time, f"head-room: {_ms(self._usual(above))} of {_ms(self._lasts)}"
            )

    def _stand_on(self, rung: Rung, time: float, reason: str) -> None:
        self.rung = rung
        self._since, self._over = self._played, 0
        self._lates.clear()
        self.changes.append(Change(time=round(time, 3), rung=rung.name, reason=reason))

    def _fits(self, rung: Rung) -> bool:
        """Whether it keeps up, a network with head-room, and a pair that is all new is not late."""
        share = STAY if rung.tier == "kernel" else CLIMB
        at_once = self.estimate(rung) <= max(share * self._lasts, 2 * self._ahead)
        return at_once and self._usual(rung) <= share * self._lasts


def _share(work: float) -> float:
    """What a pair costs as a share of one that is all new, where so much of it is."""
    return BESIDE + (1 - BESIDE) * work


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"
