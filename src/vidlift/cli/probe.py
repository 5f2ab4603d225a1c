"""``vidlift probe``: what a file holds."""

from __future__ import annotations

from typing import Annotated

import typer

from vidlift.cli.console import out


def probe(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A video file, or its URL.")],
) -> None:
    """Print what a file holds: its video as Vidlift sees it, and its other streams."""
    from rich.table import Table

    from vidlift.jobs.probe import probe as look

    found = look(source)
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in found.items():
        table.add_row(name, value)
    out.print(table)
