"""Waiting for a server, a little at a time, so that whoever waits can be told to leave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from vidlift.stages.ahead import Aside

Result = TypeVar("Result")
Left = Callable[[], bool]
"""Whether what is waited for is not wanted any longer; asked from the thread that waits."""

LOOK = 0.2
"""Seconds that anybody waits at a time. Python obeys Ctrl-C in between, whichever thread it came
to, and whoever was told to leave does."""


class LeftError(OSError):
    """What was waited for is not wanted any longer."""


def _never() -> bool:
    return False


class _Thread(threading.local):
    left: Left = staticmethod(_never)


_thread = _Thread()


@contextmanager
def leaving(left: Left) -> Iterator[None]:
    """Inside, in this thread, ``in_steps`` ends once ``left`` says so.

    What waits lies below a library that would not hand it down: hence by thread.
    """
    before, _thread.left = _thread.left, left
    try:
        yield
    finally:
        _thread.left = before


def in_steps(step: Callable[[float], Result], timeout: float | None = None) -> Result:
    """What ``step`` gives, which waits for so many seconds and then raises ``TimeoutError``.

    It is done again until it gives something, ``timeout`` seconds are over (``TimeoutError``) or
    nobody wants it any longer (``LeftError``).
    """
    end = None if timeout is None else time.monotonic() + timeout
    while not _thread.left():
        rest = LOOK if end is None else end - time.monotonic()
        try:
            return step(min(max(rest, 1e-3), LOOK))
        except TimeoutError:
            if rest <= LOOK and end is not None:
                raise
    raise LeftError("nobody waits for it any longer")


def uninterrupted(work: Callable[[], Result]) -> Result:
    """What comes of ``work``, which Ctrl-C may not interrupt: it ends the wait for it instead."""
    if threading.current_thread() is not threading.main_thread():
        return work()  # where no signal comes
    return waited_for(work)


def waited_for(work: Callable[[], Result]) -> Result:
    """What comes of ``work``, which waits for as long as it likes. It may be left behind."""
    aside = Aside(work)
    in_steps(aside.wait)
    return aside.result()


def rest(ended: threading.Event, seconds: float) -> None:
    """Let time pass, unless ``ended`` is set before."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not ended.wait(min(left, LOOK)):
        pass
