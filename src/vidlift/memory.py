"""What libraries in C do with memory that was given back."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from functools import cache

_M_ARENA_MAX = -8
"""glibc's number for the option, from malloc.h."""


def share_one_arena() -> None:
    """Have all threads allocate from one place; call it before there are others.

    glibc gives every thread an arena of its own, and frames that one thread makes and another
    drops leave holes in each: 9 of 258 MB of a player at 270p x4. Elsewhere this does nothing.
    """
    with suppress(OSError, AttributeError):
        _libc().mallopt(_M_ARENA_MAX, 1)


def forget_layers() -> None:
    """Have oneDNN, by which OpenVINO computes, forget layers whose networks are gone; call it
    before any is compiled, in a process that compiles few of them twice.

    Else it keeps the last 1024: 8 MB once a player has tried all tiers. Loading a network again
    takes 10 ms more. It is read from the environment, where what the user says comes first.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "0")


def give_back() -> None:
    """Return to the system what is free between allocations, after work that took much.

    glibc keeps it: compiling a network leaves some 10 MB of it. Elsewhere this does nothing.
    """
    with suppress(OSError, AttributeError):
        _libc().malloc_trim(0)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
