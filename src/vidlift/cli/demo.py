"""``vidlift demo``: the whole of it on one bundled clip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidlift.cli.console import err, out
from vidlift.cli.play import default_display, say_no_screen
from vidlift.cli.receipt_table import print_receipt


def demo(
    *,
    folder: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where the results go.")
    ] = Path("demo-out"),
    display: Annotated[
        str | None,
        typer.Option(
            metavar="window|none",
            help="none plays for nobody.  [default: window where there is a screen]",
        ),
    ] = None,
) -> None:
    """Publish, serve, receive, super-resolve and play a bundled clip, and measure it all.

    Leaves what was received, the super-resolved clip with its sound, a picture that compares
    bicubic, Vidlift and the original, and the receipt.
    """
    from vidlift.demo.run import MODEL, run_demo
    from vidlift.player.options import PlayOptions

    options = PlayOptions(display=display or default_display())
    if display is None and options.display == "none":
        say_no_screen()
    found = run_demo(
        folder,
        display=options.display,
        say=lambda line: err.print(f"vidlift: {line}", soft_wrap=True),
    )
    print_receipt(found.receipt)
    gain = found.quality.vidlift - found.quality.bicubic
    out.print(
        f"\nsent     {found.sent / 1e6:.2f} MB; the original has {found.original / 1e6:.2f} MB\n"
        f"PSNR-Y   bicubic {found.quality.bicubic:.2f} dB, "
        f"{MODEL} {found.quality.vidlift:.2f} dB ({gain:+.2f})\n"
        f"look at  {found.picture}\n         {found.video}\n         {found.report}",
    )
