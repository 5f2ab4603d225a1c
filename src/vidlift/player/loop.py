"""The loop of the main thread: shows each picture when its time has come, and minds the viewer.

Pictures and sound are made in threads of their own (``stages.ahead``); this loop never waits for
them, only for the next moment at which there is something to do.
"""

from __future__ import annotations

import math
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np

from vidlift.frame import Frame
from vidlift.pipeline import Meter
from vidlift.player.clock import AudioClock, Clock, WallClock
from vidlift.player.leave import Leave, Open, OtherFilm, OtherSound, Quit, SeekTo
from vidlift.player.schedule import NOT_BEGUN, Picture, Tally, is_over, wait_for
from vidlift.player.sound import Feeder
from vidlift.player.viewer import Span, Viewer
from vidlift.sinks.events import Event
from vidlift.sinks.window import Sprite

POLL = 0.01
"""Seconds between looks at sound, keys and the next picture, at most."""

PREROLL = 0.5
"""Seconds that the first pictures wait for the first sound, at most."""

STALL = 0.5
"""Seconds past the last picture after which film and sound stand until there are others."""

STALLED = "waiting for more of the film"

RATED = 48
"""Pictures whose rate is told."""

LONG_WAIT = 0.5
"""Seconds of waiting after which what is waited for is named."""

SHORT_REST = 0.04
"""Seconds to the next picture below which a change of what lies over it waits for that."""


class Display(Protocol):
    """Shows pictures and tells what the viewer did: ``sinks.window.Window``."""

    @property
    def area(self) -> tuple[int, int]: ...

    @property
    def interval(self) -> float: ...

    def show(
        self, frame: Frame, *, beside: Frame | None = None, divider: float | None = None
    ) -> None: ...

    def divide(self, divider: float) -> None: ...

    def cover(self, sprites: Sequence[Sprite]) -> None: ...

    def refresh(self) -> None: ...

    def events(self, wait: float) -> Iterable[Event]:
        """What happened; waits up to ``wait`` seconds for it. The loop's only rest."""
        ...

    def toggle_full_screen(self) -> None: ...


class Made(Protocol):
    """What a thread makes: ``stages.ahead.Ahead``."""

    @property
    def ready(self) -> bool: ...


class Pictures(Made, Protocol):
    """Pictures that a thread makes ahead."""

    @property
    def full(self) -> bool: ...

    def __iter__(self) -> Iterator[Picture]: ...

    def __next__(self) -> Picture: ...


class Record:
    """What was shown in a run, and how well in time."""

    def __init__(self) -> None:
        self.shown = 0
        self.stalls = 0
        """How often the film stood because the next picture was not there."""

        self.skew = array("f")
        """For each picture shown, how much later than its time, in seconds, by the clock."""

        self.first_by: dict[str, float] = {}
        """When the first picture made by each network was on the screen, by the monotonic clock."""

        self.on_screen: Picture | None = None
        self._lately: deque[float] = deque(maxlen=RATED)

    def show(self, now: float) -> None:
        """A picture appeared, other than an early one."""
        self.shown += 1
        self._lately.append(now)

    def go_on(self) -> None:
        """Time runs again: what was before does not count for the rate."""
        self._lately.clear()

    def off_clock(self, *, last: int = 0) -> dict[str, float]:
        """How far pictures were off the clock when they appeared, either way, in milliseconds:
        the last so many, or all; empty before there are any."""
        if not len(self.skew):
            return {}
        off = np.abs(np.array(self.skew[-last:])) * 1000
        found = {"p50": np.percentile(off, 50), "p95": np.percentile(off, 95), "max": off.max()}
        return {name: round(float(value), 2) for name, value in found.items()}

    @property
    def rate(self) -> float | None:
        """Pictures shown a second, of late; None before there are two."""
        lately = tuple(self._lately)
        passed = lately[-1] - lately[0] if lately else 0.0
        return (len(lately) - 1) / passed if passed > 0 else None


