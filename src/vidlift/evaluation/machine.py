"""What figures of speed depend on: the processor, its units, the versions of the runtimes."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from vidlift import system

_UNITS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def about() -> dict[str, Any]:
    """The machine and the software, as they stand in every file of results."""
    flags = system.cpuinfo().get("flags", "").split()
    return {
        "processor": system.processor(),
        "units": [unit for unit in _UNITS if unit in flags],
        "cores": system.cores(),
        "system": system.name(),
        "versions": {
            name: found
            for name in ("vidlift", "openvino", "onnxruntime", "av", "numpy")
            if (found := _version(name))
        },
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
