"""A player's surroundings without a clock, a screen or a loudspeaker: time moves when it rests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from support.frames import make_frame
from vidlift.frame import Frame
from vidlift.pipeline import Meter
from vidlift.player.leave import Leave
from vidlift.player.loop import Loop, Record
from vidlift.player.schedule import Picture, Tally
from vidlift.player.sound import Feeder
from vidlift.player.viewer import Span, Viewer
from vidlift.sinks.events import Event, Key
from vidlift.sinks.window import Sprite
from vidlift.sources.split import RATE, SoundChunk

STEP = 1024
"""Samples that the made-up device takes at a time."""


@dataclass
class World:
    """The time, and what is to happen when."""

    now: float = 0.0
    keys: list[tuple[float, Event]] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def press(self, at: float, *names: str) -> None:
        """Keys to be pressed at a time, in order of time."""
        self.keys += [(at, Key(name)) for name in names]


class FakeDisplay:
    """Notes what is shown when; each rest moves the world's time."""

    def __init__(self, world: World, *, present: float = 0.002) -> None:
        self._world = world
        self._present = present
        self.area = (640, 360)
        self.interval = 0.0
        self.shown: list[tuple[float, Frame]] = []
        """When each picture was on the screen, and which."""

        self.beside: list[Frame | None] = []
        self.sprites: Sequence[Sprite] = ()
        self.refreshed = 0
        self.full_screen = False
        self.divider: float | None = None

    @property
    def times(self) -> list[float]:
        return [time for time, _ in self.shown]

    @property
    def pts(self) -> list[Fraction]:
        return [frame.pts for _, frame in self.shown]

    def show(
        self, frame: Frame, *, beside: Frame | None = None, divider: float | None = None
    ) -> None:
        self.shown.append((self._world.now, frame))
        self.beside.append(beside)
        self._world.now += self._present

    def divide(self, divider: float) -> None:
        self.divider = divider

    def cover(self, sprites: Sequence[Sprite]) -> None:
        self.sprites = sprites

    def refresh(self) -> None:
        self.refreshed += 1

    def events(self, wait: float) -> Iterator[Event]:
        self._world.now += max(wait, 0.001)
        while self._world.keys and self._world.keys[0][0] <= self._world.now:
            yield self._world.keys.pop(0)[1]

    def toggle_full_screen(self) -> None:
        self.full_screen = not self.full_screen


class FakePictures:
    """Pictures that are ready at times given; the queue holds four."""

    def __init__(
        self, world: World, pictures: Sequence[Picture], ready_at: Callable[[int], float]
    ) -> None:
        self._world = world
        self._pictures = pictures
        self._ready_at = ready_at
        self._next = 0

    @property
    def ready(self) -> bool:
        return self._made > self._next or self._next == len(self._pictures)

    @property
    def full(self) -> bool:
        return self._made >= min(self._next + 4, len(self._pictures))

    @property
    def _made(self) -> int:
        count = self._next
        end = min(self._next + 4, len(self._pictures))
        while count < end and self._ready_at(count) <= self._world.now:
            count += 1
        return count

    def __iter__(self) -> Iterator[Picture]:
        return self

    def __next__(self) -> Picture:
        assert self.ready, "the loop is not to wait"
        if self._next == len(self._pictures):
            raise StopIteration
        self._next += 1
        return self._pictures[self._next - 1]


