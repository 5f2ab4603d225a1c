"""Engines: runtimes that take a model and run it. One file a runtime, one row in the table."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec

from vidlift.engines.base import Engine
from vidlift.errors import ModelError, UsageError
from vidlift.models import Model

ENGINES = {
    "openvino": ("vidlift.engines.openvino", "OpenVinoEngine", "openvino"),
    "onnxruntime": ("vidlift.engines.onnxruntime", "OnnxRuntimeEngine", "onnxruntime"),
    "reference": ("vidlift.engines.reference", "ReferenceEngine", "onnx"),
    "null": ("vidlift.engines.null", "NullEngine", "numpy"),
}
"""Name -> module, class, and the package it needs."""

AUTO = ("openvino", "onnxruntime")
"""What ``auto`` tries, in order."""


def open_engine(model: Model, *, engine: str = "auto", threads: int | None = None) -> Engine:
    """Load ``model`` into an engine by name; ``threads`` defaults to every core this process has.

    ``auto`` takes the first of ``AUTO`` that is installed; the engine's own ``name`` says which.
    """
    if engine != "auto" and engine not in ENGINES:
        raise UsageError(f"no engine named {engine!r}; there are auto, {', '.join(ENGINES)}")
    if threads is not None and threads < 1:
        raise UsageError(f"an engine needs at least one thread, got {threads}")
    for name in AUTO if engine == "auto" else (engine,):
        module, cls, package = ENGINES[name]
        if find_spec(package) is None:
            continue
        try:
            made = getattr(import_module(module), cls)
        except ImportError as error:
            raise ModelError(f"engine {name} cannot be loaded: {error}") from error
        opened: Engine = made(model, threads=threads or len(os.sched_getaffinity(0)))
        return opened
    wanted = " or ".join(AUTO) if engine == "auto" else ENGINES[engine][2]
    raise ModelError(f"engine {engine}: the package {wanted} is not installed")
