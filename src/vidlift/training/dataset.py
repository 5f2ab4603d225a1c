"""What a recipe learns from: folders of pictures, shrunk here, packs, degraded already, titles."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from vidlift.errors import InputError, UsageError
from vidlift.training import pack, pictures, titles
from vidlift.training.pictures import Picture
from vidlift.training.recipe import Recipe

VALIDATION_PICTURES = 32
"""Pictures of the validation split that are looked at, one a source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    training: list[Picture]
    held_out: list[Picture]
    """Of other sources than ``training``; what choices are made on."""


def digest(recipe: Recipe, data: Path) -> str:
    """SHA-256 over all that a recipe learns from, names and content."""
    parts = []
    if recipe.pictures:
        folders = [data / folder for folder in recipe.pictures]
        parts.append(pictures.digest(folders, leave_out=recipe.leave_out, shrink=recipe.shrink))
        parts += [f"stretch {recipe.stretch}"] if recipe.stretch > 1 else []
    parts += [pack.digest(data / folder) for folder in recipe.packs]
    parts += recipe.through
    if recipe.titles:
        parts.append(titles.digest([data / t for t in recipe.titles], crf=recipe.title_crf))
    return parts[0] if len(parts) == 1 else hashlib.sha256("\n".join(parts).encode()).hexdigest()


def load(recipe: Recipe, data: Path) -> Dataset:
    """Load what the recipe names, relative to ``data``. Raises ``InputError``."""
    everything: list[Picture] = []
    if recipe.pictures:
        folders = [data / folder for folder in recipe.pictures]
        everything += pictures.load(
            folders, scale=recipe.scale, leave_out=recipe.leave_out, shrink=recipe.shrink
        )
        if recipe.stretch > 1:
            learnt = [p for p in everything if not pictures.is_held_out(p.source)]
            everything += pictures.stretched(learnt, recipe.stretch, scale=recipe.scale)
    for folder in recipe.packs:
        everything += _unpacked(data / folder, recipe.scale, through=recipe.through)
    held_out = _one_each([p for p in everything if pictures.is_held_out(p.source)])
    training = [p for p in everything if not pictures.is_held_out(p.source)]
    if recipe.titles:
        videos = [data / title for title in recipe.titles]
        learnt, judged = titles.load(videos, scale=recipe.scale, crf=recipe.title_crf)
        training, held_out = training + learnt, held_out + judged
    if not training:
        raise InputError(
            f"recipe {recipe.name} has nothing to learn from: every picture ({len(everything)}) is "
            "held out for validation, as one photograph in twenty is, by its name; give more"
        )
    return Dataset(training=training, held_out=held_out)


def split(folder: Path, *, scale: int) -> tuple[list[Picture], list[Picture]]:
    """A pack, or a folder of pictures, as what is learnt from and what is held out, one a source.

    Raises ``InputError`` for what is neither.
    """
    if (folder / pack.NOTE).is_file():
        everything = _unpacked(folder, scale)
    else:
        everything = pictures.load([folder], scale=scale)
    held_out = [p for p in everything if pictures.is_held_out(p.source)]
    return [p for p in everything if not pictures.is_held_out(p.source)], _one_each(held_out)


def _unpacked(folder: Path, scale: int, *, through: Sequence[str] = ()) -> list[Picture]:
    note, items = pack.read(folder)
    if note.get("scale", scale) != scale:
        raise UsageError(f"{folder} is a pack for scale {note['scale']}, not {scale}")
    made = []
    for item in items:
        if through and not any(fnmatch(item.through, pattern) for pattern in through):
            continue
        picture = pictures.degraded(item.high, source=item.source, scale=scale)
        if item.low is not None:
            if item.low.shape != picture.low.shape:
                raise InputError(f"{folder}: an item of {item.source} has sides that do not fit")
            picture = replace(picture, low=item.low)
        made.append(picture)
    if not made:
        raise InputError(f"{folder} has no picture that went through {', '.join(through)}")
    return made


def _one_each(held_out: list[Picture]) -> list[Picture]:
    """One a source, of those that something is left of where their border is cut off to compare."""
    first: dict[str, Picture] = {}
    for picture in held_out:
        if min(picture.low.shape) > 2:
            first.setdefault(picture.source, picture)
    found = list(first.values())
    step = max(1, len(found) // VALIDATION_PICTURES)
    return found[::step][:VALIDATION_PICTURES]
