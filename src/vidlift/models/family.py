"""The names of the shipped networks, taken apart: ``m-x4``, ``m-x4-clean``, ``m-x4-clean-int8``.

    m      x4       clean        int8
    tier   scale    training     a variant of the same network

A training that a tier lacks is stood in for by the one nearest to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from vidlift.descriptor import SCALES, TIERS


class Training(StrEnum):
    """What a network has seen, as its name says it."""

    CLEAN = "clean"
    """Pictures that went through no codec."""

    CODED = ""
    """What codecs leave as well, at any bit rate."""

    LOW = "low"
    """What they leave at low bit rates alone."""


STAND_IN = {
    Training.CLEAN: (Training.CLEAN, Training.CODED, Training.LOW),
    Training.CODED: (Training.CODED, Training.CLEAN, Training.LOW),
    Training.LOW: (Training.LOW, Training.CODED, Training.CLEAN),
}
"""Which trainings serve for one, the best first."""

_TRAININGS = "|".join(filter(None, Training))
_FORM = re.compile(
    rf"({'|'.join(TIERS)})-x({'|'.join(map(str, SCALES))})(?:-({_TRAININGS}))?(?:-([a-z0-9]+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What a name says."""

    name: str
    tier: str
    scale: int
    training: Training

    variant: str
    """``int8``, or empty for the network as it was trained."""


def parse(name: str) -> Member | None:
    """The parts of a name; None for one of another form."""
    found = _FORM.fullmatch(name)
    if found is None:
        return None
    tier, scale, training, variant = found.groups()
    return Member(
        name=name,
        tier=tier,
        scale=int(scale),
        training=Training(training or ""),
        variant=variant or "",
    )


def members(names: Iterable[str], *, tier: str, scale: int, training: Training) -> list[str]:
    """The networks of a tier for such a stream among ``names``: the one as trained, then variants.

    Where the training asked for is not there, those of what stands in for it; empty where the
    tier has none.
    """
    found = [m for m in map(parse, names) if m and (m.tier, m.scale) == (tier, scale)]
    for each in STAND_IN[training]:
        if wanted := [m for m in found if m.training is each]:
            return [m.name for m in sorted(wanted, key=lambda m: m.variant)]
    return []


def shipped_as(name: str, names: Iterable[str]) -> str | None:
    """What a name stands for among ``names``: itself, or what stands in for it.

    None where there is neither. ``m-x4`` says a tier and a scale, and so may stand for
    ``m-x4-clean``; a name that says more than that stands for itself alone.
    """
    there = set(names)
    if name in there:
        return name
    member = parse(name)
    if member is None or member.training or member.variant:
        return None
    others = members(there, tier=member.tier, scale=member.scale, training=Training.CODED)
    return others[0] if others else None
