"""``vidlift model quantize``: a model in 8-bit integers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from vidlift.cli.console import out
from vidlift.cli.model_train import check_folder, need_torch
from vidlift.errors import UsageError


def quantize(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A network by name, or a model file.")
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where MODEL-int8 and its card go.")
    ],
    *,
    data: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="A pack, or a folder of pictures, to measure on."),
    ],
    max_loss: Annotated[
        float, typer.Option(min=0, metavar="DB", help="What it may lose on held-out pictures.")
    ] = 0.05,
) -> None:
    """Write a model in 8-bit integers (extra `quantize`), with its loss on held-out pictures.

    As many layers are quantised as the loss allows. For bfloat16 no file is needed: engines
    compute in it as they are told.
    """
    need_torch()
    if math.isnan(max_loss):
        raise UsageError(f"--max-loss is a number of dB, got {max_loss}")
    check_folder(folder)
    from vidlift import models
    from vidlift.training import dataset, export
    from vidlift.training import quantize as quantizing

    quantizing.check_extra()
    loaded = models.load(model)
    training, held_out = dataset.split(data, scale=loaded.descriptor.scale)
    made = quantizing.quantize(loaded, training, held_out, max_loss=max_loss)
    card = models.card(model) or {}
    figures = {
        "int8": {
            "in_float": list(made.in_float),
            "held_out_pictures": len(held_out),
            "float32": round(made.before, 3),
            "int8": round(made.after, 3),
            "loss": round(made.loss, 3),
        }
    }
    where = export.write_variant(made.model, folder, card=card, figures=figures)
    out.print(
        f"{where}: {where.stat().st_size} bytes, {made.before:.3f} dB in float32, "
        f"{made.after:.3f} in 8 bits on {len(held_out)} held-out pictures, "
        f"loss {made.loss:.3f}; in float32 still: {', '.join(made.in_float)}",
    )
