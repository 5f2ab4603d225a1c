"""The two consoles of the command line: results on stdout, progress and trouble on stderr.

Text is printed as it is, and lines on stdout are broken by the terminal alone: other programs
read them too. What draws them takes some 25 ms and 3 MB to load, which a player may do without:
it is loaded when something is printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text


_AS_IT_IS: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
"""In the name of a file neither brackets nor colons mean anything."""


class _Later:
    """A console that is made when it is first used."""

    def __init__(self, **how: Any) -> None:
        self._how = how
        self._made: Console | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            from rich.console import Console

            self._made = Console(**_AS_IT_IS, **self._how)
        return getattr(self._made, name)


out = cast("Console", _Later(soft_wrap=True))
err = cast("Console", _Later(stderr=True))

WIDE = 10_000
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
    if out.is_terminal:
        out.print(table, soft_wrap=False)
        return
    from rich.console import Console

    wide = Console(file=out.file, width=WIDE, **_AS_IT_IS)
    with wide.capture() as captured:
        wide.print(table)
    for line in captured.get().splitlines():
        out.print(line.rstrip())


def warn(message: str) -> None:
    """One line on stderr that does not stop the run."""
    err.print(f"vidlift: warning: {message}", style="yellow", soft_wrap=True)
