"""``vidlift play``: a small film, watched big."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidlift.cli.console import err, out, plain_table, print_table, warn
from vidlift.cli.receipt_table import print_receipt
from vidlift.cli.report import check_report, save_json
from vidlift.errors import UsageError, VidliftError
from vidlift.memory import forget_layers, share_one_arena

if TYPE_CHECKING:
    from vidlift.player.options import PlayOptions


def play(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Video files, or their http(s) URLs."),
    ],
    *,
    scale: Annotated[
        str,
        typer.Option("-s", "--scale", metavar="auto|2|3|4", help="auto: what fits the window."),
    ] = "auto",
    model: Annotated[
        str,
        typer.Option(
            "-m",
            "--model",
            metavar="auto|NAME|FILE.onnx",
            help="A name of `vidlift model list` or a model file; auto: the largest that this "
            "machine has time for, changing as it goes.",
        ),
    ] = "auto",
    display: Annotated[
        str | None,
        typer.Option(
            metavar="window|none",
            help="none plays for nobody, at the same pace.  [default: window where there is a "
            "screen]",
        ),
    ] = None,
    no_sr: Annotated[
        bool, typer.Option("--no-sr", help="Begin with bicubic interpolation; c switches.")
    ] = False,
    eco: Annotated[
        bool, typer.Option("--eco", help="Save power: only the cheapest networks.")
    ] = False,
    sound: Annotated[
        str | None,
        typer.Option(
            metavar="N|LANGUAGE|none",
            help="The track to play, as the file calls it; a is the next. none: without sound.",
        ),
    ] = None,
    subtitles: Annotated[
        str | None,
        typer.Option(metavar="N|LANGUAGE|none", help="Those to show; t is the next, or none."),
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Over and over.")] = False,
    duration: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Stop after so much of each film.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep what is received, as it came: .mp4, .mkv, .ts or .webm. For one URL.",
        ),
    ] = None,
    cache: Annotated[
        bool,
        typer.Option(
            "--cache/--no-cache", help="Keep what is received on the disk for another time."
        ),
    ] = True,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|gpu|npu", help="What runs the networks.")
    ] = "auto",
    engine: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="One that `vidlift doctor` lists, instead of a device."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Cores for the network; all unless said.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be used, and why.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Write the receipt here, or what --dry-run says."),
    ] = None,
) -> None:
    """Play videos with their sound, super-resolved as they go.

    Press h in the window for the list of keys: space pauses, the arrows seek, c switches between
    super-resolution and bicubic, v shows both side by side, i shows figures, q quits. No frame
    is dropped to super-resolve another: the network gives way to a smaller one, or to bicubic,
    and the receipt at the end says when and why.

    Of several, one that cannot be played is passed over with a warning; the exit code is then that
    of the first that failed: 3 for what cannot be read, 5 for what cannot be received.
    """
    from vidlift.player.options import PlayOptions

    share_one_arena()
    forget_layers()
    check_report(report, apart_from=(*sources, *([save] if save else [])))
    if save is not None and dry_run:
        raise UsageError("--dry-run receives nothing that --save could keep")
    options = PlayOptions(
        scale=_scale(scale),
        model=None if model == "auto" else model,
        super_resolve=not no_sr,
        duration=duration,
        display=display or ("none" if dry_run else default_display()),
        loop=loop,
        eco=eco,
        save=save,
        cached=cache,
        sound=_track(sound),
        subtitles=_track(subtitles),
        engine=engine or device,
        threads=threads,
    )
    if dry_run:
        plans = [_plan(source, options) for source in sources]
        save_json(report, {"plans": plans})
        return
    from vidlift.player.play import play_all

    def opened() -> None:
        if display is None and options.display == "none":
            say_no_screen()

    fresh = save is not None and not save.exists()
    try:
        receipt, failure = play_all(sources, options, opened=opened)
    except (KeyboardInterrupt, VidliftError):
        if fresh and save is not None and save.exists():
            warn(f"what was received is in {save}")
        raise
    if report is not None:
        receipt.save(report)
    for warning in receipt.warnings:
        warn(warning)
    print_receipt(receipt)
    if failure is not None:
        raise failure


def _plan(source: str, options: PlayOptions) -> dict[str, Any]:
    """Print what would be used for a film; returns it as JSON has it."""
    from vidlift.player.choose import plan

    found = plan(source, options)
    width, height = found.size
    out.print(
        f"{found.source}: {width}x{height}, {found.rate:g} frames/s, "
        f"{found.scale} times → {width * found.scale}x{height * found.scale}",
        markup=False,
        soft_wrap=True,
    )
    if found.chosen_for:
        out.print(f"networks chosen for {found.chosen_for}", markup=False, soft_wrap=True)
    table = plain_table()
    table.add_column("")
    table.add_column("network")
    table.add_column("engine")
    table.add_column("ms a frame", justify="right")
    table.add_column("")
    for name, engine, cost, verdict in found.rows:
        table.add_row("→" if name == found.rung else "", name, engine, f"{cost:.1f}", verdict)
    print_table(table)
    return {
        "source": found.source,
        "size": found.size,
        "rate": found.rate,
        "scale": found.scale,
        "network": found.rung,
        "chosen_for": found.chosen_for,
        "candidates": [
            {"network": name, "engine": engine, "ms_a_frame": cost, "verdict": verdict}
            for name, engine, cost, verdict in found.rows
        ],
    }


def _track(text: str | None) -> int | str | None:
    """A track as it is counted inside, from 0; ``none`` however it is written."""
    from vidlift.sources.labels import NONE

    if text is not None and text.casefold() == NONE:
        return NONE
    return int(text) - 1 if text is not None and text.isdecimal() else text


def _scale(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal():
        raise UsageError(f"scale {text!r} is none of auto, 2, 3, 4")
    return int(text)


def default_display() -> str:
    on_screen = sys.platform != "linux" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return "window" if on_screen else "none"


def say_no_screen() -> None:
    err.print("vidlift: no screen found: playing without a window (--display none)")
