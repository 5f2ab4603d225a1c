"""Figures of networks, gathered over the protocols, and the JSON they are kept in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from vidlift.errors import InputError, OutputError
from vidlift.evaluation import clips, pictures
from vidlift.evaluation.clips import ClipScore, SetScore
from vidlift.evaluation.cost import Cost, cost
from vidlift.evaluation.networks import Bicubic, Network, open_network
from vidlift.evaluation.pictures import Score
from vidlift.evaluation.runtimes import EXACT, Setup
from vidlift.evaluation.sets import TestSet
from vidlift.evaluation.streams import Stream
from vidlift.evaluation.subjects import Subject, check_names
from vidlift.evaluation.timing import Time

BICUBIC = "bicubic"

Tell = Callable[[str], None]
"""Told what is measured next: a line for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that was measured of one network, or of bicubic interpolation."""

    name: str
    tier: str
    scale: int
    sha256: str = ""
    """Of the file; empty for bicubic interpolation, which is no file."""

    setup: str = ""
    """The runtime and precision that quality was measured on."""

    cost: Cost | None = None
    """None for bicubic interpolation."""

    pictures: Mapping[str, Score] = field(default_factory=dict)
    """By set."""

    clips: Mapping[str, Mapping[str, SetScore]] = field(default_factory=dict)
    """By set and stream."""

    speed: Mapping[str, Time] = field(default_factory=dict)
    """By runtime and precision, as in ``openvino f32``; empty where it was not timed."""


def measure(
    subjects: Sequence[Subject],
    tests: Sequence[TestSet],
    *,
    streams: Sequence[Stream],
    setup: Setup = EXACT,
    with_vmaf: bool = False,
    threads: int = 2,
    tell: Tell = lambda line: None,
) -> list[Figures]:
    """Put networks through the sets: for each scale bicubic first, then its networks in order.

    Raises ``UsageError`` for two of one name.
    """
    check_names(subjects)
    found = []
    for scale in sorted({subject.scale for subject in subjects}):
        for subject in (None, *(each for each in subjects if each.scale == scale)):
            figures = about(subject, scale=scale, setup=setup)
            network = (
                open_network(subject, setup=setup, threads=threads) if subject else Bicubic(scale)
            )
            try:
                for test in tests:
                    tell(f"{figures.name} x{scale} on {test.name}")
                    figures = put_through(network, figures, test, streams, with_vmaf=with_vmaf)
            finally:
                network.close()
            found.append(figures)
    return found


def about(subject: Subject | None, *, scale: int, setup: Setup = EXACT) -> Figures:
    """Figures of a network, or of bicubic interpolation for None, before anything is measured."""
    if subject is None:
        return Figures(name=BICUBIC, tier=BICUBIC, scale=scale)
    return Figures(
        name=subject.name,
        tier=subject.tier,
        scale=scale,
        sha256=hashlib.sha256(subject.data).hexdigest(),
        setup=setup.name,
        cost=cost(subject),
    )


def put_through(
    network: Network,
    figures: Figures,
    test: TestSet,
    streams: Sequence[Stream],
    *,
    with_vmaf: bool = False,
) -> Figures:
    """The figures, with those of one set added: of clips on each stream."""
    if not test.clips:
        score = pictures.score(network.picture, test.folder, scale=network.scale)
        return replace(figures, pictures={**figures.pictures, test.name: score})
    scores = dict(figures.clips.get(test.name, {}))
    for stream in streams:
        scores[stream.name] = clips.score(
            network.frames,
            test.clips,
            stream,
            scale=network.scale,
            paired=network.paired,
            with_vmaf=with_vmaf,
        )
    return replace(figures, clips={**figures.clips, test.name: scores})


def with_speed(
    figures: Sequence[Figures], times: Mapping[str, Mapping[str, Time]]
) -> list[Figures]:
    """The figures with the times of the networks that were timed, by name."""
    return [replace(each, speed=times.get(each.name, {})) for each in figures]


def save(where: Path, figures: Sequence[Figures], *, made: Mapping[str, Any]) -> None:
    """Write figures as JSON, with what is known of the run that made them.

    Raises ``OutputError``.
    """
    content = {"made": dict(made), "networks": [asdict(each) for each in figures]}
    try:
        where.write_text(json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise OutputError(f"cannot write {where}: {error.strerror}") from error


def load(where: Path) -> list[Figures]:
    """Figures as they were saved. Raises ``InputError``."""
    try:
        return [_figures(each) for each in json.loads(where.read_text())["networks"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"cannot read figures from {where}: {error}") from error


def _figures(saved: Mapping[str, Any]) -> Figures:
    return Figures(
        **{
            **saved,
            "cost": Cost(**saved["cost"]) if saved["cost"] else None,
            "pictures": {name: _score(score) for name, score in saved["pictures"].items()},
            "clips": {
                name: {stream: _set_score(score) for stream, score in by_stream.items()}
                for name, by_stream in saved["clips"].items()
            },
            "speed": {name: Time(**taken) for name, taken in saved["speed"].items()},
        }
    )


def _score(saved: Mapping[str, Any]) -> Score:
    return Score(**{**saved, "skipped": tuple(saved.get("skipped", ()))})


def _set_score(saved: Mapping[str, Any]) -> SetScore:
    by_clip = {name: ClipScore(**score) for name, score in saved["clips"].items()}
    return SetScore(mean=ClipScore(**saved["mean"]), clips=by_clip)
