"""Where networks are run in less than float32: where that is faster, and not seen.

Faster by measurement, once, and kept, never by the name of a processor: the same instructions are
worth much on one and nothing on another. Not seen by the card of the network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from vidlift import models
from vidlift.errors import ModelError
from vidlift.models import Model, family
from vidlift.player import calibration
from vidlift.player.calibration import Pairwise, Speeds
from vidlift.sources.synthetic import SyntheticSource
from vidlift.stages.pair import Pair, pair
from vidlift.upscaler import Upscaler

MIXED = "openvino-mixed"
"""The engine in which inner layers are in bfloat16, of networks whose cards allow it."""

INT8 = "int8"
"""What the names of networks end with whose inner layers are in 8 bits."""

OPEN_TO_IT = ("auto", "cpu")
"""Engines that leave the precision to us."""

SIZE = 320, 180
"""Width and height of the pictures that all are tried on."""

TRIED = ("m", "s", "l", "xl", "xs")
"""Tiers of the network that all are tried on: the first that there is. ``xs`` is nothing but
ends."""

WORTH = 0.9
"""Share of the time of what loses less that a precision may take at most to be used."""

MOVED = 1
"""Code values by which bfloat16 may move a sample of the held-out pictures at most."""

FLOAT32 = "float32"
"""What their times are measured against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    open: Callable[[], Upscaler]

    key: str
    """Under what its share of float32's time is kept."""


def allowed(model: Model) -> bool:
    """Whether the card of a shipped network says that mixed precision moves no sample by more
    than ``MOVED``. A network that is not shipped, or has no such figure, is not."""
    name = model.descriptor.name
    card = (models.card(name) or {}) if name in models.names() else {}
    found = card.get("figures", {}).get("mixed", {}) if card.get("sha256") == model.sha256 else {}
    return bool(found.get("largest", math.inf) <= MOVED)


def worth(engine: str, *, threads: int | None, speeds: Speeds) -> tuple[str, ...]:
    """Of ``MIXED`` and ``INT8`` what is worth it here where ``engine`` is asked for, the better
    first. ``MIXED`` loses nothing: to be better, 8 bits have to save as much again.

    Measured on one network, in a second or so, unless ``speeds`` knows.
    """
    tries = _tries(engine, threads=threads)
    if any(speeds.get(each.key) is None for each in tries.values()):
        for way, share in _shares(tries, engine=engine, threads=threads).items():
            speeds.put(tries[way].key, share)
        speeds.save()
    shares = {way: speeds.get(each.key) or math.inf for way, each in tries.items()}
    mixed, int8 = (shares.get(way, math.inf) for way in (MIXED, INT8))
    order = (INT8, MIXED) if int8 <= WORTH * mixed else (MIXED, INT8)
    return tuple(way for way in order if shares.get(way, math.inf) <= WORTH)


def known(engine: str, *, threads: int | None, speeds: Speeds) -> bool:
    """Whether ``worth`` has an answer without measuring."""
    tries = _tries(engine, threads=threads)
    return all(speeds.get(each.key) is not None for each in tries.values())


def best(names: Sequence[str], ways: Sequence[str]) -> str:
    """Which of a network as it was trained, the first, and its variants to use where ``ways`` are
    worth it."""
    plain, *variants = names
    model = models.load(plain)
    for way in ways:
        if way == MIXED and allowed(model):
            break
        if way == INT8 and (found := f"{plain}-{INT8}") in variants:
            return found
    return plain


def _shares(tries: Mapping[str, _Try], *, engine: str, threads: int | None) -> dict[str, float]:
    """Their times over that of float32, of as many as there was time for."""
    network = _tried()
    assert network is not None
    ways: dict[str, Callable[[], Pairwise]] = {
        FLOAT32: partial(Upscaler, models.load(network), engine=engine, threads=threads),
        **{way: each.open for way, each in tries.items()},
    }
    found = calibration.measure(ways.items(), pair=_probe(), lasts=math.inf)
    return {way: found[way] / found[FLOAT32] for way in tries if way in found}


def _tries(engine: str, *, threads: int | None) -> dict[str, _Try]:
    """What there is to try of ``MIXED`` and ``INT8``; nothing where there is no choice."""
    network = _tried()
    if engine not in OPEN_TO_IT or network is None:
        return {}
    found = {}
    for way, name, asked in ((MIXED, network, MIXED), (INT8, f"{network}-{INT8}", engine)):
        if name not in models.names():
            continue
        open_it = partial(Upscaler, models.load(name), engine=asked, threads=threads)
        try:
            with open_it() as upscaler:
                runs_on = upscaler.engine
        except ModelError:
            continue
        key = calibration.key(
            sha256=f"{network} share",
            engine=f"{runs_on}, {way}",
            size=SIZE,
            bits=8,
            threads=threads,
        )
        found[way] = _Try(open=open_it, key=key)
    return found


def _tried() -> str | None:
    """The network that all are tried on, as trained; None where there is none."""
    there = [member for name in models.names() if (member := family.parse(name))]
    plain = [member for member in there if not member.variant]
    best = min(plain, key=lambda m: (TRIED.index(m.tier), -m.scale), default=None)
    return None if best is None else best.name


def _probe() -> Pair:
    made = SyntheticSource(width=SIZE[0], height=SIZE[1], frames=2)
    return next(pair(islice(made, 2)))
