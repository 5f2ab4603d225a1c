"""``vidlift model train`` and ``export``: from a recipe to a model file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidlift.cli.console import err, out
from vidlift.errors import UsageError

if TYPE_CHECKING:
    from vidlift.training.loop import Status


def train(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE.toml", help="What to train: see recipes/.")
    ],
    *,
    data: Annotated[
        Path, typer.Option(metavar="FOLDER", help="What the recipe's folders are relative to.")
    ] = Path(),
    run: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Checkpoint and log; a run found there goes on.  [default: runs/NAME]",
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Train for so many steps instead of the recipe's.")
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="Threads on a CPU.  [default: all cores]")
    ] = None,
) -> None:
    """Train a network; interrupt it and run it again, and it goes on to the same result."""
    need_torch()
    from vidlift.training import loop
    from vidlift.training import recipe as recipes

    wanted = recipes.read(recipe, **({} if steps is None else {"steps": steps}))
    folder = run or Path("runs") / wanted.name
    machine = loop.Machine(device=device, threads=threads)
    state = loop.train(wanted, data=data, out=folder, machine=machine, report=_print)
    out.print(
        f"{folder}: {state.step} steps in {state.seconds / 60:.1f} minutes; "
        f"`vidlift model export {folder} FOLDER` makes the model file",
        soft_wrap=True,
    )


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a training run.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where model and card go.")],
    *,
    name: Annotated[
        str | None, typer.Option(help="Name of the model.  [default: the recipe's]")
    ] = None,
) -> None:
    """Write the model file of a run and its card, checked against the trained network."""
    need_torch()
    from dataclasses import replace

    from vidlift.training import checkpoint
    from vidlift.training.export import write

    state = checkpoint.load(run / "checkpoint.pt")
    if name is not None:
        state = replace(state, recipe=replace(state.recipe, name=name))
    where = write(state, folder)
    out.print(f"{where}: {where.stat().st_size} bytes, {state.step} steps", soft_wrap=True)


def _print(status: Status) -> None:
    psnr = "" if status.psnr is None else f", validation {status.psnr:.2f} dB"
    minutes, seconds = divmod(round(status.seconds_left), 60)
    err.print(
        f"step {status.step}/{status.steps}, loss {status.loss:.3f}{psnr}, "
        f"{minutes}:{seconds:02d} left",
        soft_wrap=True,
    )


def need_torch() -> None:
    from importlib.util import find_spec

    for package in ("torch", "pytorch_optimizer"):
        if find_spec(package) is None:
            raise UsageError(
                f"training needs the package {package}: `pip install 'vidlift[train]'` brings it"
            )
