"""``vidlift verify``: proof that a file is another one, super-resolved."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidlift.cli.console import out
from vidlift.cli.progress import shown
from vidlift.cli.report import check_report, save_json
from vidlift.errors import VerificationError

if TYPE_CHECKING:
    from vidlift.jobs.verify import Verification


def verify(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="What went in: a file, or its URL.")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="What `upscale` made of it.")],
    *,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write what was found here.")
    ] = None,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Show no progress.")] = False,
) -> None:
    """Compare an upscaled file with its input.

    Number of frames, every time, tags, every other stream packet by packet, and the picture,
    scaled down again. Ends with exit code 7 and the first difference where they do not agree.
    """
    from vidlift.jobs.verify import verify as compare

    check_report(report, apart_from=(source, output))
    try:
        with shown(output.name, quiet=no_progress) as progress:
            found = compare(source, output, report=progress)
    except VerificationError as error:
        save_json(report, {"verified": False, "difference": str(error)})
        raise
    _print(found)
    save_json(report, {"verified": True, **_plain(found)})


def _print(found: Verification) -> None:
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


def _plain(found: Verification) -> dict[str, Any]:
    """As JSON has it: two equal pictures are infinitely alike, which it cannot say."""
    return {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in asdict(found).items()
    }
