"""Where figures come from: the command and its day, and what speed depends on: the processor, its
units, the versions of the runtimes."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vidlift import system

_UNITS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def about() -> dict[str, Any]:
    """The command, the machine and the software, as they stand in every file of results."""
    flags = system.cpuinfo().get("flags", "").split()
    return {
        "command": _command(),
        "date": datetime.now(UTC).date().isoformat(),
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


def comparable(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether times of two results may stand side by side: all the same but command and day."""
    return _settings(one) == _settings(other)


def _settings(made: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in made.items() if name not in {"command", "date"}}


def _command() -> str:
    """What was typed, as it is typed in the folder of the project."""
    program, *arguments = sys.argv
    where = Path(program)
    script = ["python", f"{where.parent.name}/{where.name}"]
    return shlex.join([*(script if where.suffix == ".py" else [where.name]), *arguments])


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