class FakeSpeaker:
    """A device that takes ``STEP`` samples at a time, at its own idea of a second."""

    step = STEP / RATE

    def __init__(self, world: World, *, rate: float = RATE) -> None:
        self._world = world
        self._rate = rate
        self._left = 0.0
        self._at = 0.0
        self._paused = True
        self._total = 0
        self.taken: list[NDArray[np.int16]] = []
        """What was pushed, as far as it was not replaced."""

    def push(self, samples: NDArray[np.int16]) -> None:
        self._go_on()
        self.taken.append(samples)
        self._total += len(samples)
        self._left += len(samples)

    def queued(self) -> float:
        self._go_on()
        return self._queue() / RATE

    def replace(self, make: Callable[[int], NDArray[np.int16]]) -> None:
        self._go_on()
        count = self._queue()
        if count:
            whole = np.concatenate(self.taken)
            self.taken = [whole[:-count]]
        self._total -= count
        self._left -= count
        made = make(count)
        if len(made):
            self.push(made)

    def pause(self, paused: bool) -> None:
        self._go_on()
        self._paused = paused

    def _queue(self) -> int:
        """Samples that were not taken: the device takes whole steps."""
        steps = -(-(self._total - self._left) // STEP) * STEP
        return max(0, int(self._total - steps))

    def _go_on(self) -> None:
        passed = self._world.now - self._at
        self._at = self._world.now
        if not self._paused:
            self._left = max(0.0, self._left - passed * self._rate)


class FakeChunks:
    """Sound that is all there: half a second of a ramp a chunk."""

    def __init__(self, chunks: Sequence[SoundChunk]) -> None:
        self._chunks = iter(chunks)

    ready = True

    def __iter__(self) -> Iterator[SoundChunk]:
        return self

    def __next__(self) -> SoundChunk:
        return next(self._chunks)


def film(
    frames: int, *, rate: Fraction | int = 24, start: Fraction | int = 0, early: bool = False
) -> list[Picture]:
    """Pictures at a constant rate; ``early``: the first is given twice."""
    lasts = 1 / Fraction(rate)
    frame = make_frame(size=(16, 16), duration=lasts)
    made = [Picture(frame=replace(frame, pts=start + i * lasts), by="m-x4") for i in range(frames)]
    if early:
        first = Picture(frame=made[0].frame, by="bicubic-x4", early=True)
        return [first, *made]
    return made


def sound(seconds: float, *, start: Fraction | int = 0) -> list[SoundChunk]:
    """Chunks of a tenth of a second; each sample is its number, modulo 10000."""
    count = RATE // 10
    return [
        SoundChunk(
            samples=np.repeat(
                (np.arange(i * count, (i + 1) * count) % 10_000).astype(np.int16)[:, None], 2, 1
            ),
            pts=Fraction(start) + Fraction(i, 10),
        )
        for i in range(round(seconds * 10))
    ]


class Player:
    """A loop and all that it stands in."""

    def __init__(self, *, speaker_rate: float | None = None, present: float = 0.002) -> None:
        self.world = World()
        self.display = FakeDisplay(self.world, present=present)
        self.messages: dict[float, str] = {}
        """What was being waited for, by time of the world."""

        self.viewer = Viewer(monotonic=self.world.monotonic)
        self.record, self.tally = Record(), Tally()
        self.speaker = None if speaker_rate is None else FakeSpeaker(self.world, rate=speaker_rate)

    def play(
        self,
        pictures: list[Picture],
        *,
        ready_at: Callable[[int], float] = lambda _index: 0.0,
        seconds_of_sound: float = 0,
        stop: float | None = None,
        at: float | None = None,
        sound_from: Fraction | None = None,
    ) -> Leave | None:
        """``sound_from``: when the sound begins; None: with the pictures."""
        last = pictures[-1].frame
        self.loop = Loop(
            self.display,
            self.viewer,
            self.record,
            span=Span(start=float(pictures[0].frame.pts), end=float(last.pts + last.duration)),
            tally=self.tally,
            meter=Meter(self.world.monotonic),
            attend=self._attend,
            at=at,
            monotonic=self.world.monotonic,
        )
        feeder = None
        if self.speaker is not None:
            start = pictures[0].frame.pts if sound_from is None else sound_from
            feeder = Feeder(FakeChunks(sound(seconds_of_sound, start=start)), self.speaker)
        given = FakePictures(self.world, pictures, ready_at)
        self.go_on = partial(self.loop.run, given, feeder, stop=stop)
        """Plays on, once ``play`` has returned and the viewer stays."""

        return self.go_on()

    def _attend(self) -> None:
        self.messages[self.world.now] = self.viewer.waits_for
