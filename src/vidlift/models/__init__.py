"""The catalogue of models, and the door at which a model file is checked.

A model is one ONNX file with its descriptor inside (see ``docs/models.md``). Shipped ones lie
beside this module with their cards, packed (``packing.py``), as ``<tier>-x<scale>.onnx.xz``
(``family.py`` has the names, ``auto.py`` chooses between the networks of a tier); ``bicubic-x2``,
``-x3`` and ``-x4`` (``kernels.py``) have the same form, so that everything that runs a network can
run plain interpolation as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from vidlift.color import Siting
from vidlift.descriptor import SCALES, Descriptor
from vidlift.errors import ModelError
from vidlift.models import family, graph, packing
from vidlift.models.packing import PACKED

_FOLDER = Path(__file__).parent
BICUBIC = "bicubic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A checked model, ready for any engine."""

    descriptor: Descriptor
    sha256: str
    """Of the ONNX file."""

    contents: Callable[[], bytes] = field(repr=False, compare=False)
    """Gives the ONNX file: that of a shipped one is unpacked when it is first wanted, which for an
    engine that has its plan on the disk is never."""

    @property
    def data(self) -> bytes:
        """The ONNX file. Raises ``ModelError`` where a shipped one is damaged."""
        return self.contents()


def names() -> list[str]:
    """Names of the shipped networks, sorted."""
    return sorted(path.name.removesuffix(PACKED) for path in _FOLDER.glob(f"*{PACKED}"))


def path(name_or_file: str | Path) -> Path:
    """The file of a shipped model, by name, or the given ``.onnx`` file itself.

    ``m-x4`` is ``m-x4-clean`` where that is the only network of its tier and scale.
    """
    wanted = Path(name_or_file)
    if wanted.suffix == ".onnx":
        if not wanted.is_file():
            raise ModelError(f"no model file {wanted}")
        return wanted
    there = names()
    known_as = family.shipped_as(str(name_or_file), there)
    if known_as is None:
        if wanted.name != str(name_or_file):
            raise ModelError(f"no model file {wanted}: one ends in .onnx")
        as_trained = [name for name in there if (m := family.parse(name)) and not m.variant]
        known = ", ".join([*as_trained, *(f"{BICUBIC}-x{scale}" for scale in SCALES)])
        raise ModelError(
            f"no model named {str(name_or_file)!r}; there are {known}, variants of these "
            "(`vidlift model list`), or give a file ending in .onnx"
        )
    return _FOLDER / f"{known_as}{PACKED}"


def load(name_or_file: str | Path) -> Model:
    """Read and check a model. Raises ``ModelError`` for anything that is not one of ours.

    A shipped file is taken for what its card says that it is, and is compared with it when it is
    read.
    """
    interpolation, _, scale = str(name_or_file).partition("-x")
    if interpolation == BICUBIC and scale in {str(s) for s in SCALES}:
        return kernel(scale=int(scale))
    where = path(name_or_file)
    if where.parent == _FOLDER and "sha256" in (said := _card(where) or {}):
        return _shipped(where, said)
    return from_bytes(_read(where), where=str(where))


def from_bytes(data: bytes, *, where: str) -> Model:
    """Check the bytes of a model file; ``where`` names them in a ``ModelError``."""
    from vidlift.models import check

    return of(check.descriptor(data, where=where), data)


@cache
def kernel(*, scale: int, siting: Siting = Siting.CENTER) -> Model:
    """Bicubic interpolation as a model; ``siting`` shifts it for sub-sampled chroma."""
    suffix = "" if siting is Siting.CENTER else f"-{siting.value}"
    where = _FOLDER / BICUBIC / f"{BICUBIC}{suffix}-x{scale}.onnx"
    data = where.read_bytes()
    metadata = graph.read(data, where=str(where)).metadata
    return of(Descriptor.from_metadata(metadata, where=str(where)), data)


def of(descriptor: Descriptor, data: bytes) -> Model:
    """The model of an ONNX file that is known to be one, such as one made here."""
    return Model(
        descriptor=descriptor, sha256=hashlib.sha256(data).hexdigest(), contents=lambda: data
    )


def describe(name_or_file: str | Path) -> Descriptor:
    """The descriptor of a model, after the same checks as ``load``."""
    return load(name_or_file).descriptor


def card(name_or_file: str | Path) -> dict[str, Any] | None:
    """The card beside a model file, or None where there is none.

    Raises ``ModelError`` for one that cannot be read, or is of another file by its digest.
    """
    where = path(name_or_file)
    said = _card(where)
    if said is None or "sha256" not in said or where.parent == _FOLDER:
        return said
    if hashlib.sha256(_read(where)).hexdigest() != said["sha256"]:
        raise ModelError(
            f"{_card_of(where)} is the card of another file than {where}; write both anew, or "
            "remove it"
        )
    return said


def _card_of(model: Path) -> Path:
    return model.with_name(model.name.removesuffix(".xz")).with_suffix(".json")


def _card(model: Path) -> dict[str, Any] | None:
    where = _card_of(model)
    if not where.is_file():
        return None
    try:
        content = json.loads(where.read_text())
    except (OSError, ValueError) as error:
        raise ModelError(f"{where} is not a card that can be read: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{where} is not a card, which is an object of JSON")
    return content


def _read(where: Path) -> bytes:
    """The ONNX file, unpacked."""
    if where.name.endswith(PACKED):
        return packing.read(where)
    from vidlift.models import check  # which takes long to load

    try:
        return check.read(where)
    except OSError as error:
        raise ModelError(f"cannot read {where}: {error.strerror}") from error


def _shipped(where: Path, card: Mapping[str, Any]) -> Model:
    """A model that is what its card says, or whose ``data`` cannot be had."""

    @cache
    def contents() -> bytes:
        data = _read(where)
        if hashlib.sha256(data).hexdigest() != card["sha256"]:
            raise ModelError(f"{where} is damaged, or is not the one of its card")
        return data

    return Model(
        descriptor=Descriptor.from_card(card, where=str(_card_of(where))),
        sha256=card["sha256"],
        contents=contents,
    )
