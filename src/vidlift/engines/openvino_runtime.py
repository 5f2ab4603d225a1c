"""OpenVINO itself, and the plans that it compiled for this CPU: kept on the disk, from where they
come sooner than they are compiled.

    $XDG_CACHE_HOME/vidlift/plans/9c1b…    0.1 to 0.6 MB each, used longest ago goes first
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

from vidlift.cache import Cache, folder, key_of
from vidlift.models import core, steps
from vidlift.system import cpuinfo

MOST = 64_000_000
"""Bytes of plans on the disk."""

_CONVERTER = "openvino.tools.ovc"
"""What OpenVINO imports where it can, and does without: its converter of models and telemetry,
two thirds of the time and half the memory of the import."""


def _import() -> Any:
    """OpenVINO without its converter, which may still be imported by whoever wants it."""
    if _CONVERTER in sys.modules:
        return import_module("openvino")
    sys.modules[_CONVERTER] = None  # type: ignore[assignment]  # so the import of it fails
    try:
        return import_module("openvino")
    finally:
        del sys.modules[_CONVERTER]


ov = _import()


@cache
def runtime() -> Any:
    """One for all engines of the process: each would load the plugins and their caches anew."""
    return ov.Core()


@cache
def vector() -> int:
    """Floats that a vector of this CPU has."""
    if "WINOGRAD" in runtime().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return 16  # OpenVINO says so of AVX-512, and of nothing else
    return 8 if platform.machine().lower() in ("x86_64", "amd64") else 4


@cache
def adds_bytes() -> bool:
    """Whether this CPU multiplies and adds up bytes in one instruction of AVX-512 (VNNI). With AMX
    nobody has measured what that is worth beside its tiles."""
    units = cpuinfo().get("flags", "").split()
    return "avx512_vnni" in units and "amx_int8" not in units


def plan(compiled: Callable[[], Any], *, config: Mapping[str, Any], about: tuple[Any, ...]) -> Any:
    """What ``compiled`` compiles for the CPU by ``config``, from the disk where it is there.

    ``about`` is what tells it from other plans of this version.
    """
    plans = Cache(folder() / "plans", most=MOST)
    name = key_of(*_origin(), sorted(config.items()), *about)
    if kept := plans.get(name):
        try:
            return runtime().import_model(BytesIO(kept.data), "CPU", dict(config))
        except RuntimeError:
            plans.drop(name)
    made = compiled()
    with suppress(RuntimeError):  # not on every kind of CPU
        plans.put(name, made.export_model().getvalue())
    return made


@cache
def _origin() -> tuple[str, ...]:
    """What every plan depends on: who compiles it, from what, and for which CPU."""
    by = sorted(Path(__file__).parent.glob("openvino*.py"))
    by += [Path(str(module.__file__)) for module in (core, steps)]
    code = b"".join(path.read_bytes() for path in by)
    return ov.get_version(), sha256(code).hexdigest(), *_processor()


def _processor() -> tuple[str, ...]:
    """Its name, and what it can do as far as the system tells."""
    told = cpuinfo()
    units = told.get("flags") or told.get("Features") or ""
    return str(runtime().get_property("CPU", "FULL_DEVICE_NAME")), units
