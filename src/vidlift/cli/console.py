"""The two consoles of the command line: results on stdout, progress and trouble on stderr.

What draws them takes some 25 ms and 3 MB to load, which a player may do without: it is loaded
when something is printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text


class _Later:
    """A console that is made when it is first used."""

    def __init__(self, **how: Any) -> None:
        self._how = how
        self._made: Console | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            from rich.console import Console

            self._made = Console(highlight=False, **self._how)
        return getattr(self._made, name)


out = cast("Console", _Later())
err = cast("Console", _Later(stderr=True))


WIDE = 240
"""Columns that a table may have where it goes into a file or another program."""


def plain_table(**how: Any) -> Table:
    """A table without lines, to be filled."""
    from rich.table import Table

    return Table(box=None, pad_edge=False, **how)


def verbatim(text: str) -> Text:
    """A cell in which brackets are brackets."""
    from rich.text import Text

    return Text(text)


def print_table(table: Table) -> None:
    """A table on stdout: as wide as the terminal, or, where there is none, as it needs."""
    from rich.console import Console

    # A console of its own: rich never prints wider than the console is.
    where = out if out.is_terminal else Console(file=out.file, width=WIDE, highlight=False)
    where.print(table)


def warn(message: str) -> None:
    """One line on stderr that does not stop the run."""
    err.print(f"vidlift: warning: {message}", style="yellow", markup=False, soft_wrap=True)
