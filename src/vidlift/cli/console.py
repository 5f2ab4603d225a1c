"""The two consoles of the command line: results on stdout, progress and trouble on stderr."""

from __future__ import annotations

from rich.console import Console

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def warn(message: str) -> None:
    """One line on stderr that does not stop the run."""
    err.print(f"vidlift: warning: {message}", style="yellow", markup=False, soft_wrap=True)
