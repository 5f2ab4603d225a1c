"""What the C library's allocator does with memory that was given back."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_ARENA_MAX = -8
"""glibc's number for the option, from malloc.h."""


def share_one_arena() -> None:
    """Have all threads allocate from one place; call it before there are others.

    glibc gives every thread an arena of its own, and frames that one thread makes and another
    drops leave holes in each: 9 of 258 MB of a player at 270p x4. Elsewhere this does nothing.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Return to the system what is free between allocations, after work that took much.

    glibc keeps it: compiling a network leaves some 10 MB of it. Elsewhere this does nothing.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
