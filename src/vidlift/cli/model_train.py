"""``vidlift model train``, ``distill`` and ``export``: from a recipe to a model file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidlift.cli.console import out, warn
from vidlift.errors import OutputError, UsageError

if TYPE_CHECKING:
    from vidlift.training.checkpoint import Checkpoint
    from vidlift.training.machine import Machine
    from vidlift.training.recipe import Recipe

LOCK = "lock"
"""File in the folder of a run that the process which trains there holds."""

RecipeFile = Annotated[
    Path, typer.Argument(metavar="RECIPE.toml", help="What to train: see recipes/.")
]
Data = Annotated[
    Path,
    typer.Option("--data", metavar="FOLDER", help="What the recipe's folders are relative to."),
]
RunFolder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FOLDER",
        help="Checkpoint and log; a run found there goes on.  [default: runs/NAME]",
    ),
]
Steps = Annotated[
    int | None, typer.Option(min=1, help="Train for so many steps instead of the recipe's.")
]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where.")]
Threads = Annotated[
    int | None,
    typer.Option(min=1, max=1024, metavar="N", help="Threads on a CPU.  [default: as measured]"),
]

Bf16 = Annotated[
    bool | None,
    typer.Option(
        "--bf16/--no-bf16",
        help="Compute the layers between the ends in bfloat16.  [default: as measured]",
    ),
]


def train(
    recipes: Annotated[
        list[Path], typer.Argument(metavar="RECIPE.toml...", help="What to train: see recipes/.")
    ],
    *,
    data: Data = Path(),
    run: RunFolder = None,
    steps: Steps = None,
    device: Device = "auto",
    threads: Threads = None,
    bf16: Bf16 = None,
) -> None:
    """Train a network; interrupt it and run it again, and it goes on to the same result.

    Several are trained in turns of a step, which a GPU works on side by side. Under
    `torchrun --no-python vidlift model train ...` several processes share each batch of one.
    """
    need_torch()
    from vidlift.training.machine import Machine

    wanted = [_read(recipe, steps=steps) for recipe in recipes]
    on = Machine(device=device, threads=threads, bf16=bf16)
    if len(wanted) == 1:
        run_recipe(wanted[0], data=data, folder=run, on=on)
        return
    if run is not None:
        raise UsageError("--out is for a single recipe; several lie in runs/, each by its name")
    names = [each.name for each in wanted]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"two recipes are named {twice.pop()}: they would share a folder")
    run_together(wanted, data=data, on=on)


def distill(
    recipe: RecipeFile,
    *,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|NAME|FILE.onnx",
            help="A run's folder, a model, or a published network whose licence allows it."
            "  [default: the recipe's]",
        ),
    ] = None,
    ensemble: Annotated[
        bool | None,
        typer.Option(
            "--ensemble/--no-ensemble",
            help="Average the teacher over eight ways to turn its input.  [default: the recipe's]",
        ),
    ] = None,
    data: Data = Path(),
    run: RunFolder = None,
    steps: Steps = None,
    device: Device = "auto",
    threads: Threads = None,
    bf16: Bf16 = None,
) -> None:
    """Train a network that learns from a teacher beside the true pictures.

    What the teacher makes of the training set is made once and kept beside the runs. How much of
    the loss it has is the recipe's teacher_share, and feature_share for its features.
    """
    need_torch()
    from vidlift.training.machine import Machine

    wanted = _read(recipe, steps=steps, teacher=teacher, teacher_ensemble=ensemble)
    if wanted.teacher is None:
        raise UsageError(f"{recipe} names no teacher; give one with --teacher")
    on = Machine(device=device, threads=threads, bf16=bf16)
    run_recipe(wanted, data=data, folder=run, on=on)


def run_recipe(recipe: Recipe, *, data: Path, folder: Path | None, on: Machine) -> None:
    """Train as a recipe says, showing how far it is."""
    from vidlift.cli import teachers, training_progress
    from vidlift.training import loop, ranks

    folder = folder or Path("runs") / recipe.name
    cache = folder.parent / "taught"
    with (
        held(folder),
        teachers.opened(recipe, cache=cache, threads=on.threads) as teacher,
        training_progress.shown(recipe.name) as report,
    ):
        _tell_start(recipe, folder)
        state = loop.train(recipe, data=data, out=folder, on=on, teacher=teacher, report=report)
    if ranks.is_first():
        _tell(folder, state)


def run_together(recipes: Sequence[Recipe], *, data: Path, on: Machine) -> None:
    """The same for several, side by side."""
    from vidlift.cli import teachers, training_progress
    from vidlift.training import loop

    runs = Path("runs")
    with ExitStack() as stack:
        for recipe in recipes:
            stack.enter_context(held(runs / recipe.name))
            _tell_start(recipe, runs / recipe.name)
        taught = [
            stack.enter_context(teachers.opened(recipe, cache=runs / "taught", threads=on.threads))
            for recipe in recipes
        ]
        reports = stack.enter_context(
            training_progress.shown_together([recipe.name for recipe in recipes])
        )
        jobs = [
            loop.Job(recipe=recipe, out=runs / recipe.name, teacher=teacher, report=report)
            for recipe, teacher, report in zip(recipes, taught, reports, strict=True)
        ]
        states = loop.train_together(jobs, data=data, on=on)
    for job, state in zip(jobs, states, strict=True):
        _tell(job.out, state)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Have the folder of a run for this process, and those of its ``torchrun``, alone.

    Raises ``UsageError`` while another trains there, ``OutputError`` where it cannot be written. A
    folder in which nothing came about is removed.
    """
    from vidlift.jobs.notes import alone
    from vidlift.training import ranks

    if not ranks.is_first():
        yield
        return
    lock = folder / LOCK
    busy = f"another vidlift is training in {folder} at this moment"
    with alone(lock, busy=busy, cannot=f"cannot write the run into {folder}"):
        try:
            yield
        finally:
            with suppress(OSError):
                if [each.name for each in folder.iterdir()] == [LOCK]:
                    lock.unlink()
                    folder.rmdir()


