"""The command line: ``run`` is the program ``vidlift``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vidlift.cli import ending, streams
from vidlift.errors import VidliftError


def run() -> None:
    """Entry point of the console script. Loading the commands takes a moment in which somebody
    may press Ctrl-C already."""
    streams.take()
    ending.listen()
    _have_a_home()
    try:
        from vidlift.cli.main import app

        app()
    except KeyboardInterrupt as stop:
        said, code = ending.told(stop)
    except VidliftError as error:  # what prints a help text is no command
        said, code = str(error), error.exit_code
    sys.stderr.write(f"vidlift: {said}\n")
    sys.exit(code)


def _have_a_home() -> None:
    """Let caches be without a place, which does them no harm, where the user has no folder."""
    try:
        Path.home()
    except RuntimeError:  # neither the environment nor the system's list of users says where
        os.environ["HOME"] = os.devnull
