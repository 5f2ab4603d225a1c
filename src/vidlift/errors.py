"""Every error that Vidlift means its user to see, and the exit code of each.

    VidliftError
    ├── UsageError         2   wrong use: an option, a mix of options, a name
    ├── InputError         3   the input cannot be read or is not supported
    ├── OutputError        4   the output cannot be written
    ├── NetworkError       5   the network or the server failed
    ├── ModelError         6   a model file or an engine failed
    └── VerificationError  7   two files that should agree do not

Who ends the program by a signal gets 128 and its number, as in shells: 130 for Ctrl-C, 143 for
SIGTERM, 129 for a terminal that closed, and 141 where nobody reads the output any longer.

A message has four parts where they apply: what was wanted, what came, what is allowed, the
likely cause. Foreign errors are translated where they enter, with ``raise ... from``.
"""

from __future__ import annotations


class VidliftError(Exception):
    """Base of the tree; ``exit_code`` is what the command line ends with."""

    exit_code = 1


class UsageError(VidliftError, ValueError):
    """The caller asked for something that does not exist or does not go together."""

    exit_code = 2


class InputError(VidliftError):
    """The input is missing, damaged or of a kind that is not supported."""

    exit_code = 3


class OutputError(VidliftError):
    """The output cannot be written: permission, space, or it is there already."""

    exit_code = 4


class NetworkError(VidliftError):
    """The server did not answer, or not with what it should have."""

    exit_code = 5


class ModelError(VidliftError):
    """A model file is not one of ours, or no engine can run it."""

    exit_code = 6


class VerificationError(VidliftError):
    """Two files that should hold the same do not; the message names the first difference."""

    exit_code = 7
