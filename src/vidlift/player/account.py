"""What came of a run of the player, over all its films: the figures over them, and the receipt."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vidlift.pipeline import Meter
from vidlift.player import overlay
from vidlift.player.choose import Chooser
from vidlift.player.film import Film
from vidlift.player.governor import Change, Governor
from vidlift.player.ladder import AS_IT_IS, Ladders, is_network
from vidlift.player.loop import Record
from vidlift.player.power import EnergyMeter
from vidlift.player.schedule import Tally
from vidlift.receipt import Receipt, stage_times
from vidlift.sources import shown_name
from vidlift.system import peak_memory_mb, process_age


class Account:
    """Begins with the run. The parts are filled in by whoever does the work."""

    def __init__(self) -> None:
        self.record, self.tally, self.meter = Record(), Tally(), Meter()
        self.energy = EnergyMeter()
        self.played = 0
        """Films that were played until they ended or were left."""

        self.saved: Path | None = None
        """The file that was made of what was received."""

        self._warnings: list[str] = []
        self._lost: Counter[str] = Counter()
        self._changes: list[Change] = []
        self._received = 0
        self._network: list[dict[str, Any]] = []
        self._ran: dict[str, Ladders] = {}
        """Where each network was used, in films that were left."""

        self._left: Film | None = None
        self._loaded = process_age()
        self._begun = time.monotonic()

    def warn(self, warning: str) -> None:
        """Something for the receipt to say, once however often it happens."""
        if warning not in self._warnings:
            self._warnings.append(warning)

    def leave(self, film: Film, chooser: Chooser, governor: Governor) -> None:
        """Note what is to be known of a film that is left."""
        self._left = film
        self._ran |= {name: chooser.ran(name) for name in chooser.engines}
        self._lost.update(film.lost)
        self._received += film.received or 0
        self._network += [film.network] if film.network else []
        self._changes += governor.changes

    def rows(self, film: Film, chooser: Chooser, governor: Governor) -> overlay.Rows:
        """The figures of the overlay."""
        record, picture = self.record, self.record.on_screen
        lasts = chooser.ladders.pair_lasts
        (width, height), seen = chooser.size, governor.seen
        rows = [("film", f"{width}x{height}, {2 / lasts:.3g} frames/s")]
        if picture is not None:
            by = picture.by
            engine = chooser.ran(by).engine_of.get(by, "")
            rows.append(("shown", f"{picture.frame.width}x{picture.frame.height} by {by}"))
            rows += [("engine", engine)] if engine else []
            if by in seen and by != AS_IT_IS:
                took = 500 * float(np.median(seen[by][-24:]))
                rows.append(("network", f"{took:.1f} ms a frame of {500 * lasts:.1f}"))
        for stage in ("decode", "present"):
            if seconds := self.meter.seconds.get(stage):
                rows.append((stage, f"{1000 * float(np.median(seconds[-48:])):.1f} ms"))
        if record.rate is not None:
            rows.append(("rate", f"{record.rate:.1f} frames/s"))
        rows.append(("dropped", str(sum(self.tally.dropped.values()))))
        rows.append(("bypassed", str(sum(self.tally.bypassed.values()))))
        if skew := record.off_clock(last=240):
            rows.append(("skew", f"{skew['p95']:.1f} ms"))
        if (peak := peak_memory_mb()) is not None:
            rows.append(("memory", f"{peak:.0f} MB at most"))
        passed = max(time.monotonic() - self._begun, 1e-3)
        if film.received is not None:
            received = self._received + (0 if film is self._left else film.received)
            rows.append(("received", f"{8e-6 * received / passed:.2f} Mbit/s"))
        joules = self.energy.joules()
        if joules is not None:
            rows.append(("power", f"{joules / passed:.1f} W"))
        return rows

    def receipt(
        self,
        films: Sequence[str],
        chooser: Chooser,
        governor: Governor,
        *,
        display: str,
        clock: str,
    ) -> Receipt:
        """The receipt of the run, all films of which were left; chooser, governor and clock are
        those of the last that was played.
        """
        record, tally = self.record, self.tally
        seconds = time.monotonic() - self._begun
        by = max(tally.made_by, key=lambda name: tally.made_by[name], default=None)
        networks = [name for name in tally.made_by if is_network(name)]
        main = max(networks, key=lambda name: tally.made_by[name], default=by)
        ladders = self._ran.get(main or "", chooser.ladders)
        info, engine = ladders.info, ladders.engine_of.get(main or "")
        model = None if engine is None or main is None else ladders.model(main)
        enlarged = 1 if main == AS_IT_IS else governor.scale
        scale = model.descriptor.scale if model else enlarged
        joules = self.energy.joules()
        networks_first = [  # those of a trial too, which are seen before there is a choice
            at for by, at in record.first_by.items() if is_network(by)
        ]
        return Receipt(
            command="play",
            input=", ".join(dict.fromkeys(map(shown_name, films))),
            output=None if self.saved is None else str(self.saved),
            model=None if model is None else model.descriptor.name,
            model_sha256=None if model is None else model.sha256,
            engine=engine,
            scale=scale,
            size_in=(info.width, info.height),
            size_out=(info.width * scale, info.height * scale),
            frames_in=len(self.meter.seconds.get("decode", ())),
            frames_out=record.shown,
            repeated=record.stalls,
            bypassed=dict(tally.bypassed),
            dropped=dict(tally.dropped),
            seconds=round(seconds, 3),
            fps=round(record.shown / seconds, 2),
            stages=stage_times(self.meter),
            warnings=(*self._warnings, *(f"{n} x {why}" for why, n in self._lost.items())),
            extra={
                "display": display,
                "clock": clock,
                "skew_ms": record.off_clock(),
                "drops": tally.drops,
                "made_by": dict(tally.made_by),
                "engines": {name: each.engine_of[name] for name, each in self._ran.items()},
                "changes": [asdict(change) for change in self._changes],
                "first_picture_s": self._after(record.first_by.values()),
                "first_super_resolved_s": self._after(networks_first),
                "loaded_s": self._loaded,
                "films_played": self.played,
                "joules_per_second": None if joules is None else round(joules / seconds, 2),
                "bytes_received": self._received or None,
                "network": self._network,
                **chooser.choice,
            },
        )

    def _after(self, moments: Iterable[float]) -> float | None:
        """Seconds from the beginning to the first of some moments."""
        first = min(moments, default=None)
        return None if first is None else round(first - self._begun, 3)
