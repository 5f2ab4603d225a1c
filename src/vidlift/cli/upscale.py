"""``vidlift upscale``: a file, bigger and sharper, and never lost."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidlift.cli.console import err, out, warn
from vidlift.cli.progress import shown
from vidlift.cli.receipt_table import print_receipt
from vidlift.cli.report import check_report
from vidlift.errors import UsageError

if TYPE_CHECKING:
    from vidlift.jobs.upscale import UpscaleOptions


def upscale(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="Any video that FFmpeg can decode, or its URL.")
    ],
    output: Annotated[
        Path | None, typer.Argument(metavar="OUTPUT", help="An .mp4 or .mkv file.")
    ] = None,
    *,
    scale: Annotated[
        int | None, typer.Option("-s", "--scale", help="2, 3 or 4.  [default: 2, or the model's]")
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "-m",
            "--model",
            metavar="auto|NAME|FILE.onnx",
            help="A name of `vidlift model list` or a model file; auto: m, trained on pictures or "
            "on coded streams, whichever suits INPUT.",
        ),
    ] = "auto",
    codec: Annotated[str, typer.Option(metavar="h264|hevc|av1", help="How to encode.")] = "h264",
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
    keep_going: Annotated[
        bool,
        typer.Option("--keep-going", help="Pass over what is damaged in INPUT, and name it."),
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep what is received from the URL, as it came, and work from that.",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write the receipt here.")
    ] = None,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Show no progress.")] = False,
    sink: Annotated[
        str,
        typer.Option(
            metavar="file|digest|null",
            help="digest prints one SHA-256 of all frames, null only measures: without OUTPUT.",
        ),
    ] = "file",
    verify: Annotated[
        str | None,
        typer.Option(metavar="DIGEST", help="With --sink digest: what it is to be."),
    ] = None,
) -> None:
    """Super-resolve a video file.

    Every frame keeps its time; sound, subtitles, chapters and attachments are copied as they are.
    When this is killed, or the disk fills up, run the same command again and it goes on where it
    was. OUTPUT appears whole or not at all; unfinished work is in OUTPUT.vidlift-job/.
    """
    from vidlift.jobs.judge import check_sink, judge
    from vidlift.jobs.upscale import UpscaleOptions, check_output, job_folder, upscale_file
    from vidlift.sinks.file import EncoderOptions

    options = UpscaleOptions(
        scale=scale,
        model=model,
        encoder=EncoderOptions(codec=codec, crf=crf),
        overwrite=overwrite,
        resume=resume,
        keep_going=keep_going,
    )
    if sink == "file":
        if output is None:
            raise UsageError("no OUTPUT given: an .mp4 or .mkv file to write")
        if verify is not None:
            raise UsageError("--verify compares a digest: it goes with --sink digest")
        check_report(report, apart_from=(source, output, *([save] if save else [])))
        check_output(source, output, options)
        if save is not None:
            if save.resolve() == output.resolve():
                raise UsageError(f"output and --save are the same file: {output}")
            source = _received(source, save, options)
        try:
            with shown(output.name, quiet=no_progress) as progress:
                receipt = upscale_file(source, output, options, report=progress)
        except KeyboardInterrupt:
            if job_folder(output).exists():
                warn("what is finished is kept: the same command goes on from there")
            raise
    else:
        if output is not None:
            raise UsageError(f"--sink {sink} writes no file: leave {output} out")
        check_report(report, apart_from=(source, *([save] if save else [])))
        check_sink(sink, expected=verify)
        if save is not None:
            source = _received(source, save, options)
        with shown(Path(source).name, quiet=no_progress) as progress:
            receipt = judge(source, options, sink=sink, expected=verify, report=progress)
    if report is not None:
        receipt.save(report)
    for warning in receipt.warnings:
        warn(warning)
    print_receipt(receipt)
    if "digest" in receipt.extra:
        out.print(f"digest {receipt.extra['digest']}")


def _received(source: str, save: Path, options: UpscaleOptions) -> str:
    """The file that a URL was received into, now or when this was called before."""
    from vidlift.sources import is_url, open_entry
    from vidlift.sources.keep import check_target, receive

    if not is_url(source):
        raise UsageError(f"{source} is a file already: only what comes from a URL is saved")
    if not save.exists():
        check_target(save)
        options.pick()  # whether there is such a model
        err.print(f"vidlift: receiving {save}", soft_wrap=True)
        entry = open_entry(source)
        assert not isinstance(entry, Path)
        with closing(entry):
            receive(entry, save)
    return str(save)
