"""``vidlift play``: a small film, watched big."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from vidlift.cli.console import err, warn
from vidlift.cli.receipt_table import print_receipt
from vidlift.errors import UsageError


def play(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A video file, or its http(s) URL.")
    ],
    *,
    scale: Annotated[
        str,
        typer.Option("-s", "--scale", metavar="auto|2|3|4", help="auto: what fits the screen."),
    ] = "auto",
    model: Annotated[
        str,
        typer.Option(
            "-m",
            "--model",
            metavar="auto|NAME|FILE.onnx",
            help="A name of `vidlift model list` or a model file; auto: m of the scale.",
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
    duration: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Stop after so much of the film.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write the receipt here.")
    ] = None,
) -> None:
    """Play a video with its sound, super-resolved as it goes.

    Keys: space pauses, c switches between super-resolution and bicubic, f is for full screen,
    q or Esc quits. A frame that would come too late for super-resolution is shown all the same,
    interpolated; the receipt at the end says how many were.
    """
    from vidlift.player.play import PlayOptions
    from vidlift.player.play import play as play_film

    options = PlayOptions(
        scale=_scale(scale),
        model=None if model == "auto" else model,
        super_resolve=not no_sr,
        duration=duration,
        display=display or default_display(),
    )
    receipt = play_film(source, options)
    for warning in receipt.warnings:
        warn(warning)
    print_receipt(receipt)
    if report is not None:
        receipt.save(report)


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
    if not on_screen:
        err.print("vidlift: no screen found: playing without a window (--display none)")
    return "window" if on_screen else "none"
