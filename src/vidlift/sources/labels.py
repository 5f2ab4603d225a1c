"""What tracks of sound and of text say of themselves, and which of them is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import av


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a file or a playlist says of a track."""

    language: str | None = None
    """As it is written there: ``deu``, ``de``, ``de-AT``."""

    title: str | None = None
    wanted: bool = field(default=False, compare=False)
    """Whether the film asks for the track to be played, or to be shown."""

    def __str__(self) -> str:
        parts = [part for part in (self.language, self.title) if part]
        return ", ".join(dict.fromkeys(parts))


Wanted = int | str | Label
"""A track by its number, from 0, by its language or title, or by its like in another film."""

NONE = "none"
"""Wanted where no track is."""


def of_stream(stream: Any) -> Label:
    """The label of a stream of a container."""
    flags = av.stream.Disposition.default | av.stream.Disposition.forced
    language = stream.language
    return Label(
        language=None if language in (None, "und") else str(language),
        title=stream.metadata.get("title"),
        wanted=bool(stream.disposition & flags),
    )


def find(labels: Sequence[Label], wanted: Wanted | None) -> int | None:
    """The track that is wanted; None: it is not among them, or none is wanted."""
    if isinstance(wanted, int):
        return wanted if 0 <= wanted < len(labels) else None
    if isinstance(wanted, Label):
        return labels.index(wanted) if wanted in labels else None
    if wanted is None:
        return None
    alike = wanted.casefold()
    names = [
        {language, language.partition("-")[0], (label.title or "").casefold()}
        for label in labels
        for language in [(label.language or "").casefold()]
    ]
    return next((at for at, each in enumerate(names) if alike in each), None)


def marked(labels: Sequence[Label]) -> int:
    """The one that the film asks for, else the first."""
    return next((at for at, label in enumerate(labels) if label.wanted), 0)


def lacking(labels: Sequence[Label], wanted: Wanted | None) -> str | None:
    """What is wanted and not there, beside what is: ``fra; it has 1: eng, 2: deu``."""
    if wanted in (None, NONE) or find(labels, wanted) is not None:
        return None
    said = wanted + 1 if isinstance(wanted, int) else wanted
    return f"{said}; it has {listed(labels)}"


def listed(labels: Sequence[Label]) -> str:
    """All there is to choose from: ``1: eng, 2: deu``."""
    names = [f"{number}: {label}".rstrip(": ") for number, label in enumerate(labels, 1)]
    return ", ".join(names) or "none"


def called(labels: Sequence[Label], at: int) -> str:
    """How a viewer is told of one of them: ``2 of 3: deu``."""
    name = str(labels[at])
    return f"{at + 1} of {len(labels)}" + (f": {name}" if name else "")
