"""Choosing an engine by name."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from support.shared import PACKAGES, require
from vidlift import engines, models
from vidlift.engines import CHOICES, ENGINES, MOST_THREADS, open_engine
from vidlift.errors import ModelError, UsageError

MODEL = models.kernel(scale=2)
ENGINES_TOLD = ", ".join((*CHOICES, *ENGINES))


def test_auto_takes_the_first_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda package: package == "onnxruntime" or None)
    assert open_engine(MODEL, engine="auto").name.startswith("onnxruntime ")


def test_none_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda package: None)
    with pytest.raises(ModelError, match="openvino or onnxruntime is not installed"):
        open_engine(MODEL)
    with pytest.raises(ModelError, match="the package onnxruntime is not installed"):
        open_engine(MODEL, engine="onnxruntime")


def test_one_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vidlift.engines.onnxruntime", None)
    with pytest.raises(ModelError, match=r"engine onnxruntime cannot be loaded: .*halted"):
        open_engine(MODEL, engine="onnxruntime")


def test_an_unknown_one() -> None:
    with pytest.raises(UsageError, match=f"no engine named 'tpu'; there are {ENGINES_TOLD}"):
        open_engine(MODEL, engine="tpu")


def test_a_device_takes_the_first_engine_that_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from vidlift.engines.onnxruntime import DirectMlEngine, OnnxRuntimeEngine

    monkeypatch.setattr(DirectMlEngine, "provider", OnnxRuntimeEngine.provider)
    found = open_engine(MODEL, engine="gpu")
    assert isinstance(found, DirectMlEngine)


class _Runtime:
    """ONNX Runtime in a build with all providers, on a machine without their devices."""

    SessionOptions = onnxruntime.SessionOptions

    def __init__(self, *, falls_back: bool) -> None:
        self._falls_back = falls_back

    def get_available_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "WebGpuExecutionProvider", "CPUExecutionProvider"]

    def InferenceSession(  # noqa: N802
        self, _data: bytes, *_: object, providers: list[str], **options: int
    ) -> _Runtime:
        if not self._falls_back and options.get("enable_fallback", 1) == 0:
            raise RuntimeError("context.cc:65 Initialize: No supported adapters")
        return self

    def set_default_logger_severity(self, _severity: int) -> None:
        """Nothing is logged."""

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]


@pytest.mark.parametrize(
    ("falls_back", "says"),
    [
        (False, "WebGpuExecutionProvider does not work here: No supported adapters"),
        (True, "WebGpuExecutionProvider finds no device here"),
    ],
)
def test_a_build_for_a_device_that_is_not_there(
    falls_back: bool, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runtime takes the CPU then, of itself: that must not pass for the device."""
    from vidlift.engines import onnxruntime as module

    monkeypatch.setattr(module, "ort", _Runtime(falls_back=falls_back))
    with pytest.raises(ModelError, match=says):
        open_engine(MODEL, engine="onnxruntime-webgpu")


def test_a_device_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    require("openvino")
    from vidlift.engines.openvino import OpenVinoNpuEngine

    monkeypatch.setattr(OpenVinoNpuEngine, "device", "NONE")
    with pytest.raises(ModelError, match=r"engine npu: OpenVINO finds no NONE here, only .*CPU"):
        open_engine(MODEL, engine="npu")


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_a_model_that_it_cannot_run(engine: str, bits: int) -> None:
    """The door checks what it can; a graph may still ask for what is not there."""
    if engine in PACKAGES:
        require(engine)
    graph = onnx.load_model_from_string(MODEL.data)
    pads = next(tensor for tensor in graph.graph.initializer if tensor.name == "pads")
    pads.CopyFrom(numpy_helper.from_array(np.full(8, -50), "pads"))
    broken = models.of(MODEL.descriptor, graph.SerializeToString())
    planes = np.zeros((1, 2, 16, 18), np.uint8 if bits == 8 else np.uint16)
    with pytest.raises(ModelError, match=r"cannot run model bicubic-x2 at 18x16: \S"):
        open_engine(broken, engine=engine).run(planes, bits=bits)


@pytest.mark.parametrize("threads", [0, MOST_THREADS + 1])
def test_no_thread_at_all_or_too_many(threads: int) -> None:
    with pytest.raises(UsageError, match=f"at least one thread and at most 1024, got {threads}"):
        open_engine(MODEL, threads=threads)
