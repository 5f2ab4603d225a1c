"""What makes a film bigger: the options, the screen and the power decide; a plan foretells it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from vidlift import models
from vidlift.descriptor import SCALES, TIERS
from vidlift.errors import UsageError
from vidlift.player import precision
from vidlift.player.calibration import Speeds
from vidlift.player.film import Film
from vidlift.player.governor import CLIMB, Governor
from vidlift.player.ladder import Engines, Ladders, fitting_scale, network_scales
from vidlift.player.options import PlayOptions
from vidlift.player.power import on_battery
from vidlift.player.schedule import NOT_BEGUN, Picture
from vidlift.player.shelf import Shelf
from vidlift.stages.pair import Pair, pair

NO_SCREEN = (1920, 1080)
"""The screen that ``-s auto`` fits where there is none."""

FRAMES_AHEAD = 2
"""Finished frames that wait for their time: what a burst of work may take longer."""

ENOUGH_PAIRS = 50
"""Pairs after which a film's own figure for a network is remembered."""

ECO_TIER = "s"
"""Highest tier on battery, or where the viewer asks for it."""


class Chooser:
    """What makes a film bigger: networks by cost, and the governor over them.

    Pictures of a film from a network change their size where its rung changes. Each size has
    ladders of its own.
    """

    def __init__(self, film: Film, options: PlayOptions) -> None:
        self._film = film
        self._options = options
        self._model = None if options.model is None else models.load(options.model)
        if self._model is not None:
            scale = self._model.descriptor.scale
            if options.scale not in (None, scale):
                name = self._model.descriptor.name
                raise UsageError(f"model {name} is for scale {scale}, not {options.scale}")
        open_to_mixed = self._model is None or precision.allowed(self._model)
        self._engines = Engines(
            engine=options.engine,
            threads=options.threads,
            speeds=Speeds(),
            ways=None if open_to_mixed else (),
        )
        self.ladders = Ladders(
            film.info,
            engines=self._engines,
            model=self._model,
        )
        self._of_size = {self.size: self.ladders}
        self._area = NO_SCREEN
        self.shelf = Shelf(self.ladders.open)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the pictures that are made bigger now."""
        return self.ladders.info.width, self.ladders.info.height

    def governor(self, now: Callable[[], float], screen: tuple[int, int]) -> Governor:
        governor = Governor(
            self.ladders.rungs,
            now=now,
            enough=self.ladders.pair_lasts,
            scale=self.scale(screen),
            on=self._options.super_resolve,
        )
        governor.cap = self.cap()
        return governor

    def sized(self, pairs: Iterable[Pair], governor: Governor) -> Iterator[Pair]:
        """The pairs as they are; where their size changes, all turns to the other size first."""
        for each in pairs:
            if each.first.size != self.size:
                self.learn(governor)
                self.ladders = self._ladders(each.first.size)
                self.shelf.turn_to(self.ladders.open)
                governor.turn_to(self.ladders.rungs, scale=self.scale(self._area))
            yield each

    def learn(self, governor: Governor) -> None:
        """Remember what the film showed networks to cost."""
        # The quarter that went best: what it costs when nothing else runs.
        self.ladders.learn(
            {
                name: float(np.percentile(seconds, 25))
                for name, seconds in governor.seen.items()
                if len(seconds) >= ENOUGH_PAIRS
            }
        )

    def trial(self, pair: Pair, governor: Governor) -> Iterator[Picture]:
        """Measure on a pair what is not known of the networks; its first frame, as each made it,
        to be seen meanwhile.
        """
        for name, frame in self.ladders.trial(governor.scale, pair):
            if governor.on or name.startswith(models.BICUBIC):
                yield Picture(frame=frame, by=name, early=True)

    @property
    def measured(self) -> bool:
        """Whether it is known what networks cost here, without waiting for it."""
        return self.ladders.known(self.scale(self._area))

    def tiers(self, width: int, height: int, *, load: float = 1.0) -> list[str]:
        """The tiers that this machine runs in time on pictures of that size, where it is ``load``
        times slower than when it was calibrated: what the choice of a rung is to know."""
        if not self._options.super_resolve:
            return []
        self.ladders.rungs(self.scale(self._area))  # measured first: others are foretold by it
        scale = self.scale(self._area, size=(width, height))
        cap = self.cap()
        allowed = TIERS if cap is None else TIERS[: TIERS.index(cap[0]) + 1]
        ladders = self._ladders((width, height))
        return [
            rung.tier
            for rung in ladders.rungs(scale)
            if rung.tier in allowed and load * rung.cost <= CLIMB * ladders.pair_lasts
        ]

    def ran(self, name: str | None) -> Ladders:
        """The ladders in which a network was used, those of now where none was."""
        used = (each for each in tuple(self._of_size.values()) if name in each.engine_of)
        return next(used, self.ladders)

    def scale(self, area: tuple[int, int], *, size: tuple[int, int] | None = None) -> int:
        """The scale for an area to fill, for pictures of a size; None: for those of now."""
        self._area = area
        if self._model is not None:
            return self._model.descriptor.scale
        if self._options.scale is not None:
            return self._options.scale
        shown = self._film.shown_as(*(size or self.size))
        return fitting_scale(shown, area, scales=network_scales() or SCALES)

    def fit(self, governor: Governor, area: tuple[int, int]) -> None:
        """Have the governor fill an area."""
        size, scale = self.size, self.scale(area)
        if size == self.size:  # it may change in the other thread
            governor.scale = scale

    def opening(self, screen: tuple[int, int]) -> tuple[int, int]:
        """Width and height of a window for the film, where a screen has room for it: what its
        largest pictures are made to, whatever it begins with."""
        largest = self._film.largest
        scale = self.scale(screen, size=largest)
        width, height = self._film.shown_as(*largest)
        return width * scale, height * scale

    def _ladders(self, size: tuple[int, int]) -> Ladders:
        if size in self._of_size:
            return self._of_size[size]
        first = next(iter(self._of_size.values()))
        info, (width, height) = first.info, size
        more = width * height / (info.width * info.height)
        rate = None if info.bit_rate is None else info.bit_rate * more
        made = Ladders(
            replace(info, width=width, height=height, bit_rate=rate),
            engines=self._engines,
            model=self._model,
            like=first,
        )
        return self._of_size.setdefault(size, made)  # another thread may have been as quick

    def cap(self) -> tuple[str, str] | None:
        """The tier not to go beyond, and why."""
        if self._model is not None:
            return None
        if self._options.eco:
            return ECO_TIER, "to save power"
        return (ECO_TIER, "on battery") if on_battery() else None

    @property
    def engines(self) -> dict[str, str]:
        """Name and version of the engine, by the network that it ran, at any size."""
        return {n: e for each in tuple(self._of_size.values()) for n, e in each.engine_of.items()}

    @property
    def choice(self) -> dict[str, str]:
        """For receipts: why these networks, where they were chosen by the stream."""
        return {} if self._model is not None else {"chosen_for": self.ladders.chosen_for}

    def close(self) -> None:
        self.shelf.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be used to play a film, and why."""

    source: str
    size: tuple[int, int]
    rate: float
    scale: int
    rung: str
    chosen_for: str | None
    """What speaks for these networks, where they were chosen by the stream."""

    rows: tuple[tuple[str, str, float, str], ...]
    """For each candidate: name, engine, milliseconds a frame, and what speaks for or against it."""


def plan(where: str, options: PlayOptions | None = None) -> Plan:
    """Open and measure all that ``play`` would, but show nothing."""
    options = options or PlayOptions()
    with (
        closing(Film(where, cached=options.cached)) as film,
        closing(Chooser(film, options)) as chooser,
    ):
        lasts = chooser.ladders.pair_lasts
        governor = chooser.governor(lambda: NOT_BEGUN, NO_SCREEN)
        first = next(iter(pair(film.frames(stop=None))))
        chosen = governor.choose(first)
        return Plan(
            source=film.name,
            size=(film.info.width, film.info.height),
            rate=round(2 / lasts, 3),
            scale=governor.scale,
            rung=chosen.rung.name,
            chosen_for=chooser.choice.get("chosen_for"),
            rows=tuple(
                (rung.name, chooser.ladders.engine(rung), round(cost * 500, 2), verdict)
                for rung, cost, verdict in governor.verdicts(lasts)
            ),
        )
