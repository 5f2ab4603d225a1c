"""What time it is in the film: by the wall, or by the sound that is heard.

A clock has one verb, ``now``. Nothing here reads the real time unless it is told to, so that
tests move it by hand.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Media time in seconds; never goes back."""
        ...


class WallClock:
    """Real time from ``start`` on, which can be made to stand still. It stands at first."""

    def __init__(
        self, *, start: float = 0.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._at = start
        self._since: float | None = None
        """When it was last set going, None while it stands."""

    def now(self) -> float:
        return self._at if self._since is None else self._at + self._monotonic() - self._since

    def go(self) -> None:
        if self._since is None:
            self._since = self._monotonic()

    def stand(self) -> None:
        self._at, self._since = self.now(), None


class AudioClock:
    """The time of the sound, smoothed by a wall clock.

    A sound device takes samples a buffer at a time, so the count of what it took moves in steps
    (21 ms for 1024 samples). The truth lies between the count and one step more: the wall clock
    carries the time on, and it is corrected only where it would leave those bounds. So ``now``
    is wrong by less than a step, and follows a device whose second is not quite a second.

        count     ____|‾‾‾‾|____      now    ╱ between count and count + step
    """

    def __init__(self, heard: Callable[[], float], *, step: float, timer: Clock) -> None:
        """``heard`` counts in media seconds and does not go back; ``timer`` stands in a pause."""
        self._heard = heard
        self._step = step
        self._timer = timer
        self._last = heard()
        self._asked = timer.now()

    def now(self) -> float:
        asked, heard = self._timer.now(), self._heard()
        carried = self._last + (asked - self._asked)
        self._last = max(self._last, min(max(carried, heard), heard + self._step))
        self._asked = asked
        return self._last
