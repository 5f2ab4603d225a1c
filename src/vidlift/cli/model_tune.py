"""``vidlift model tune``: a network fine-tuned on a title."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidlift.cli.console import out, warn
from vidlift.cli.model_train import Bf16, Device, RunFolder, Threads, check_folder, held, need_torch
from vidlift.cli.report import check_report, save_json


def tune(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL|RUN", help="A network by name or file, or a run's folder."),
    ],
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="VIDEO", help="Further videos.")
    ] = None,
    *,
    on: Annotated[
        list[Path],
        typer.Option("--on", metavar="VIDEO...", help="Videos of the title, or folders of them."),
    ],
    minutes: Annotated[float, typer.Option(metavar="N", help="How long to train, about.")] = 2.0,
    crf: Annotated[
        int,
        typer.Option(min=0, max=51, help="x264 quality of the small pictures; 0 is lossless."),
    ] = 28,
    folder: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="Where model and card go.")
    ] = Path(),
    name: Annotated[
        str | None, typer.Option(help="Name of the model.  [default: MODEL-VIDEO]")
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store weights as float16: half the bytes.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write frames and gain as JSON.")
    ] = None,
    run: RunFolder = None,
    device: Device = "auto",
    threads: Threads = None,
    bf16: Bf16 = None,
) -> None:
    """Fine-tune a network on a title and write it as a model with its card.

    Frames of the title are shrunk and sent through x264 to learn from; every eighth window of
    frames is held out, and what tuning gained is measured there.
    """
    need_torch()
    check_report(report)
    check_folder(folder)
    from vidlift.cli import training_progress
    from vidlift.training import export, gather
    from vidlift.training import tune as tuning
    from vidlift.training.machine import Machine

    videos = gather.videos([*on, *(more or [])])
    recipe = tuning.recipe_for(model, videos, crf=crf, name=name)
    machine = Machine(device=device, threads=threads, bf16=bf16)
    own = run or Path("runs") / recipe.name
    with held(own), training_progress.shown(recipe.name) as show:
        state, figures = tuning.tune(recipe, minutes=minutes, out=own, on=machine, report=show)
    where = export.write(state, folder, half=half, figures={"held_out": figures.as_json()})
    save_json(
        report,
        {
            "model": str(where),
            "began_from": model,
            "titles": [str(video) for video in videos],
            "crf": crf,
            "steps": state.step,
            "seconds": round(state.seconds, 1),
            **figures.as_json(),
        },
    )
    out.print(
        f"{where}: {state.step} steps in {state.seconds / 60:.1f} minutes on {figures.frames} "
        f"frames; on {figures.held_out} held-out frames bicubic {figures.bicubic:.2f} dB, "
        f"before {figures.before:.2f}, tuned {figures.after:.2f}, {figures.gain:+.2f} over bicubic",
    )
    if figures.after <= figures.before:
        warn(f"tuning did not help: on held-out frames {model} was as good; keep that one")
