"""Keep an encoder's threads beside everybody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def ordinary_threads() -> Iterator[None]:
    """Give threads that become real-time ones meanwhile the ordinary policy, at the end.

    Run as root, SVT-AV1 gives its threads, and the one that starts it, the highest real-time
    priority: while they work, nothing else on the machine does. Start an encoder inside. Without
    ``/proc`` (not Linux) it does nothing.
    """
    before = _real_time()
    yield
    for thread in _real_time() - before:
        with suppress(ProcessLookupError):  # it has just ended
            os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


def _real_time() -> set[int]:
    """Threads of this process that come before all ordinary ones."""
    tasks = Path("/proc/self/task")
    found = set()
    for task in tasks.iterdir() if tasks.is_dir() else ():
        with suppress(ProcessLookupError):
            if os.sched_getscheduler(int(task.name)) in (os.SCHED_FIFO, os.SCHED_RR):
                found.add(int(task.name))
    return found
