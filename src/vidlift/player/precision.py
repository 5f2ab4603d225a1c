"""Where networks are run with their inner layers in bfloat16: where that is faster, and not seen.

Faster by measurement, once, and kept, never by the name of a processor: the same instructions are
worth much on one and nothing on another. Not seen by the card of the network.
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

MOVED = 1
"""Code values by which bfloat16 may move a sample of the held-out pictures at most."""

Open = Callable[[str], Pairwise]
"""Opens the network that is tried in an engine by name."""


def allowed(model: Model) -> bool:
    """Whether the card of a shipped network says that mixed precision moves no sample by more
    than ``MOVED``. A network that is not shipped, or has no such figure, is not."""
    name = model.descriptor.name
    card = (models.card(name) or {}) if name in models.names() else {}
    found = card.get("figures", {}).get("mixed", {}) if card.get("sha256") == model.sha256 else {}
    return bool(found.get("largest", math.inf) <= MOVED)


def faster(engine: str, *, threads: int | None, speeds: Speeds) -> bool:
    """Whether mixed precision is worth it here where ``engine`` is asked for.

    Measured on a small network, in a second or so, unless ``speeds`` knows.
    """
    question = _question(engine, threads=threads)
    if question is None:
        return False
    network, key = question
    share = speeds.get(key)
    if share is None:
        share = measured(
            lambda engine: Upscaler(network, engine=engine, threads=threads), engine=engine
        )
        if share is None:
            return False
        speeds.put(key, share)
        speeds.save()
    return share <= WORTH


def known(engine: str, *, threads: int | None, speeds: Speeds) -> bool:
    """Whether ``faster`` has an answer without measuring."""
    question = _question(engine, threads=threads)
    return question is None or speeds.get(question[1]) is not None


def _question(engine: str, *, threads: int | None) -> tuple[Model, str] | None:
    """The network to try both on, and under what the answer is kept; None: there is no choice."""
    network = _tried()
    if engine not in OPEN_TO_IT or network is None:
        return None
    try:
        with Upscaler(network, engine=MIXED, threads=threads) as upscaler:
            name = upscaler.engine
    except ModelError:
        return None
    key = calibration.key(
        sha256="share of f32",
        engine=name,
        size=SIZE,
        bits=8,
        threads=threads,
    )
    return network, key


def measured(open_in: Open, *, engine: str) -> float | None:
    """Time in mixed precision over that in ``engine``; None where there was no time for both."""
    ways = ((each, lambda each=each: open_in(each)) for each in (engine, MIXED))
    found = calibration.measure(ways, pair=_probe(), lasts=math.inf)
    return found[MIXED] / found[engine] if len(found) == 2 else None


def _tried() -> Model | None:
    """A network of the lowest tier that there is, as trained; of the lowest of all only where
    there is no other: it is nothing but ends."""
    there = [member for name in models.names() if (member := family.parse(name))]
    plain = [member for member in there if not member.variant]
    order = (*TIERS[1:], TIERS[0])
    least = min(plain, key=lambda m: (order.index(m.tier), -m.scale), default=None)
    return None if least is None else models.load(least.name)


def _probe() -> Pair:
    made = SyntheticSource(width=SIZE[0], height=SIZE[1], frames=2)
    return next(pair(islice(made, 2)))
