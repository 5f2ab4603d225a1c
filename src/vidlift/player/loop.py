"""The loop of the main thread: shows each frame when its time has come, and minds the keys.

Frames and sound are made in threads of their own (``stages.ahead``); this loop never waits for
them, only for the next moment at which there is something to do.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable
from typing import Protocol

from vidlift.frame import Frame
from vidlift.pipeline import Meter
from vidlift.player.clock import AudioClock, Clock, WallClock
from vidlift.player.controls import CONTROLS, Control
from vidlift.player.schedule import LATE, NOT_BEGUN, Governor, Tally, is_over, wait_for
from vidlift.player.sound import Feeder
from vidlift.stages.ahead import Ahead

POLL = 0.01
"""Seconds between looks at sound, keys and the next frame, at most."""

PREROLL = 0.5
"""Seconds that the first pictures wait for the first sound, at most."""

STALL = 0.5
"""Seconds past the last picture after which film and sound stand until there are others."""


class Display(Protocol):
    """Shows frames and tells which keys were pressed: ``sinks.window.Window``."""

    def write(self, frame: Frame) -> None: ...

    def keys(self, wait: float) -> Iterable[str]:
        """Names of keys pressed; waits up to ``wait`` seconds for one. The loop's only rest."""
        ...

    def toggle_full_screen(self) -> None: ...


class Loop:
    """Plays one film once, from the first frame to the last or until the viewer quits."""

    def __init__(
        self,
        display: Display,
        *,
        sound: Feeder | None,
        tally: Tally,
        meter: Meter,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Without sound the film runs by the wall clock, that is by ``monotonic``."""
        self._display = display
        self._sound = sound
        self._tally = tally
        self._meter = meter
        self._monotonic = monotonic
        self._timer = WallClock(monotonic=monotonic)
        self._clock: Clock = self._timer
        self._paused = self._stalled = self._quit = False
        self._end = 0.0
        """Media time until which the frame on the screen is meant to stay."""

        self.time = NOT_BEGUN
        """Media time as the loop last saw it. Other threads may look."""

        self.shown = 0
        self.stalls = 0
        """How often the film stood because the next frame was not there."""

        self.skew = array("f")
        """For each frame shown, how much later than its time, in seconds, by the clock."""

    def run(self, frames: Ahead[Frame], *, governor: Governor, stop: float | None = None) -> None:
        """Play; ``stop`` is the media time, from the beginning, at which to end at the latest."""
        waiting = self._preroll(frames, governor)
        if waiting is None:
            return
        self._begin(waiting)
        stop = None if stop is None else self.time + stop
        ended = False
        while not self._quit:
            if self._sound is not None:
                self._sound.feed(pad=waiting is not None or frames.ready)
            if waiting is None and not ended and frames.ready:
                waiting = next(frames, None)
                ended = waiting is None
            self.time = now = self._clock.now()
            rest = POLL
            if self._stalled:
                self._stall(not frames.full)
            elif self._paused:
                pass
            elif waiting is not None:
                rest = wait_for(waiting, now=now)
                if rest <= 0:
                    self._show_or_drop(waiting, next_ready=frames.ready)
                    waiting = None
            elif ended:
                rest = self._last_moment(stop) - now
                if rest <= 0:
                    return
            else:
                self._stall(now > self._end + STALL)
            self._obey(self._display.keys(min(max(rest, 0), POLL)), governor)

    def _preroll(self, frames: Ahead[Frame], governor: Governor) -> Frame | None:
        """The first frame, once others stand ready and so does the sound; None: no film."""
        since: float | None = None
        while not self._quit:
            if frames.full:
                since = self._monotonic() if since is None else since
                if self._monotonic() - since >= PREROLL or self._sound_is_there():
                    return next(frames, None)
            self._obey(self._display.keys(POLL), governor)
        return None

    def _sound_is_there(self) -> bool:
        return self._sound is None or self._sound.first() is not None or self._sound.ended

    def _begin(self, first: Frame) -> None:
        start = first.pts
        if self._sound is None:
            self._clock = self._timer = WallClock(start=float(start), monotonic=self._monotonic)
        else:
            start = min(start, self._sound.first() or start)
            self._sound.begin(start)
            self._sound.feed(pad=True)
            self._clock = AudioClock(self._sound.heard, step=self._sound.step, timer=self._timer)
        self.time = float(start)
        self._run_or_stand()

    def _show_or_drop(self, frame: Frame, *, next_ready: bool) -> None:
        if is_over(frame, now=self.time) and next_ready:
            self._tally.drop(frame, LATE)
            return
        self._meter.note("present", lambda: self._display.write(frame))
        self.skew.append(self._clock.now() - float(frame.pts))
        self._end = float(frame.pts + frame.duration)
        self.shown += 1

    def _last_moment(self, stop: float | None) -> float:
        """When to end, once the last frame is on the screen: sound may go on after it."""
        end = self._end if self._sound is None else max(self._end, float(self._sound.end))
        return end if stop is None else min(end, stop)

    def _stall(self, stalled: bool) -> None:
        if stalled != self._stalled:
            self._stalled = stalled
            self.stalls += stalled
            self._run_or_stand()

    def _run_or_stand(self) -> None:
        parts: list[WallClock | Feeder] = [self._timer]
        if self._sound is not None:
            parts.append(self._sound)
        for part in parts:
            if self._paused or self._stalled:
                part.stand()
            else:
                part.go()

    def _obey(self, keys: Iterable[str], governor: Governor) -> None:
        for key in keys:
            match CONTROLS.get(key):
                case Control.PAUSE:
                    self._paused = not self._paused
                    self._run_or_stand()
                case Control.COMPARE:
                    governor.on = not governor.on
                case Control.FULL_SCREEN:
                    self._display.toggle_full_screen()
                case Control.QUIT:
                    self._quit = True
                case None:
                    pass
