"""OpenVINO on the CPU: the default engine where it has wheels."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov

from vidlift.descriptor import Descriptor
from vidlift.engines.base import PairPlanes, from_core, to_core
from vidlift.errors import ModelError
from vidlift.models import Model, core


class OpenVinoEngine:
    """Compiles a model anew for each size and depth it meets, and keeps the last of each depth.

    A static shape is worth the compilation (a fraction of a second): the plan of every layer is
    fixed. float32, so that a result does not depend on what precision a CPU likes best.
    """

    def __init__(self, model: Model, *, threads: int) -> None:
        self._model = model
        self._config: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": threads,
        }
        self._runtime = ov.Core()
        self._requests: dict[bool, tuple[tuple[int, ...], Any]] = {}

    @property
    def name(self) -> str:
        return f"openvino {ov.__version__.split('-')[0]} cpu f32"

    @property
    def descriptor(self) -> Descriptor:
        return self._model.descriptor

    def run(self, planes: PairPlanes, *, bits: int = 8) -> PairPlanes:
        if bits == 8:
            big: PairPlanes = self._infer(np.ascontiguousarray(planes), through_core=False)
            return big
        return from_core(self._infer(to_core(planes, bits=bits), through_core=True), bits=bits)

    def close(self) -> None:
        self._requests.clear()

    def _infer(self, values: Any, *, through_core: bool) -> Any:
        shape, request = self._requests.get(through_core, ((), None))
        if shape != values.shape:
            request = self._compile(values.shape, through_core=through_core)
            self._requests[through_core] = (values.shape, request)
        # share_inputs saves a copy; the output is copied out, for the request owns its buffer.
        return request.infer([values], share_inputs=True, share_outputs=True)[0].copy()

    def _compile(self, shape: tuple[int, ...], *, through_core: bool) -> Any:
        data = core.extract(self._model) if through_core else self._model.data
        try:
            graph = self._runtime.read_model(data)
            graph.reshape(list(shape))
            return self._runtime.compile_model(graph, "CPU", self._config).create_infer_request()
        except RuntimeError as error:
            raise ModelError(
                f"OpenVINO cannot run model {self.descriptor.name} at {shape[3]}x{shape[2]}: "
                f"{str(error).strip().splitlines()[-1]}"
            ) from error