def check_folder(folder: Path) -> None:
    """Make sure, before the work, that files can be written into a folder that is there or is to
    be made. Raises ``OutputError``."""
    try:
        there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {error.strerror}") from error


def _tell_start(recipe: Recipe, folder: Path) -> None:
    """Tell where what a run begins from gives it less than the whole network."""
    from vidlift.training import checkpoint, ranks, run

    if recipe.start is None or not ranks.is_first() or (folder / checkpoint.FILE).exists():
        return
    came, layers = run.came_over(recipe)
    if came < layers:
        warn(
            f"{came} of the {layers} layers of {recipe.name} come from {recipe.start}; the others, "
            "of another shape or not there, begin anew"
        )


def _tell(folder: Path, state: Checkpoint) -> None:
    out.print(
        f"{folder}: {state.step} steps in {state.seconds / 60:.1f} minutes; "
        f"`vidlift model export {folder} FOLDER` makes the model file",
    )


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a training run.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where model and card go.")],
    *,
    name: Annotated[
        str | None, typer.Option(help="Name of the model.  [default: the recipe's]")
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store weights as float16: half the bytes.")
    ] = False,
) -> None:
    """Write the model file of a run and its card, checked against the trained network."""
    need_torch()
    from vidlift.training import checkpoint
    from vidlift.training.export import write

    check_folder(folder)
    state = checkpoint.load(run / checkpoint.FILE)
    where = write(state, folder, half=half, name=name)
    out.print(f"{where}: {where.stat().st_size} bytes, {state.step} steps")


def _read(where: Path, **changes: Any) -> Recipe:
    from vidlift.training import recipe as recipes

    return recipes.read(where, **{k: v for k, v in changes.items() if v is not None})


def need_torch() -> None:
    from importlib.util import find_spec

    for package in ("torch", "pytorch_optimizer"):
        if find_spec(package) is None:
            raise UsageError(
                f"training needs the package {package}: `pip install 'vidlift[train]'` brings it"
            )
