"""What a model says of itself.

The descriptor is written into the ONNX file's own metadata, one key a field under the prefix
``vidlift.``, and is what code reads; the card beside the file is for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any

from vidlift.errors import ModelError

SCALES = (2, 3, 4)
TIERS = ("xs", "s", "m", "l", "xl")
KINDS = (*TIERS, "kernel")
"""A tier of network, or ``kernel``: a fixed interpolation in the same form (bicubic, chroma)."""

PADDINGS = ("zero", "edge")
MAX_MULTIPLE = 8

PREFIX = "vidlift."


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    name: str
    """File name without its ending, such as ``m-x4``."""

    tier: str
    """One of ``KINDS``."""

    scale: int
    """Output width over input width: 2, 3 or 4."""

    range: str = "code"
    """Range of the luma it takes: ``code`` means code values as decoded, studio stays studio."""

    padding: str = "zero"
    """What lies beyond the border: ``zero``, before each convolution, or ``edge``, the picture's
    edge repeated once, before the first."""

    multiple_of: int = 1
    """Height and width it takes are multiples of this; what is not is padded by its edge."""

    architecture: str
    """Such as ``plain-16x6``: what the card explains."""

    training_data: str
    """SHA-256 of the list of training files, or ``none``."""

    version: str
    licence: str
    """SPDX identifier of the licence of the weights."""

    def __post_init__(self) -> None:
        if self.tier not in KINDS:
            raise ModelError(f"model {self.name}: tier {self.tier!r} is none of {', '.join(KINDS)}")
        if self.scale not in SCALES:
            raise ModelError(f"model {self.name}: scale {self.scale} is none of 2, 3, 4")
        if self.range != "code":
            raise ModelError(f"model {self.name}: luma range {self.range!r} is not 'code'")
        if self.padding not in PADDINGS:
            raise ModelError(
                f"model {self.name}: padding {self.padding!r} is none of {', '.join(PADDINGS)}"
            )
        if not 1 <= self.multiple_of <= MAX_MULTIPLE:
            raise ModelError(
                f"model {self.name}: sides are multiples of 1 to {MAX_MULTIPLE}, "
                f"not {self.multiple_of}"
            )

    def to_metadata(self) -> dict[str, str]:
        return {PREFIX + f.name: str(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], *, where: str) -> Descriptor:
        """Read a descriptor; ``where`` names the file in the error."""
        values = {f.name: metadata.get(PREFIX + f.name, _default(f)) for f in fields(cls)}
        missing = [name for name, value in values.items() if value is None]
        if missing:
            raise ModelError(
                f"{where} is an ONNX file but not a Vidlift model: its metadata lacks "
                f"{', '.join(PREFIX + name for name in missing)}; "
                "export models with `vidlift model export`"
            )
        numbers = {name: _number(values[name], name, where) for name in ("scale", "multiple_of")}
        return cls(**{**values, **numbers})  # type: ignore[arg-type]

    @classmethod
    def from_card(cls, card: Mapping[str, Any], *, where: str) -> Descriptor:
        """Read the descriptor of a shipped model from its card, without opening the model."""
        try:
            values = {f.name: card[f.name] for f in fields(cls) if f.name in card}
            return cls(**{**values, "training_data": card["training_data"]["sha256"]})
        except (KeyError, TypeError) as error:
            raise ModelError(f"{where} does not say what its model is: {error}") from None


def _default(field: Field[object]) -> object:
    return None if field.default is MISSING else field.default


def _number(value: object, name: str, where: str) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise ModelError(f"{where}: {name} {value!r} is not a number") from None
