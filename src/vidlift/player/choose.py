"""What makes a film bigger: the options, the screen and the power decide; a plan foretells it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from vidlift import models
from vidlift.descriptor import SCALES
from vidlift.errors import UsageError
from vidlift.player.film import Film
from vidlift.player.governor import Governor
from vidlift.player.ladder import Engines, Ladders, fitting_scale, network_scales
from vidlift.player.options import PlayOptions
from vidlift.player.power import on_battery
from vidlift.player.schedule import NOT_BEGUN
from vidlift.player.shelf import Shelf
from vidlift.stages.pair import pair

NO_SCREEN = (1920, 1080)
"""The screen that ``-s auto`` fits where there is none."""

FRAMES_AHEAD = 3
"""Finished frames that wait for their time: what a burst of work may take longer."""

ECO_TIER = "s"
"""Highest tier on battery, or where the viewer asks for it."""


class Chooser:
    """What makes a film bigger: networks by cost, and the governor over them."""

    def __init__(self, film: Film, options: PlayOptions) -> None:
        self._film = film
        self._options = options
        self._model = None if options.model is None else models.load(options.model)
        if self._model is not None:
            scale = self._model.descriptor.scale
            if options.scale not in (None, scale):
                name = self._model.descriptor.name
                raise UsageError(f"model {name} is for scale {scale}, not {options.scale}")
        self.ladders = Ladders(
            film.info,
            engines=Engines(engine=options.engine, threads=options.threads),
            model=self._model,
        )
        self.shelf = Shelf(self.ladders.open)

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

    def scale(self, area: tuple[int, int]) -> int:
        """The scale for an area to fill."""
        if self._model is not None:
            return self._model.descriptor.scale
        if self._options.scale is not None:
            return self._options.scale
        found = fitting_scale(self._film.shown_size, area, scales=network_scales() or SCALES)
        return found

    def cap(self) -> tuple[str, str] | None:
        """The tier not to go beyond, and why."""
        if self._model is not None:
            return None
        if self._options.eco:
            return ECO_TIER, "to save power"
        return (ECO_TIER, "on battery") if on_battery() else None

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

    rows: tuple[tuple[str, float, str], ...]
    """For each candidate: name, milliseconds a frame, and what speaks for or against it."""


def plan(where: str, options: PlayOptions | None = None) -> Plan:
    """Open and measure all that ``play`` would, but show nothing."""
    options = options or PlayOptions()
    with closing(Film(where)) as film, closing(Chooser(film, options)) as chooser:
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
                (rung.name, round(cost * 500, 2), verdict)
                for rung, cost, verdict in governor.verdicts(lasts)
            ),
        )
