"""The card beside a model file: where it comes from and what it is worth, for people and tables.

Code that runs a model reads the descriptor inside the file; of shipped ones, whose cards a test
compares with it, the card, so that networks that are only listed need not be unpacked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vidlift.errors import OutputError
from vidlift.models import Model


def make(
    model: Model,
    *,
    parameters: int,
    macs: float,
    recipe: Mapping[str, Any],
    data: str,
    figures: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A card; ``macs`` is per low-resolution pixel and frame, ``data`` names what it learnt from.

    ``figures`` hold what ``vidlift model eval`` found, by protocol.
    """
    descriptor = model.descriptor
    return {
        "name": descriptor.name,
        "tier": descriptor.tier,
        "scale": descriptor.scale,
        "architecture": descriptor.architecture,
        "padding": descriptor.padding,
        "multiple_of": descriptor.multiple_of,
        "version": descriptor.version,
        "parameters": parameters,
        "mac_per_lr_pixel": round(macs),
        "mac_per_output_pixel": round(macs / descriptor.scale**2),
        "bytes": len(model.data),
        "sha256": model.sha256,
        "licence": descriptor.licence,
        "recipe": dict(recipe),
        "training_data": {"sha256": descriptor.training_data, "what": data},
        "figures": dict(figures or {}),
    }


def save(card: Mapping[str, Any], where: Path, *, model: Model | None = None) -> None:
    """Write a card, and with it the model that it is of, as the same name with ``.onnx``.

    Both are there whole, or what was there before is; a kill may leave the new model without its
    card, or with the old one, which is then none of it. Raises ``OutputError``.
    """
    contents = {} if model is None else {where.with_suffix(".onnx"): model.data}
    contents[where] = (json.dumps(card, indent=2) + "\n").encode()
    parts = {each: each.with_name(f"{each.name}.part") for each in contents}
    try:
        for each, data in contents.items():
            parts[each].write_bytes(data)
        for each, part in parts.items():
            part.replace(each)
    except OSError as error:
        raise OutputError(f"cannot write {each}: {error.strerror}") from error
    finally:
        for part in parts.values():
            with suppress(OSError):
                part.unlink(missing_ok=True)
