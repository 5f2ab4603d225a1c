"""Figures of networks, gathered over the protocols, and the JSON they are kept in."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from vidlift.errors import OutputError
from vidlift.evaluation import clips, pictures
from vidlift.evaluation.clips import SetScore
from vidlift.evaluation.cost import Cost, cost
from vidlift.evaluation.networks import Bicubic, Network, open_network
from vidlift.evaluation.pictures import Score
from vidlift.evaluation.sets import TestSet
from vidlift.evaluation.streams import Stream
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

    clips: Mapping[str, Mapping[str, SetScore]] = field(default_factory=dict)
    """By set and stream."""


def measure(
    subjects: Sequence[Subject],
    tests: Sequence[TestSet],
    *,
    streams: Sequence[Stream],
    with_vmaf: bool = False,
    threads: int = 2,
    tell: Tell = lambda line: None,
) -> list[Figures]:
    """Put networks through the sets: for each scale bicubic first, then its networks in order."""
    found = []
    for scale in sorted({subject.scale for subject in subjects}):
        same = [subject for subject in subjects if subject.scale == scale]
        for subject in (None, *same):
            network = open_network(subject, threads=threads) if subject else Bicubic(scale)
            figures = Figures(
                name=subject.name if subject else BICUBIC,
                tier=subject.tier if subject else BICUBIC,
                scale=scale,
                cost=cost(subject) if subject else None,
            )
            try:
                for test in tests:
                    tell(f"{figures.name} x{scale} on {test.name}")
                    if test.clips:
                        scores = _on_clips(network, test, streams, with_vmaf=with_vmaf)
                        figures = replace(figures, clips={**figures.clips, test.name: scores})
                    else:
                        score = pictures.score(network.picture, test.folder, scale=scale)
                        figures = replace(figures, pictures={**figures.pictures, test.name: score})
            finally:
                network.close()
            found.append(figures)
    return found


def save(where: Path, figures: Sequence[Figures], *, about: Mapping[str, Any]) -> None:
    """Write figures as JSON, with what is known ``about`` the run. Raises ``OutputError``."""
    content = {**about, "networks": [asdict(each) for each in figures]}
    try:
        where.write_text(json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise OutputError(f"cannot write {where}: {error.strerror}") from error


def _on_clips(
    network: Network, test: TestSet, streams: Sequence[Stream], *, with_vmaf: bool
) -> dict[str, SetScore]:
    """Scores by stream."""
    return {
        stream.name: clips.score(
            network.frames,
            test.clips,
            stream,
            scale=network.scale,
            paired=network.paired,
            with_vmaf=with_vmaf,
        )
        for stream in streams
    }
