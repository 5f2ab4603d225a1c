"""Figures of networks, gathered over the protocols, and the JSON they are kept in."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vidlift.errors import OutputError
from vidlift.evaluation import pictures
from vidlift.evaluation.cost import Cost, cost
from vidlift.evaluation.networks import Network, open_network
from vidlift.evaluation.pictures import Score
from vidlift.evaluation.sets import TestSet
from vidlift.evaluation.subjects import Subject

BICUBIC = "bicubic"

Tell = Callable[[str], None]
"""Told what is measured next: a line for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that was measured of one network, or of bicubic interpolation."""

    name: str
    tier: str
    scale: int
    cost: Cost | None = None
    """None for bicubic interpolation, which is no file."""

    pictures: Mapping[str, Score] = field(default_factory=dict)
    """By set."""


def measure(
    subjects: Sequence[Subject],
    tests: Sequence[TestSet],
    *,
    threads: int = 2,
    tell: Tell = lambda line: None,
) -> list[Figures]:
    """Put networks through the sets: for each scale bicubic first, then its networks in order."""
    found = []
    for scale in sorted({subject.scale for subject in subjects}):
        found.append(_bicubic(scale, tests, tell=tell))
        for subject in subjects:
            if subject.scale == scale:
                network = open_network(subject, threads=threads)
                try:
                    found.append(_network(network, tests, tell=tell))
                finally:
                    network.close()
    return found


def save(where: Path, figures: Sequence[Figures], *, about: Mapping[str, Any]) -> None:
    """Write figures as JSON, with what is known ``about`` the run. Raises ``OutputError``."""
    content = {**about, "networks": [asdict(each) for each in figures]}
    try:
        where.write_text(json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise OutputError(f"cannot write {where}: {error.strerror}") from error


def _bicubic(scale: int, tests: Sequence[TestSet], *, tell: Tell) -> Figures:
    scores = {}
    for test in tests:
        tell(f"{BICUBIC} x{scale} on {test.name}")
        if not test.clips:
            scores[test.name] = pictures.score(pictures.bicubic(scale), test.folder, scale=scale)
    return Figures(name=BICUBIC, tier=BICUBIC, scale=scale, pictures=scores)


def _network(network: Network, tests: Sequence[TestSet], *, tell: Tell) -> Figures:
    subject = network.subject
    scores = {}
    for test in tests:
        tell(f"{subject.name} on {test.name}")
        if not test.clips:
            scores[test.name] = pictures.score(network.picture, test.folder, scale=subject.scale)
    return Figures(
        name=subject.name,
        tier=subject.tier,
        scale=subject.scale,
        cost=cost(subject),
        pictures=scores,
    )
