"""The two consoles of the command line: results on stdout, progress and trouble on stderr."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


WIDE = 240
"""Columns that a table may have where it goes into a file or another program."""


def print_table(table: Table) -> None:
    """A table on stdout: as wide as the terminal, or, where there is none, as it needs."""
    # A console of its own: rich never prints wider than the console is.
    where = out if out.is_terminal else Console(file=out.file, width=WIDE, highlight=False)
    where.print(table)


def warn(message: str) -> None:
    """One line on stderr that does not stop the run."""
    err.print(f"vidlift: warning: {message}", style="yellow", markup=False, soft_wrap=True)
