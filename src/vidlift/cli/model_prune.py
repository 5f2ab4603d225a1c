"""``vidlift model prune``: a trained network cut down to a smaller one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidlift.cli.console import out
from vidlift.cli.model_train import Data, check_folder, need_torch
from vidlift.errors import OutputError, UsageError

BATCHES, BATCH = 16, 16
"""How many patches importance is measured on."""


def prune(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a training run.")],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the smaller network goes.")
    ],
    *,
    to: Annotated[
        str,
        typer.Option(
            metavar="TIER|ARCHITECTURE",
            help="xs, s, m or l, for what of that size loses least, or one such as plain-16x6.",
        ),
    ],
    data: Data = Path(),
) -> None:
    """Cut a trained network down: layers first, then channels, each time what matters least.

    Importance is measured on the run's own training pictures. To train what is left, give FOLDER
    as `start` in a recipe.
    """
    need_torch()
    from vidlift.training import checkpoint, dataset, patches, validation
    from vidlift.training import prune as pruning

    pruning.check_target(to)
    if (folder / checkpoint.FILE).exists():
        raise UsageError(f"{folder} holds a run already; give another folder")
    check_folder(folder)
    state = checkpoint.load(run / checkpoint.FILE)
    found = dataset.load(state.recipe, data)
    cut = patches.on_device(
        found.training,
        scale=state.recipe.scale,
        patch=state.recipe.patch,
        batch=BATCH,
        seed=state.recipe.seed,
    )
    pruned = pruning.prune(state, to, [cut(step) for step in range(BATCHES)])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {error.strerror}") from error
    checkpoint.save(folder / checkpoint.FILE, pruned.state)
    layers = ", ".join(f"layer {layer + 1}" for layer in sorted(pruned.layers)) or "no layer"
    now = pruned.state.recipe.architecture
    out.print(
        f"{folder}: {state.recipe.architecture} to {now}; taken out of the body: {layers}; "
        f"{pruned.channels} channels left",
    )
    if found.held_out:
        before, after = (
            validation.psnr(checkpoint.averaged(each), found.held_out)
            for each in (state, pruned.state)
        )
        out.print(f"validation {before:.2f} dB, now {after:.2f} dB before any fine-tuning")
