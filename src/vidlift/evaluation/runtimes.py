"""ONNX files in a runtime as they are, peers included: one input, first output.

What plays and writes video goes through ``engines``; this is for measuring, where a graph of any
form is run and nothing but the graph is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vidlift.engines.base import MIN_SIDE
from vidlift.errors import ModelError

Run: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
"""Input in, output out. The output may be overwritten by the next call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A runtime and the precision asked of it."""

    runtime: str
    """``openvino`` or ``onnxruntime``."""

    precision: str
    """``f32``, ``bf16``, or ``mixed``: bfloat16 between the ends (``engines/openvino_mixed.py``).
    What is quantised in a graph runs in 8 bits, whatever is asked."""

    @property
    def name(self) -> str:
        return f"{self.runtime} {self.precision}"


EXACT = Setup(runtime="onnxruntime", precision="f32")
"""What quality is measured on: float32, and pictures of any size without compiling anew."""

FLOAT32 = Setup(runtime="openvino", precision="f32")
BF16 = Setup(runtime="openvino", precision="bf16")
MIXED = Setup(runtime="openvino", precision="mixed")
SETUPS = (FLOAT32, MIXED, BF16, EXACT)
"""What speed is measured on."""

PRECISIONS = {setup.precision: setup for setup in (EXACT, MIXED, BF16)}
"""What quality can be measured at, by name."""


def fitted(run: Run, *, scale: int, multiple_of: int, name: str = "the network") -> Run:
    """For sides of any length: what is missing is filled up by the edge, and cut off again.

    What comes back raises ``ModelError``, with ``name``, where the output is not ``scale`` times
    as large as the input.
    """

    def fit(values: NDArray[Any]) -> NDArray[Any]:
        height, width = values.shape[2:]
        full = [-(-max(side, MIN_SIDE) // multiple_of) * multiple_of for side in (height, width)]
        if full != [height, width]:
            margin = [(0, full[0] - height), (0, full[1] - width)]
            values = np.pad(values, [(0, 0), (0, 0), *margin], mode="edge")
        made = run(values)
        if made.shape != (*values.shape[:2], *(scale * side for side in full)):
            raise ModelError(
                f"{name} is for x{scale}, but made {list(made.shape)} of {list(values.shape)}"
            )
        return made[:, :, : scale * height, : scale * width]

    return fit


def any_size(data: bytes, setup: Setup, *, threads: int) -> Run:
    """A graph that takes input of any size; OpenVINO compiles it anew where the size changes."""
    if setup.runtime == "onnxruntime":
        return onnxruntime(data, threads=threads)
    compiled: dict[tuple[int, ...], Run] = {}

    def run(values: NDArray[Any]) -> NDArray[Any]:
        if values.shape not in compiled:
            compiled.clear()
            compiled[values.shape] = openvino(
                data, shape=values.shape, precision=setup.precision, threads=threads
            )
        return compiled[values.shape](values)

    return run


def onnxruntime(data: bytes, *, threads: int) -> Run:
    """On ONNX Runtime's CPU provider in float32; takes any size the graph takes.

    Raises ``ModelError``, and so does what comes back for input that the graph does not take.
    """
    session = _session(data, threads)
    name = session.get_inputs()[0].name

    def run(values: NDArray[Any]) -> NDArray[Any]:
        try:
            found: NDArray[Any] = session.run(None, {name: values})[0]
        except Exception as error:  # its exceptions share no base of their own
            raise ModelError(
                f"ONNX Runtime cannot run it on {list(values.shape)}: {_said(error)}"
            ) from error
        return found

    return run


def all_outputs(data: bytes, values: NDArray[Any]) -> list[NDArray[Any]]:
    """Every output of a graph for one input, on ONNX Runtime."""
    session = _session(data, 1)
    found: list[NDArray[Any]] = session.run(None, {session.get_inputs()[0].name: values})
    return found


def openvino(data: bytes, *, shape: tuple[int, ...], precision: str, threads: int) -> Run:
    """On OpenVINO's CPU plugin, compiled for one shape; ``precision`` is that of a ``Setup``.

    Raises ``ModelError`` where the graph cannot be run at that shape, or not in that precision.
    """
    try:
        import openvino as ov

        from vidlift.engines.openvino_mixed import mix
    except ImportError as error:
        raise ModelError(f"OpenVINO cannot be loaded: {error}") from error
    core = ov.Core()
    can = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision != "f32" and "BF16" not in can:
        raise ModelError(f"this CPU has no bfloat16, only {', '.join(can)}")
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": threads,
    }
    try:
        graph = core.read_model(data)
        graph.reshape(list(shape))
        if precision == "mixed":
            mix(graph)
        request = core.compile_model(graph, "CPU", settings).create_infer_request()
    except RuntimeError as error:
        raise ModelError(
            f"OpenVINO cannot run it: {str(error).strip().splitlines()[-1]}"
        ) from error

    def run(values: NDArray[Any]) -> NDArray[Any]:
        found: NDArray[Any] = request.infer([values], share_inputs=True, share_outputs=True)[0]
        return found

    return run


def _session(data: bytes, threads: int) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no base of their own
        raise ModelError(f"ONNX Runtime cannot load it: {_said(error)}") from error


def _said(error: Exception) -> str:
    """The first line of what a runtime says."""
    return next(iter(str(error).splitlines()), type(error).__name__)
