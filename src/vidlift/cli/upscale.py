"""``vidlift upscale``: a file, bigger and sharper, and never lost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidlift.cli.console import out, warn
from vidlift.cli.progress import shown


def upscale(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="Any video that FFmpeg can decode, or its URL.")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="An .mp4 or .mkv file.")],
    *,
    scale: Annotated[
        int | None, typer.Option("-s", "--scale", help="2, 3 or 4.  [default: 2, or the model's]")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            metavar="NAME|FILE.onnx",
            help="A name of `vidlift model list` or a model file.  [default: m of the scale]",
        ),
    ] = None,
    codec: Annotated[str, typer.Option(help="h264, hevc or av1.")] = "h264",
    crf: Annotated[
        int | None,
        typer.Option(help="Quality, lower is better.  [default: h264 18, hevc 20, av1 28]"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace OUTPUT, once the new one is whole.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Go on with unfinished work, or afresh.")
    ] = True,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write the receipt here.")
    ] = None,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Show no progress.")] = False,
) -> None:
    """Super-resolve a video file.

    Every frame keeps its time; sound, subtitles, chapters and attachments are copied as they are.
    When this is killed, or the disk fills up, run the same command again and it goes on where it
    was. OUTPUT appears whole or not at all; unfinished work is in OUTPUT.vidlift-job/.
    """
    from vidlift.jobs.upscale import UpscaleOptions, upscale_file
    from vidlift.sinks.file import EncoderOptions

    options = UpscaleOptions(
        scale=scale,
        model=model,
        encoder=EncoderOptions(codec=codec, crf=crf),
        overwrite=overwrite,
        resume=resume,
    )
    with shown(f"{Path(source).name} → {output.name}", quiet=no_progress) as progress:
        receipt = upscale_file(source, output, options, report=progress)
    for warning in receipt.warnings:
        warn(warning)
    width, height = receipt.size_out
    made = receipt.frames_out - receipt.extra["resumed_frames"]
    out.print(
        f"{output}: {receipt.frames_out} frames, {width}x{height}, {receipt.model}; "
        f"{made} of them now, at {receipt.fps} frames/s",
        soft_wrap=True,
    )
    if report is not None:
        receipt.save(report)
