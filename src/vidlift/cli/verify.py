"""``vidlift verify``: proof that a file is another one, super-resolved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidlift.cli.console import out


def verify(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="What went in.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="What `upscale` made of it.")],
) -> None:
    """Compare an upscaled file with its input.

    Number of frames, every time, tags, every other stream packet by packet, and the picture,
    scaled down again. Ends with exit code 7 and the first difference where they do not agree.
    """
    from vidlift.jobs.verify import verify as compare

    found = compare(source, output)
    times = "exact" if found.exact_times else "equal after the container's rounding"
    out.print(f"frames   {found.frames}, at {found.scale} times the size")
    out.print(f"times    {times}, all {found.frames}")
    out.print("tags     size, aspect, colour, rotation agree")
    out.print(
        f"picture  scaled down: PSNR {found.min_psnr:.2f} dB at least, {found.mean_psnr:.2f} mean"
    )
    for stream in found.streams:
        out.print(f"copied   {stream}, byte for byte")
    for stream in found.missing:
        out.print(f"missing  {stream}")
