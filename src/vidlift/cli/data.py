"""``vidlift data``: pictures and videos made into training sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidlift.cli.console import out
from vidlift.cli.model_train import need_torch
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
    scale: Annotated[int, typer.Option("-s", "--scale", help="Of sequences: 2, 3 or 4.")] = 4,
    max_mb: Annotated[
        float | None, typer.Option(metavar="MB", help="Stop before the pack is larger.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn at random.")] = 1,
) -> None:
    """Pack pictures and videos into the folder OUT, to train on.

    Near-duplicates, flat, tiny and damaged pictures are skipped and named in OUT/pack.json. One
    source in twenty is set aside for validation.
    """
    need_torch()
    from vidlift.training import gather
    from vidlift.training.degrade import Degradation
    from vidlift.training.pack import write

    *entries, target = sources
    if not entries:
        raise UsageError("give at least one source and the folder to write: SOURCES... OUT")
    found = gather.files(entries)
    skipped: dict[str, str] = {}
    about = {"kind": "sequences" if sequences else "pictures", "seed": seed}
    if sequences:
        options = gather.SequenceOptions(scale=scale, seed=seed)
        items = gather.sequence_items(found, skipped, degradation=Degradation(), options=options)
        about["scale"] = scale
    else:
        items = gather.still_items(found, skipped)
    limit = None if max_mb is None else int(max_mb * 1e6)
    _print(target, write(target, items, skipped=skipped, about=about, max_bytes=limit))


def _print(target: Path, summary: Summary) -> None:
    out.print(
        f"{target}: {summary.items} pictures, {summary.held_out} of them for validation, "
        f"{summary.samples / 1e6:.1f} million samples, {summary.bytes / 1e6:.1f} MB; "
        f"{len(summary.skipped)} skipped",
        soft_wrap=True,
    )
    reasons: dict[str, int] = {}
    for reason in summary.skipped.values():
        kind = reason.split(":")[0] if reason.startswith("cannot") else reason
        kind = "nearly the same as another" if kind.startswith("nearly") else kind
        reasons[kind] = reasons.get(kind, 0) + 1
    for reason, count in sorted(reasons.items()):
        out.print(f"  {count} x {reason}", soft_wrap=True)
