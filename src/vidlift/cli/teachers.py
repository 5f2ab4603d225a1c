"""The teacher that a recipe names: a run of ours, a model, or a published network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidlift.cli.training_progress import counted
from vidlift.color import ColorTags, Range
from vidlift.errors import UsageError
from vidlift.frame import Frame

if TYPE_CHECKING:
    from vidlift.evaluation.networks import Network
    from vidlift.evaluation.subjects import Subject
    from vidlift.training.recipe import Recipe
    from vidlift.training.teach import Enlarge, Teacher


@contextmanager
def opened(recipe: Recipe, *, cache: Path, threads: int | None) -> Iterator[Teacher | None]:
    """The teacher of a recipe, None where it names none. Raises ``UsageError`` for a licence
    that forbids to learn from it, ``ModelError`` for what is no network."""
    if recipe.teacher is None:
        yield None
        return
    import hashlib

    from vidlift.evaluation.networks import open_network
    from vidlift.training import restore
    from vidlift.training.teach import Teacher, licence_of

    subject = _subject(recipe.teacher)
    if recipe.feature_share and subject.model is None:
        raise UsageError(
            f"teacher {subject.name} is a published network, which teaches pictures only; "
            "feature_share needs a network of ours"
        )
    network = open_network(subject, threads=threads or 2)
    try:
        yield Teacher(
            name=subject.name,
            sha256=hashlib.sha256(subject.data).hexdigest(),
            licence=licence_of(subject.data),
            scale=subject.scale,
            enlarge=enlarge(network),
            network=restore.of_model(subject.model)
            if recipe.feature_share and subject.model is not None
            else None,
            cache=cache,
            report=counted(f"teacher {subject.name}, pictures"),
        )
    finally:
        network.close()


def enlarge(network: Network) -> Enlarge:
    """Luma in, luma out, whatever the network takes: RGB networks are given grey."""

    def one(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
        neutral = np.full_like(plane, 128)
        frame = Frame(
            planes=(plane, neutral, neutral),
            pts=Fraction(0),
            duration=Fraction(0),
            color=ColorTags(matrix=6, range=Range.STUDIO),
        )
        made: NDArray[Any] = next(iter(network.frames([frame])))
        return np.asarray(made, np.float32)

    return one


def _subject(teacher: str) -> Subject:
    from vidlift.evaluation import subjects
    from vidlift.training import checkpoint, export

    folder = Path(teacher)
    if (folder / checkpoint.FILE).is_file():
        return subjects.of_model(export.export(checkpoint.load(folder / checkpoint.FILE)))
    return subjects.load(teacher)
