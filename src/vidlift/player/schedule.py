"""What becomes of a frame: shown when, made bigger by what, or dropped, and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from vidlift.client.gains import WORTH
from vidlift.frame import Frame
from vidlift.pipeline import Meter
from vidlift.player.governor import LATE, Choice, Governor, Rung
from vidlift.player.shelf import Network, Shelf
from vidlift.stages.pair import Pair

LOADING = "its network is being loaded"
LITTLE_GAIN = "little to gain"
BUSY = "the screen was busy"
TOO_MANY = "more than the screen shows a second"

NEARLY = 0.98
"""Share of the screen's interval that a frame may last less: rates are told in whole numbers."""

NOT_BEGUN = -math.inf
"""The media time before playback begins: everything is early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A frame on its way to the screen."""

    frame: Frame
    by: str
    """Name of the model that made it bigger."""

    early: bool = False
    """Shown for the moment: the same frame, made better, comes next."""

    plain: Frame | None = None
    """The same by plain interpolation, where both are to be seen side by side."""

    late: bool = False
    """Whether its time had come before it was made."""


Trial = Callable[[Pair], Iterator[Picture]]
"""What is to be seen of the first pair while it is found out what this machine has time for."""

Gain = Callable[[Frame, str], float | None]
"""Decibels over interpolation that a network, by name, gains on a frame; None: not known."""


def wait_for(frame: Frame, *, now: float) -> float:
    """Seconds until ``frame`` is due; 0 or less: show it."""
    return float(frame.pts) - now


def is_over(frame: Frame, *, now: float) -> bool:
    """Whether the time of ``frame`` has passed, so that the next one should be seen."""
    return frame.duration > 0 and now >= float(frame.pts + frame.duration)


class Tally:
    """What happened to the frames of a run, by reason, as receipts want it."""

    NOTED_MAX = 100
    """Drops that are noted one by one."""

    def __init__(self) -> None:
        self.made_by: Counter[str] = Counter()
        """Frames by the model that made them bigger."""

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

    def miss(self, picture: Picture, *, interval: float) -> None:
        """Drop a picture whose time was over when the screen was free for it. ``interval``: as
        ``Window`` tells it."""
        frame = picture.frame
        too_many = 0 < frame.duration < NEARLY * interval
        self.drop(frame, LATE if picture.late else TOO_MANY if too_many else BUSY)


@dataclass(slots=True, kw_only=True)
class Wish:
    """What the viewer wants of the pictures. Set by one thread, looked at by another."""

    side_by_side: bool = False
    """Plain interpolation beside what the network makes."""


def enlarge(
    pairs: Iterable[Pair],
    *,
    shelf: Shelf,
    governor: Governor,
    tally: Tally,
    meter: Meter,
    wish: Wish,
    gain: Gain | None = None,
    trial: Trial | None = None,
    hurry: bool = False,
) -> Iterator[Picture]:
    """Yield the frames of the pairs, made bigger by what the governor chooses.

    Before the first, what it needs is loaded; what a later step needs is loaded beside the film:
    until it is there a step up leaves things as they are, and after a step down, should that come
    so soon, pairs are interpolated. Where ``gain`` knows that a network gains next to nothing on a
    pair, that is interpolated, too. In a ``hurry``, after a seek, the first frame is given
    interpolated, early, before all else; so are the pictures of a ``trial``.
    """
    first, busy = True, tally.dropped[BUSY]
    for pair in pairs:
        if first and trial is not None:
            yield from trial(pair)
        if governor.skip(pair):
            for frame in pair.frames:
                tally.drop(frame, LATE)
            continue
        before, busy = busy, tally.dropped[BUSY]
        choice = governor.choose(pair, missed=busy > before)
        plain = governor.plain()
        choice = _worth_it(choice, plain, pair, gain)
        shelf.have(plain, pair)
        if first:
            first = False
            if hurry:
                quick, _ = shelf.take(plain, pair).pair(pair.first, pair.first)
                yield Picture(frame=quick, by=plain.name, early=True)
            if choice.bypass is None:
                shelf.take(choice.rung, pair)
        choice, network = _at_hand(choice, plain, shelf, pair)
        shelf.have_below(governor.below, pair)
        if choice.bypass is not None:
            tally.bypass(pair, choice.bypass)
        tally.made_by[choice.rung.name] += len(pair.frames)
        yield from _make(choice, network, plain, shelf, pair, governor, meter, wish)


def _worth_it(choice: Choice, plain: Rung, pair: Pair, gain: Gain | None) -> Choice:
    """The choice, or plain interpolation where the network is known to gain too little."""
    if choice.bypass is None and gain is not None:
        found = gain(pair.first, choice.rung.name)
        if found is not None and found < WORTH:
            return Choice(rung=plain, bypass=LITTLE_GAIN)
    return choice


def _at_hand(choice: Choice, plain: Rung, shelf: Shelf, pair: Pair) -> tuple[Choice, Network]:
    """The choice and its network; while that is being loaded, what stands in for it."""
    network = shelf.offer(choice.rung, pair)
    if network is not None:
        return choice, network
    if held := shelf.meanwhile(choice.rung):
        return Choice(rung=held[0]), held[1]
    return Choice(rung=plain, bypass=LOADING), shelf.take(plain, pair)


def _make(
    choice: Choice,
    network: Network,
    plain: Rung,
    shelf: Shelf,
    pair: Pair,
    governor: Governor,
    meter: Meter,
    wish: Wish,
) -> Iterator[Picture]:
    """The pair's frames, bigger. A generator of its own: nothing is held when it has ended."""
    stage = "upscale pair" if choice.bypass is None else "bicubic pair"
    made = meter.note(stage, lambda: network.pair(pair.first, pair.second))
    governor.took(choice.rung, meter.seconds[stage][-1], work=network.work)
    beside: tuple[Frame | None, ...] = (None, None)
    if wish.side_by_side and choice.rung.scale == plain.scale > 1:
        other = shelf.take(plain, pair)
        beside = meter.note("bicubic beside", lambda: other.pair(pair.first, pair.second))
    now = governor.now()  # what is made may have to wait before it is taken
    for index, frame in enumerate(pair.frames):
        late = wait_for(frame, now=now) <= 0
        yield Picture(frame=made[index], by=choice.rung.name, plain=beside[index], late=late)
