"""``vidlift probe``: what a file holds."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from vidlift.cli.console import plain_table, print_table, verbatim


def probe(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A video file, or its URL.")],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print it as JSON, for programs.")
    ] = False,
) -> None:
    """Print what a file holds.

    Its video as Vidlift sees it: size, times, colour, shape; and every stream beside it.
    """

    from vidlift.jobs.probe import probe as look

    found = look(source)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = plain_table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in found.items():
        table.add_row(name, verbatim(value))
    print_table(table)
