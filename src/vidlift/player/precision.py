"""Whether networks are faster here with their inner layers in bfloat16: found out once, and kept.

By measurement, never by the name of a processor: the same instructions are worth much on one and
nothing on another.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice

from vidlift import models
from vidlift.descriptor import TIERS
from vidlift.errors import ModelError
from vidlift.models import Model, family
from vidlift.player import calibration
from vidlift.player.calibration import Pairwise, Speeds
from vidlift.sources.synthetic import SyntheticSource
from vidlift.stages.pair import Pair, pair
from vidlift.upscaler import Upscaler

MIXED = "openvino-mixed"

OPEN_TO_IT = ("auto", "cpu")
"""Engines that leave the precision to us."""

SIZE = 480, 270
"""Width and height of the pictures that both are tried on."""

WORTH = 0.9
"""Share of float32's time that bfloat16 may take at most to be used."""

Open = Callable[[str], Pairwise]
"""Opens the network that is tried in an engine by name."""


def settled(engine: str, *, threads: int | None, speeds: Speeds) -> str:
    """The engine to use where ``engine`` is asked for: itself, or the same in mixed precision.

    Measured on the smallest network that is shipped, in a second or so, unless ``speeds`` knows.
    """
    network = _smallest()
    if engine not in OPEN_TO_IT or network is None:
        return engine
    try:
        with Upscaler(network, engine=MIXED, threads=threads) as upscaler:
            name = upscaler.engine
    except ModelError:
        return engine
    key = calibration.key(
        sha256="share of f32",
        engine=name,
        size=SIZE,
        bits=8,
        threads=threads,
    )
    share = speeds.get(key)
    if share is None:
        share = measured(
            lambda engine: Upscaler(network, engine=engine, threads=threads), engine=engine
        )
        if share is None:
            return engine
        speeds.put(key, share)
        speeds.save()
    return MIXED if share <= WORTH else engine


def measured(open_in: Open, *, engine: str) -> float | None:
    """Time in mixed precision over that in ``engine``; None where there was no time for both."""
    ways = ((each, lambda each=each: open_in(each)) for each in (engine, MIXED))
    found = calibration.measure(ways, pair=_probe(), lasts=math.inf)
    return found[MIXED] / found[engine] if len(found) == 2 else None


def _smallest() -> Model | None:
    """A network of the lowest tier that there is, as trained."""
    there = [member for name in models.names() if (member := family.parse(name))]
    plain = [member for member in there if not member.variant]
    least = min(plain, key=lambda m: (TIERS.index(m.tier), -m.scale), default=None)
    return None if least is None else models.load(least.name)


def _probe() -> Pair:
    made = SyntheticSource(width=SIZE[0], height=SIZE[1], frames=2)
    return next(pair(islice(made, 2)))
