"""What figures of speed depend on: the processor, its units, the versions of the runtimes."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_UNITS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def about() -> dict[str, Any]:
    """The machine and the software, as they stand in every file of results."""
    described = _processor()
    flags = described.get("flags", "").split()
    return {
        "processor": described.get("model name") or platform.processor() or platform.machine(),
        "units": [unit for unit in _UNITS if unit in flags],
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "versions": {
            name: found
            for name in ("vidlift", "openvino", "onnxruntime", "av", "numpy")
            if (found := _version(name))
        },
    }


def _processor() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {}
    fields = (line.partition(":") for line in lines)
    # The first processor stands for all: the last of equal keys would win, so read backwards.
    return {key.strip(): value.strip() for key, _, value in reversed(list(fields))}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
