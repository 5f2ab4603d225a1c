"""Engines: runtimes that take a model and run it. One file a runtime, one row in the table."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from vidlift.engines.base import Engine
from vidlift.errors import ModelError, UsageError
from vidlift.models import Model
from vidlift.system import cores

ENGINES = {
    "openvino": ("vidlift.engines.openvino", "OpenVinoEngine", "openvino"),
    "openvino-mixed": ("vidlift.engines.openvino_mixed", "OpenVinoMixedEngine", "openvino"),
    "openvino-gpu": ("vidlift.engines.openvino", "OpenVinoGpuEngine", "openvino"),
    "openvino-npu": ("vidlift.engines.openvino", "OpenVinoNpuEngine", "openvino"),
    "onnxruntime": ("vidlift.engines.onnxruntime", "OnnxRuntimeEngine", "onnxruntime"),
    "onnxruntime-cuda": ("vidlift.engines.onnxruntime", "CudaEngine", "onnxruntime"),
    "onnxruntime-coreml": ("vidlift.engines.onnxruntime", "CoreMlEngine", "onnxruntime"),
    "onnxruntime-directml": ("vidlift.engines.onnxruntime", "DirectMlEngine", "onnxruntime"),
    "onnxruntime-webgpu": ("vidlift.engines.onnxruntime", "WebGpuEngine", "onnxruntime"),
    "reference": ("vidlift.engines.reference", "ReferenceEngine", "onnx"),
    "null": ("vidlift.engines.null", "NullEngine", "numpy"),
}
"""Name -> module, class, and the package it needs."""

CHOICES = {
    "auto": ("openvino", "onnxruntime"),
    "cpu": ("openvino", "onnxruntime"),
    "gpu": (
        "openvino-gpu",
        "onnxruntime-cuda",
        "onnxruntime-coreml",
        "onnxruntime-directml",
        "onnxruntime-webgpu",
    ),
    "npu": ("openvino-npu",),
}
"""Devices: the engines that are tried for each, in order, until one can be opened."""


MOST_THREADS = 1024
"""More than any machine has cores; runtimes would take what memory there is for them."""


def open_engine(model: Model, *, engine: str = "auto", threads: int | None = None) -> Engine:
    """Load ``model`` into an engine by name; ``threads`` defaults to every core this process has.

    A key of ``CHOICES`` takes the first there that can be opened; the engine's own ``name`` says
    which. Raises ``ModelError`` where none can.
    """
    check(engine, threads=threads)
    choice = CHOICES.get(engine, (engine,))
    installed = [name for name in choice if find_spec(ENGINES[name][2]) is not None]
    if not installed:
        wanted = " or ".join(dict.fromkeys(ENGINES[name][2] for name in choice))
        raise ModelError(f"engine {engine}: the package {wanted} is not installed")
    refused = []
    for name in installed:
        module, cls, _ = ENGINES[name]
        try:
            made = getattr(import_module(module), cls)
        except ImportError as error:
            raise ModelError(f"engine {name} cannot be loaded: {error}") from error
        try:
            opened: Engine = made(model, threads=threads or cores())
        except ModelError as error:
            refused.append(str(error))
        else:
            return opened
    raise ModelError(f"engine {engine}: {'; '.join(refused)}")


def check(engine: str, *, threads: int | None = None) -> None:
    """Whether an engine may be asked for so. Raises ``UsageError``."""
    if engine not in CHOICES and engine not in ENGINES:
        names = ", ".join((*CHOICES, *ENGINES))
        raise UsageError(f"no engine named {engine!r}; there are {names}")
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise UsageError(
            f"an engine needs at least one thread and at most {MOST_THREADS}, got {threads}"
        )
