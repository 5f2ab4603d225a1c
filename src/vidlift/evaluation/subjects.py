"""What is measured: one ONNX file, a model of ours or a published network (a peer).

A peer has one float32 input, ``rgb`` [N, 3, H, W] or ``y`` [N, 1, H, W] in 0 .. 1, and the same
at ``scale`` times the size as its output. Its metadata say ``scale``, and may say ``name``,
``y_range`` (``full``, or ``studio``: luma over 255) and ``align`` (sides it needs multiples of).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from vidlift import models
from vidlift.descriptor import PREFIX, SCALES
from vidlift.errors import InputError, ModelError, UsageError
from vidlift.models import Model, check

MAX_ALIGN = 256
"""Sides of what a peer may need multiples of, at most."""

_CHANNELS = {"rgb": 3, "y": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A network under measurement, ours or a peer."""

    name: str
    scale: int
    data: bytes = field(repr=False)
    """The ONNX file."""

    model: Model | None
    """The same as a checked model where it is one of ours, None for a peer."""

    takes: str
    """Name of the input: ``rgb`` or ``y``."""

    full_range: bool = False
    """Whether a peer's luma has black at 0 and white at 1."""

    multiple_of: int = 1
    """What height and width must be multiples of."""

    tier: str = "peer"
    """One of ``descriptor.KINDS``, or ``peer``."""

    @property
    def frames(self) -> int:
        """How many frames one run super-resolves."""
        return 1 if self.model is None else 2

    def shape(
        self, width: int, height: int, *, frames: int | None = None
    ) -> tuple[int, int, int, int]:
        """Shape of the input for an LR picture of that size, made large enough to align.

        ``frames`` are those of one run of a model of ours, 2 unless said.
        """
        channels = _CHANNELS[self.takes] if self.model is None else frames or self.frames
        rows, columns = (
            -(-side // self.multiple_of) * self.multiple_of for side in (height, width)
        )
        return 1, channels, rows, columns


def load(name_or_file: str | Path) -> Subject:
    """A model by name, or any ONNX file that is ours or a peer. Raises ``ModelError``."""
    if Path(name_or_file).suffix != ".onnx":
        return of_model(models.load(name_or_file))
    where = models.path(name_or_file)
    try:
        data = check.read(where)
    except OSError as error:
        raise ModelError(f"cannot read {where}: {error.strerror}") from error
    parsed = check.parse(data, where=str(where))
    metadata = {entry.key: _value(entry.value) for entry in parsed.metadata_props}
    if any(key.startswith(PREFIX) for key in metadata):
        return of_model(models.load(where))
    takes = _input(parsed, where)
    scale, y_range, align = (metadata.get(key) for key in ("scale", "y_range", "align"))
    if scale not in SCALES:
        raise ModelError(f"{where}: its metadata say scale {scale!r}, not 2, 3 or 4")
    if y_range not in (None, "full", "studio"):
        raise ModelError(f"{where}: its metadata say y_range {y_range!r}, not full or studio")
    align = align or 1
    if not isinstance(align, int) or not 1 <= align <= MAX_ALIGN:
        raise ModelError(
            f"{where}: its metadata say align {align!r}, not a whole number of 1 to {MAX_ALIGN}"
        )
    return Subject(
        name=where.stem,
        scale=int(scale),
        data=data,
        model=None,
        takes=takes,
        full_range=y_range == "full",
        multiple_of=align,
    )


def published(folder: Path) -> list[Subject]:
    """The networks in a folder, by name. Raises ``InputError`` where there is none."""
    files = sorted(folder.glob("*.onnx"))
    if not files:
        raise InputError(f"no published network (*.onnx) in {folder}")
    return [load(file) for file in files]


def gather(peers: Path | None, *, only: Sequence[str]) -> list[Subject]:
    """The shipped networks, and those of a folder of published ones, as ``beginning`` has them."""
    found = [load(name) for name in models.names()] + (published(peers) if peers else [])
    wanted = beginning([each.name for each in found], only)
    return [each for each in found if each.name in wanted]


def beginning(names: Iterable[str], only: Sequence[str]) -> list[str]:
    """Names that are in ``only`` or begin so, all where that is empty; ``UsageError`` for none."""
    found = [name for name in names if not only or name.startswith(tuple(only))]
    if not found:
        raise UsageError(f"no network is named or begins with {' or '.join(only)}")
    return found


def check_names(subjects: Sequence[Subject]) -> None:
    """Raises ``UsageError`` where two have one name: figures are told apart by it."""
    names = [subject.name for subject in subjects]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(
            f"two networks are named {twice[0]}, and their figures could not be told apart; "
            "measure them one after the other, or give one another name"
        )


def of_model(model: Model) -> Subject:
    """A model of ours as something to measure."""
    return Subject(
        name=model.descriptor.name,
        scale=model.descriptor.scale,
        data=model.data,
        model=model,
        takes="y",
        multiple_of=model.descriptor.multiple_of,
        tier=model.descriptor.tier,
    )


def _input(parsed: onnx.ModelProto, where: Path) -> str:
    weights = {initializer.name for initializer in parsed.graph.initializer}
    names = [value.name for value in parsed.graph.input if value.name not in weights]
    if len(names) != 1 or names[0] not in _CHANNELS:
        raise ModelError(
            f"{where} has the inputs {', '.join(names) or 'none'}; "
            "a network to compare with has one, `rgb` or `y`"
        )
    found: str = names[0]
    return found


def _value(text: str) -> Any:
    """Metadata are text; numbers in them are written as JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text
