"""``vidlift data``: pictures and videos made into training sets."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidlift.cli.console import out, warn
from vidlift.cli.model_train import need_torch
from vidlift.descriptor import SCALES
from vidlift.errors import UsageError

if TYPE_CHECKING:
    from vidlift.training.pack import Summary

app = typer.Typer(no_args_is_help=True, help="Make training sets.")


@app.callback()
def data() -> None:
    """Make training sets."""


@app.command()
def pack(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCES... OUT", help="Pictures, videos, folders.")
    ],
    *,
    sequences: Annotated[
        bool, typer.Option("--sequences", help="Shots that went through codecs, for --scale.")
    ] = False,
    scale: Annotated[
        int | None,
        typer.Option("-s", "--scale", help="Of sequences: 2, 3 or 4.", show_default="4"),
    ] = None,
    codecs: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=SHARE,...",
            help="What sequences go through: clean, h264, hevc, vp9, av1, by shares of 1."
            "  [default: clean=0.2,h264=0.5,hevc=0.15,vp9=0.05,av1=0.1]",
        ),
    ] = None,
    max_mb: Annotated[
        float | None,
        typer.Option(metavar="MB", help="How large the pack may be; files are drawn at random."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn at random.")] = 1,
) -> None:
    """Pack pictures and videos into the folder OUT, to train on.

    Near-duplicates, flat, tiny and damaged pictures are skipped and named in OUT/pack.json. One
    source in twenty is set aside for validation. A pack that OUT holds is replaced.
    """
    need_torch()
    from vidlift.training import degrade, gather
    from vidlift.training.pack import write

    *entries, target = sources
    if not entries:
        raise UsageError("give at least one source and the folder to write: SOURCES... OUT")
    if scale is not None and not sequences:
        raise UsageError("--scale is that of sequences: give --sequences as well")
    scale = 4 if scale is None else scale
    if scale not in SCALES:
        raise UsageError(f"scale {scale}: sequences are for 2, 3 or 4")
    if codecs is not None and not sequences:
        raise UsageError("--codecs is what sequences go through: give --sequences as well")
    if max_mb is not None and not 0 < max_mb < math.inf:
        raise UsageError(f"the most MB of a pack are a number above 0, got {max_mb:g}")
    degradation = degrade.Degradation() if codecs is None else degrade.parse(codecs)
    found = gather.files(entries)
    if max_mb is not None:
        random.Random(seed).shuffle(found)
    skipped: dict[str, str] = {}
    about: dict[str, Any] = {"kind": "sequences" if sequences else "pictures", "seed": seed}
    if sequences:
        options = gather.SequenceOptions(scale=scale, seed=seed)
        items = gather.sequence_items(
            _counted(found), skipped, degradation=degradation, options=options
        )
        about["scale"] = scale
        about["codecs"] = degradation.shares
    else:
        items = gather.still_items(_counted(found), skipped)
    limit = None if max_mb is None else int(max_mb * 1e6)
    _print(target, write(target, items, skipped=skipped, about=about, max_bytes=limit))


def _counted(found: Sequence[Path]) -> Iterator[Path]:
    """The files, each told as its turn comes."""
    from vidlift.cli.training_progress import counted

    tell = counted("files")
    for done, where in enumerate(found):
        tell(done, len(found))
        yield where
    tell(len(found), len(found))


def _print(target: Path, summary: Summary) -> None:
    out.print(
        f"{target}: {summary.items} pictures, {summary.held_out} of them for validation, "
        f"{summary.samples / 1e6:.1f} million samples, {summary.bytes / 1e6:.1f} MB; "
        f"{len(summary.skipped)} skipped",
    )
    if summary.full:
        out.print("  the limit is reached: the rest of the files is not in it")
    if not summary.held_out:
        warn(
            "none of these sources falls into the validation split, one in twenty on average: "
            "training will show no figures for it; give more sources"
        )
    reasons: dict[str, int] = {}
    for reason in summary.skipped.values():
        kind = reason.split(":")[0] if reason.startswith("cannot") else reason
        kind = "nearly the same as another" if kind.startswith("nearly") else kind
        reasons[kind] = reasons.get(kind, 0) + 1
    for reason, count in sorted(reasons.items()):
        out.print(f"  {count} x {reason}")
