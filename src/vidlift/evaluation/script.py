"""What benchmarks do with bad input: one line, and the exit code of its kind."""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from vidlift.errors import InputError, VidliftError


def run(main: Callable[[], int | None]) -> NoReturn:
    """End as ``main`` does; of what is wrong, say so after the name of the script."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        said, code = "interrupted", 128 + signal.SIGINT
    except VidliftError as error:
        said, code = str(error), error.exit_code
    except OSError as error:
        said, code = str(error), InputError.exit_code
    sys.stderr.write(f"{Path(sys.argv[0]).stem}: {said}\n")
    sys.exit(code)


def count(text: str) -> int:
    """The type of an option that says how many: 1 at least."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return int(text)
