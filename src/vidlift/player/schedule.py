"""What becomes of a frame: shown when, super-resolved or not, or dropped, and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from vidlift.frame import Frame
from vidlift.pipeline import Meter
from vidlift.stages.pair import Pair

LATE = "late"
SWITCHED_OFF = "switched off"

SKIPS_MAX = 4
"""Pairs dropped in a row at most, so that something is shown however slow the machine is."""


def wait_for(frame: Frame, *, now: float) -> float:
    """Seconds until ``frame`` is due; 0 or less: show it."""
    return float(frame.pts) - now


def is_over(frame: Frame, *, now: float) -> bool:
    """Whether the time of ``frame`` has passed, so that the next one should be seen."""
    return frame.duration > 0 and now >= float(frame.pts + frame.duration)


class Pairwise(Protocol):
    """What makes a pair bigger: ``Upscaler``."""

    def pair(self, first: Frame, second: Frame) -> tuple[Frame, Frame]: ...


class Governor:
    """Decides for each pair, before any work on it, whether there is time to super-resolve it.

    A pair that would be ready only after it is due bypasses the network, and so do those after
    it until the player has caught up: ``enough`` seconds in hand, or as much as a pair costs.
    """

    def __init__(self, now: Callable[[], float], *, enough: float, on: bool = True) -> None:
        """``now`` is the media time, minus infinity before playback begins."""
        self._now = now
        self._enough = enough
        self._cost = 0.0
        self._behind = False
        self._skips = 0
        self.on = on
        """Whether the viewer wants super-resolution. Another thread may set it."""

    def bypass(self, pair: Pair) -> str | None:
        """Why this pair is not to be super-resolved, None where it is."""
        in_hand = float(pair.first.pts) - self._now()
        self._behind = in_hand < (max(self._enough, self._cost) if self._behind else self._cost)
        if not self.on:
            return SWITCHED_OFF
        if self._behind:
            # What was slow once is tried again in time: another program may have been busy.
            self._cost *= 0.99
            return LATE
        return None

    def skip(self, pair: Pair) -> bool:
        """Whether even plain interpolation is too late: the pair's time has passed."""
        last = pair.second
        passed = last.duration > 0 and self._now() >= float(last.pts + last.duration)
        self._skips = self._skips + 1 if passed and self._skips < SKIPS_MAX else 0
        return self._skips > 0

    def took(self, seconds: float) -> None:
        """Learn what super-resolving a pair costs."""
        self._cost = seconds if not self._cost else self._cost + (seconds - self._cost) / 4


class Tally:
    """What happened to the frames of a run, by reason, as receipts want it."""

    NOTED_MAX = 100
    """Drops that are noted one by one."""

    def __init__(self) -> None:
        self.bypassed: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.drops: list[tuple[float, str]] = []
        """The first drops: media time and reason."""

    def bypass(self, pair: Pair, reason: str) -> None:
        self.bypassed[reason] += len(pair.frames)

    def drop(self, frame: Frame, reason: str) -> None:
        self.dropped[reason] += 1
        if len(self.drops) < self.NOTED_MAX:
            self.drops.append((round(float(frame.pts), 3), reason))


def enlarge(
    pairs: Iterable[Pair],
    *,
    upscaler: Pairwise,
    plain: Pairwise,
    governor: Governor,
    tally: Tally,
    meter: Meter,
) -> Iterator[Frame]:
    """Yield the frames of the pairs, super-resolved or interpolated as the governor says.

    All frames have one size. The first pair goes through both, so that neither is loaded and
    compiled while the film runs.
    """
    warm = False
    for pair in pairs:
        if not warm:
            plain.pair(pair.first, pair.second)
            upscaler.pair(pair.first, pair.second)
            warm = True
        if governor.skip(pair):
            for frame in pair.frames:
                tally.drop(frame, LATE)
            continue
        reason = governor.bypass(pair)
        if reason is None:
            big = meter.note("upscale pair", lambda p=pair: upscaler.pair(p.first, p.second))  # type: ignore[misc]
            governor.took(meter.seconds["upscale pair"][-1])
        else:
            tally.bypass(pair, reason)
            big = meter.note("bicubic pair", lambda p=pair: plain.pair(p.first, p.second))  # type: ignore[misc]
        yield from big[: len(pair.frames)]


NOT_BEGUN = -math.inf
"""The media time before playback begins: everything is early."""
