"""The command line: ``run`` is the program ``vidlift``."""

from __future__ import annotations

import sys
from contextlib import suppress

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def run() -> None:
    """Entry point of the console script. Loading the commands takes a moment in which somebody
    may press Ctrl-C already."""
    with suppress(AttributeError):  # what stands in for a console may not know of this
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        from vidlift.cli.main import app
    except KeyboardInterrupt:
        sys.stderr.write("vidlift: interrupted\n")
        sys.exit(INTERRUPTED)
    app()
