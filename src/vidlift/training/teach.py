"""Output distillation: what a teacher makes of every training picture, made once and kept.

A teacher looks at the clean low-resolution picture, the true one shrunk, whatever the student gets
to see of it: a teacher that knows pictures alone serves on shots that went through codecs too.

    true picture ──shrunk──> clean ──teacher──> taught
                               └────codec─────> low ──student──> made      compared with taught

The pictures lie end to end in one file, in the order of the training set, as bytes; a run that is
killed while they are made goes on from the last whole one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray

from vidlift import resample
from vidlift.descriptor import PREFIX
from vidlift.errors import InputError, OutputError, UsageError
from vidlift.training.architectures import Plain
from vidlift.training.pictures import Picture
from vidlift.training.ranks import ALONE, Ranks

LICENCES = ("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0")
"""SPDX identifiers of licences that let a network be learnt from and the result be shipped."""

FORMAT = 2

Enlarge: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Luma [H, W] in code values of studio range -> the same [s*H, s*W]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher:
    """A trained network to learn from. Raises ``UsageError`` where its licence forbids it."""

    name: str
    sha256: str
    """Of its file."""

    licence: str
    scale: int
    enlarge: Enlarge = field(repr=False)
    network: Plain | None = field(default=None, repr=False)
    """Itself as a torch module, where it is one of ours: for its features."""

    cache: Path
    """Folder where its pictures are kept."""

    report: Callable[[int, int], None] = field(default=lambda _done, _all: None, repr=False)
    """Told how many of how many pictures are made."""

    def __post_init__(self) -> None:
        if self.licence not in LICENCES:
            raise UsageError(
                f"teacher {self.name}: its licence is {self.licence or 'not stated'}; a network "
                f"that is to be given away may learn from {', '.join(LICENCES)}"
            )


def taught(
    training: Sequence[Picture],
    teacher: Teacher,
    *,
    ensemble: bool,
    training_data: str,
    ranks: Ranks = ALONE,
) -> list[Picture]:
    """The training pictures with what the teacher makes of each.

    ``training_data`` is the digest of the set: together with the teacher's it names the file. The
    first of several processes makes it. Raises ``UsageError`` where the scales differ,
    ``OutputError`` where the file cannot be written.
    """
    if training and (found := training[0].high.shape[0] // training[0].low.shape[0]) != (
        teacher.scale
    ):
        raise UsageError(f"teacher {teacher.name} is for scale {teacher.scale}, not {found}")
    manner = "x8" if ensemble else "x1"
    name = f"{teacher.sha256[:16]}-{training_data[:16]}-{manner}-{FORMAT}"
    where = teacher.cache / f"{name}.luma"
    if ranks.first and not where.exists():
        _make(training, teacher, where, ensemble=ensemble)
    ranks.wait()
    samples = np.memmap(where, np.uint8, "r")
    sizes = [picture.high.size for picture in training]
    if samples.size != sum(sizes):
        raise InputError(f"{where} does not fit the training set; remove it to make it anew")
    starts = np.cumsum([0, *sizes[:-1]])
    return [
        replace(picture, taught=samples[start : start + size].reshape(picture.high.shape))
        for picture, start, size in zip(training, starts, sizes, strict=True)
    ]


def _make(training: Sequence[Picture], teacher: Teacher, where: Path, *, ensemble: bool) -> None:
    enlarge = ensembled(teacher.enlarge) if ensemble else teacher.enlarge
    part = where.with_suffix(".part")
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as out:
            fcntl.flock(out, fcntl.LOCK_EX)  # another run with this teacher may be at it
            if where.exists():  # it was, and what was opened is the whole file, or an empty part
                part.unlink(missing_ok=True)
                return
            there = out.seek(0, os.SEEK_END)
            kept = whole = 0
            while whole < len(training) and kept + training[whole].high.size <= there:
                kept += training[whole].high.size
                whole += 1
            out.truncate(kept)
            for done, picture in enumerate(training[whole:], whole):
                teacher.report(done, len(training))
                # Of full range the truth alone is learnt.
                made = picture.high if picture.full_range else _made(enlarge, picture)
                assert made.shape == picture.high.shape
                out.write(made.tobytes())
            out.flush()
            os.fsync(out.fileno())
            part.replace(where)
    except OSError as error:
        raise OutputError(f"cannot write {part}: {error.strerror or error}") from error
    teacher.report(len(training), len(training))


def _made(enlarge: Enlarge, picture: Picture) -> NDArray[np.uint8]:
    return np.rint(enlarge(_clean(picture))).clip(0, 255).astype(np.uint8)


def _clean(picture: Picture) -> NDArray[np.uint8]:
    height, width = picture.low.shape
    return resample.resize(picture.high, (width, height))


def licence_of(data: bytes) -> str:
    """What an ONNX file says of its licence, empty where it says nothing."""
    entries = onnx.load_model_from_string(data).metadata_props
    said = {entry.key.removeprefix(PREFIX): entry.value for entry in entries}
    return said.get("licence") or said.get("license") or ""


def ensembled(enlarge: Enlarge) -> Enlarge:
    """The mean of what a network makes of the eight ways to turn and mirror its input."""

    def mean(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
        total: Any = 0.0
        for turns in range(4):
            for mirrored in (False, True):
                turned = np.rot90(plane, turns)
                made = enlarge(np.ascontiguousarray(turned[:, ::-1] if mirrored else turned))
                total = total + np.rot90(made[:, ::-1] if mirrored else made, -turns)
        return np.asarray(total / 8, np.float32)

    return mean
