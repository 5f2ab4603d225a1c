"""ONNX Runtime: on the CPU the engine that runs everywhere; on GPUs by its builds for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import onnxruntime as ort

from vidlift.descriptor import Descriptor
from vidlift.engines.base import PairPlanes, Unplanned, from_core, in_pairs, to_core
from vidlift.errors import ModelError
from vidlift.models import Model, core

_ONLY_FATAL = 4


class OnnxRuntimeEngine(Unplanned):
    """One session for 8 bits and, when 10 bits come, one for the float core."""

    provider = "CPUExecutionProvider"
    """ONNX Runtime's name of what it runs on."""

    provider_options: ClassVar[Mapping[str, str]] = {}

    any_size = True
    same_in_parts = True

    def __init__(self, model: Model, *, threads: int) -> None:
        """Raises ``ModelError`` where this build of the runtime lacks the provider, or the
        machine what it runs on."""
        if self.provider not in ort.get_available_providers():
            raise ModelError(
                f"this build of ONNX Runtime has no {self.provider}, only "
                f"{', '.join(ort.get_available_providers())}"
            )
        self._model = model
        self._options = ort.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._options.inter_op_num_threads = 1
        self._options.log_severity_level = 3
        self._sessions: dict[bool, Any] = {}
        if self.provider != OnnxRuntimeEngine.provider:
            # A build may have the provider on a machine without the device: only trying tells.
            self._sessions[False] = self._load(through_core=False)

    @property
    def name(self) -> str:
        device = self.provider.removesuffix("ExecutionProvider").lower()
        return f"onnxruntime {ort.__version__} {device} f32"

    @property
    def descriptor(self) -> Descriptor:
        return self._model.descriptor

    def run(self, planes: PairPlanes, *, bits: int = 8) -> PairPlanes:
        return in_pairs(lambda pair: self._run(pair, bits), planes)

    def _run(self, planes: PairPlanes, bits: int) -> PairPlanes:
        if bits == 8:
            big: PairPlanes = self._infer("y", np.ascontiguousarray(planes), through_core=False)
            return big
        values = self._infer("core_in", to_core(planes, bits=bits), through_core=True)
        return from_core(values, bits=bits)

    def rest(self) -> None:
        """The runtime keeps what it has."""

    def close(self) -> None:
        self._sessions.clear()

    def _infer(self, name: str, values: Any, *, through_core: bool) -> Any:
        try:
            if through_core not in self._sessions:
                self._sessions[through_core] = self._load(through_core=through_core)
            return self._sessions[through_core].run(None, {name: values})[0]
        except ModelError:
            raise
        except Exception as error:  # its exceptions share no base of their own
            height, width = values.shape[2:]
            raise ModelError(
                f"ONNX Runtime cannot run model {self.descriptor.name} at {width}x{height}: "
                f"{str(error).strip().splitlines()[0]}"
            ) from error

    def _load(self, *, through_core: bool) -> Any:
        """A session that runs on the provider: left to itself, the runtime would take the CPU
        in the place of one that finds no device, and say so on stdout only."""
        data = core.extract(self._model) if through_core else self._model.data
        if self.provider == OnnxRuntimeEngine.provider:
            return ort.InferenceSession(data, self._options, providers=[self.provider])
        ort.set_default_logger_severity(_ONLY_FATAL)  # it would say at length what we say in a line
        try:
            session = ort.InferenceSession(
                data,
                self._options,
                providers=[(self.provider, dict(self.provider_options))],
                enable_fallback=0,
            )
        except Exception as error:  # its exceptions share no base of their own
            said = str(error).strip().splitlines()[0].rpartition(": ")[2]
            raise ModelError(
                f"ONNX Runtime's {self.provider} does not work here: {said}"
            ) from error
        if self.provider not in session.get_providers():
            raise ModelError(f"ONNX Runtime's {self.provider} finds no device here, or no driver")
        return session


class CudaEngine(OnnxRuntimeEngine):
    """The same on an NVIDIA GPU (package ``onnxruntime-gpu``)."""

    provider = "CUDAExecutionProvider"
    # TF32, its default, keeps 11 bits of a product's factors: too few for code values. By its other
    # default it tries every algorithm at each new size, for which a film would have to wait.
    provider_options: ClassVar[Mapping[str, str]] = {
        "use_tf32": "0",
        "cudnn_conv_algo_search": "HEURISTIC",
    }
    any_size = False


class CoreMlEngine(OnnxRuntimeEngine):
    """The same on a Mac's GPU or neural engine."""

    provider = "CoreMLExecutionProvider"
    any_size = False


class DirectMlEngine(OnnxRuntimeEngine):
    """The same on any GPU of Windows (package ``onnxruntime-directml``)."""

    provider = "DmlExecutionProvider"
    any_size = False


class WebGpuEngine(OnnxRuntimeEngine):
    """The same on any GPU that WebGPU reaches (package ``onnxruntime-webgpu``)."""

    provider = "WebGpuExecutionProvider"
    any_size = False