class Loop:
    """Plays a film from one point on, until its end, a stop, or the viewer wants something else.

    After a seek another is made for the chain from there: what is kept is the viewer's and the
    record's.
    """

    def __init__(
        self,
        display: Display,
        viewer: Viewer,
        record: Record,
        *,
        span: Span,
        tally: Tally,
        meter: Meter,
        attend: Callable[[], None] = lambda: None,
        at: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``attend`` is called every so often, at least every ``POLL`` seconds while it rests;
        ``at`` is the media time that was sought, where one was.
        """
        self._attend = attend
        self._display = display
        self._viewer = viewer
        self._record = record
        self._span = span
        self._tally = tally
        self._meter = meter
        self._monotonic = monotonic
        self._sound: Feeder | None = None
        self._timer = WallClock(monotonic=monotonic)
        self._clock: Clock = self._timer
        self._begun = self._ended = self._stalled = self._held = False
        self._standing = True
        self._waiting: Picture | None = None
        """The picture that comes next; before the film begins, the first."""

        self._away: Quit | OtherFilm | Open | None = None
        """What the viewer wants in the place of this film."""

        self._within: SeekTo | OtherSound | None = None
        """What the viewer wants of this film that is not to be had where it is."""

        self._sprites: list[Sprite] | None = None
        self._full_screen = viewer.full_screen
        self._start, self._end = -math.inf, 0.0
        """Media times between which the picture on the screen is meant to be there."""

        self.time = NOT_BEGUN
        """Media time as the loop last saw it. Other threads may look."""

        self.position = span.start if at is None else span.inside(at)
        """Where the film is, as the viewer sees it: also before it begins."""

    @property
    def leave(self) -> Leave | None:
        """Why the film is to be left."""
        return self._within if self._away is None else self._away

    def stay(self) -> None:
        """The viewer cannot have another film yet, or comes back to this one."""
        self._away = None

    def run(
        self, pictures: Pictures, sound: Feeder | None, *, stop: float | None = None
    ) -> Leave | None:
        """Play; None at the end of the film or at ``stop``, a media time.

        Called again, with the same, after ``stay`` it goes on where it was left. Without sound
        the film runs by the wall clock, that is by ``monotonic``.
        """
        self._sound = sound
        if not self._begun:
            self._preroll(pictures)
        while self.leave is None:
            if sound is not None:
                sound.feed(pad=self._waiting is not None or pictures.ready)
            if self._waiting is None and not self._ended and pictures.ready:
                self._advance(pictures)
            self.time = now = self._clock.now()
            self.position = max(now, self._start)  # sound may have begun before it
            rest, waiting = math.inf, self._waiting
            if self._stalled:
                self._stall(not pictures.full)
            elif self._viewer.paused:
                pass
            elif waiting is not None:
                rest = wait_for(waiting.frame, now=now)
                if is_over(waiting.frame, now=now) and pictures.ready and not self._ended:
                    if self._advance(pictures):
                        self._tally.miss(waiting, interval=self._display.interval)
                        continue
                    self._waiting = waiting
                if rest <= 0:
                    self._show(waiting)
                    self._record.skew.append(self._clock.now() - float(waiting.frame.pts))
                    self._waiting = None
            elif self._ended:
                rest = self._last_moment(stop) - now
                if rest <= 0:
                    return None
            else:
                self._stall(now > self._end + STALL)
            self._mind(rest)
        return self.leave

    def wait(self, made: Made, *, naming: str = "") -> Leave | None:
        """Stand and mind the viewer until something is there; returns why the film is left, if it
        is. ``naming``: what is shown where it takes long.

        Who wants to go elsewhere in the film goes there after that.
        """
        self._held, since = True, self._monotonic()
        while not made.ready and self._away is None:
            if self._monotonic() - since >= LONG_WAIT:
                self._viewer.waits_for = naming
            self._mind(math.inf)
        self._held, self._viewer.waits_for = False, STALLED if self._stalled else ""
        return self.leave

    def _advance(self, pictures: Pictures) -> bool:
        """Take the next picture, which is there; False where there is none any more."""
        self._waiting = next(pictures, None)
        self._ended = self._waiting is None
        return not self._ended

    def _preroll(self, pictures: Pictures) -> None:
        """Show the first picture as soon as it is there; begin once others and the sound are."""
        since: float | None = None
        while self.leave is None:
            first = self._waiting
            if pictures.ready and (first is None or first.early):
                if not self._advance(pictures):
                    self._begun = True
                    return
                first = self._waiting
                assert first is not None
                self.position = float(first.frame.pts)
                self._show(first)
                # A window that was just opened has much to see to before time may run.
                self._mind(0)
            if first is not None and not first.early and pictures.full:
                since = self._monotonic() if since is None else since
                if self._monotonic() - since >= PREROLL or self._sound_is_there():
                    self._begin(first.frame)
                    return
            self._mind(math.inf)

    def _sound_is_there(self) -> bool:
        return self._sound is None or self._sound.first() is not None or self._sound.ended

    def _begin(self, first: Frame) -> None:
        self._begun, self._waiting = True, None
        start = first.pts
        self._timer = WallClock(start=float(start), monotonic=self._monotonic)
        self._clock = self._timer
        if self._sound is not None:
            heard = self._sound.first()
            start = start if heard is None else min(start, heard)
            self._sound.begin(start)
            self._sound.feed(pad=True)
            self._clock = AudioClock(self._sound.heard, step=self._sound.step, timer=self._timer)
        self.time = float(start)
        self._run_or_stand()

    def _show(self, picture: Picture) -> None:
        frame, viewer = picture.frame, self._viewer
        viewer.split = "" if picture.plain is None else picture.by
        self._cover()
        self._meter.note(
            "present",
            lambda: self._display.show(frame, beside=picture.plain, divider=viewer.divider),
        )
        self._start, self._end = float(frame.pts), float(frame.pts + frame.duration)
        self._record.on_screen = picture
        if not picture.early:
            self._record.show(self._monotonic())
        self._record.first_by.setdefault(picture.by, self._monotonic())

    def _last_moment(self, stop: float | None) -> float:
        """When to end, once the last picture is on the screen: sound may go on after it."""
        end = self._end if self._sound is None else max(self._end, float(self._sound.end))
        return end if stop is None else min(end, stop)

    def _stall(self, stalled: bool) -> None:
        if stalled != self._stalled:
            self._stalled = stalled
            self._record.stalls += stalled
            self._viewer.waits_for = STALLED if stalled else ""

    @property
    def _is_to_stand(self) -> bool:
        return self._viewer.paused or self._stalled or self._held

    def _run_or_stand(self) -> None:
        self._standing = self._is_to_stand
        parts: list[WallClock | Feeder] = [self._timer]
        if self._sound is not None:
            parts.append(self._sound)
        for part in parts:
            if self._standing:
                part.stand()
            else:
                part.go()
        if not self._standing:
            self._record.go_on()

    def _mind(self, rest: float) -> None:
        """Rest until the viewer does something, and see to it."""
        viewer, area = self._viewer, self._display.area
        if self._cover() and rest > SHORT_REST:
            self._display.refresh()
        for event in self._display.events(min(max(rest, 0), POLL)):
            self._heed(viewer.obey(event, time=self.position, span=self._span, area=area))
        self._attend()
        if viewer.full_screen != self._full_screen:
            self._full_screen = viewer.full_screen
            self._display.toggle_full_screen()
        if self._sound is not None:
            self._sound.set_loudness(viewer.loudness)
        if self.time != NOT_BEGUN and self._standing != self._is_to_stand:
            self._run_or_stand()

    def _heed(self, leave: Leave | None) -> None:
        """Of several reasons to leave in one rest the last one counts, but another film comes
        before another place in this one, and quitting is final.

        The next seek goes on from where the one before it leads to, so does a step to another
        film or sound, and of films that are dropped together one is played after the other.
        """
        if leave is None or isinstance(self._away, Quit):
            return
        match leave:
            case OtherFilm(step):
                before = self._away.step if isinstance(self._away, OtherFilm) else 0
                step_in_all = self._viewer.reach(before + step)
                if step_in_all is not None or before:  # there and back is nowhere
                    self._away = step_in_all
            case Open(where) if isinstance(self._away, Open):
                self._away = Open(self._away.where, then=(*self._away.then, where))
            case Quit() | Open():
                self._away = leave
            case SeekTo(time):
                if not isinstance(self._within, OtherSound):  # which goes there as well
                    self._within = leave
                self.position = self._span.inside(time)
            case OtherSound(step):
                before = self._within.step if isinstance(self._within, OtherSound) else 0
                self._within = OtherSound(before + step)

    def _cover(self) -> bool:
        """Lay over the film what the viewer is to see; whether that changed."""
        sprites = self._viewer.sprites(time=self.position, span=self._span, area=self._display.area)
        self._display.divide(self._viewer.divider)
        if sprites == self._sprites:
            return False
        self._sprites = sprites
        self._display.cover(sprites)
        return True
