"""What ends the program can wait a moment: until something that is half done is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")

_ENDING = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
"""Windows has no ``SIGHUP``."""


@contextmanager
def held_back() -> Iterator[None]:
    """Deliver Ctrl-C and signals that end programs when this context ends, not within it.

    Only the main thread hears of them, so in others this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in _ENDING}
    try:
        for number in _ENDING:
            signal.signal(number, lambda number, _frame: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for each in came:
        signal.raise_signal(each)
