"""The names of the shipped networks, taken apart: ``m-x4``, ``m-x4-clean``, ``m-x4-clean-int8``.

    m      x4       clean                          int8
    tier   scale    trained on pictures alone;     a variant of the same network
                    without it: on what codecs
                    leave as well

Where a tier has only one of the two trainings, that serves for both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vidlift.descriptor import SCALES, TIERS

_FORM = re.compile(
    rf"({'|'.join(TIERS)})-x({'|'.join(map(str, SCALES))})(-clean)?(?:-([a-z0-9]+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What a name says."""

    name: str
    tier: str
    scale: int
    clean: bool
    """Trained on pictures that went through no codec."""

    variant: str
    """``int8``, or empty for the network as it was trained."""


def parse(name: str) -> Member | None:
    """The parts of a name; None for one of another form."""
    found = _FORM.fullmatch(name)
    if found is None:
        return None
    tier, scale, clean, variant = found.groups()
    return Member(
        name=name, tier=tier, scale=int(scale), clean=clean is not None, variant=variant or ""
    )


def members(names: Iterable[str], *, tier: str, scale: int, clean: bool) -> list[str]:
    """The networks of a tier for such a stream among ``names``: the one as trained, then variants.

    Where the training asked for is not there, those of the other; empty where neither is.
    """
    found = [m for m in map(parse, names) if m and (m.tier, m.scale) == (tier, scale)]
    wanted = [m for m in found if m.clean == clean] or found
    return [m.name for m in sorted(wanted, key=lambda m: (m.variant, m.name))]


def shipped_as(name: str, names: Iterable[str]) -> str | None:
    """What a name stands for among ``names``: itself, or the only network of its tier and scale.

    None where there is neither. ``m-x4`` says a tier and a scale, and so may stand for
    ``m-x4-clean``; a name that says more than that stands for itself alone.
    """
    there = set(names)
    if name in there:
        return name
    member = parse(name)
    if member is None or member.clean or member.variant:
        return None
    other = f"{name}-clean"
    return other if other in there else None
