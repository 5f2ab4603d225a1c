"""Keep an encoder's threads beside everybody else's."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def share_the_processor() -> None:
    """Give every real-time thread of this process the ordinary policy.

    Run as root, SVT-AV1 starts its threads with the highest real-time priority: while they work,
    nothing else on the machine does, and where they wait for one another it stands still. Call
    it once an encoder has started. Without ``/proc`` (not Linux) it does nothing.
    """
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return
    for task in tasks.iterdir():
        with suppress(ProcessLookupError):  # it has just ended
            if os.sched_getscheduler(int(task.name)) in (os.SCHED_FIFO, os.SCHED_RR):
                os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))
