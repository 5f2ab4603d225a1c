"""What the operating system tells of the machine and of this process; systems differ in it."""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpuinfo() -> dict[str, str]:
    """What Linux says of the first processor, by its own names; elsewhere nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {}
    fields = (line.partition(":") for line in lines)
    # The first processor stands for all: the last of equal keys would win, so read backwards.
    return {key.strip(): value.strip() for key, _, value in reversed(list(fields))}


def processor() -> str:
    """The CPU's own name of its model."""
    return cpuinfo().get("model name") or platform.processor() or platform.machine()


def name() -> str:
    """Name and release of the operating system."""
    return f"{platform.system()} {platform.release()}"


def peak_memory_mb() -> float | None:
    """Largest resident size of this process so far, in 10^6 bytes; None where none is told."""
    kilobytes = _peak_kilobytes()
    return None if kilobytes is None else round(kilobytes * 1024 / 1e6, 1)


def _peak_kilobytes() -> float | None:
    try:
        # ``getrusage`` of Linux counts what the process was before it became this program, too:
        # the whole of a large one that started it.
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])
    except (OSError, ValueError, IndexError):
        pass
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform == "darwin" else peak


def process_age() -> float | None:
    """Seconds since this process began, to the hundredth; None where none is told."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        begun = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
    return round(time.clock_gettime(time.CLOCK_BOOTTIME) - begun, 2)
