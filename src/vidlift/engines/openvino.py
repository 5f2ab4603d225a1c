"""OpenVINO: on the CPU the default engine where it has wheels; GPUs and NPUs where asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vidlift.descriptor import Descriptor
from vidlift.engines.base import PairPlanes, from_core, to_core
from vidlift.engines.openvino_graph import (
    CODE,
    before_shuffle,
    first_in_8_bits,
    spread,
    whole_vectors,
)
from vidlift.engines.openvino_runtime import ov, plan, runtime
from vidlift.errors import ModelError
from vidlift.models import Model, core

KEPT_MAX = 10
"""Plans that are kept at most. A small one is of 1 MB."""

TOGETHER = {1024: 8, 8192: 2}
"""Samples of a plane up to which so many go through at once: parts of frames, where most of what a
run takes is the call. Larger planes go alone."""


class OpenVinoEngine:
    """Compiles a model anew for each size and depth it meets, and keeps the last plans.

    A static shape is worth the compilation (45 ms on a CPU): the plan of every layer is fixed,
    where a plan for any size takes 0.3 ms more whenever the size changes. Plans are kept for the
    parts of a frame beside that of the frame, not for frames of many sizes; and on the disk, from
    where they come sooner. float32, so that a result does not depend on what
    precision a CPU likes best.
    """

    device = "CPU"
    """OpenVINO's name of what it runs on."""

    on_disk = True
    """Whether plans are kept on the disk."""

    any_size = True
    same_in_parts = True

    def __init__(self, model: Model, *, threads: int) -> None:
        """Raises ``ModelError`` where the device is missing."""
        self._model = model
        # Not asked for the CPU, which is there: the question loads the drivers of all devices.
        if self.device != "CPU":
            found = [name.partition(".")[0] for name in runtime().available_devices]
            if self.device not in found:
                raise ModelError(
                    f"OpenVINO finds no {self.device} here, only {', '.join(dict.fromkeys(found))}"
                )
        self._config: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        if self.device == "CPU":
            self._config |= {"NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": threads}
        self._requests: dict[tuple[int, ...], Any] = {}
        """By axis of frames, how many at once, height and width; the last used is last."""

        self._planned: dict[tuple[int, ...], Any] = {}
        """Those of ``plan`` that nothing ran on yet."""

    @property
    def name(self) -> str:
        return f"openvino {ov.__version__.split('-')[0]} {self.device.lower()} f32"

    @property
    def descriptor(self) -> Descriptor:
        return self._model.descriptor

    def run(self, planes: PairPlanes, *, bits: int = 8) -> PairPlanes:
        if bits == 8:
            big: PairPlanes = self._infer(np.ascontiguousarray(planes), axis=1)
            return big
        return from_core(self._infer(to_core(planes, bits=bits), axis=0), bits=bits)

    def planned(self, size: tuple[int, int], *, bits: int = 8) -> bool:
        return all(key in self._requests or key in self._planned for key in _keys(size, bits))

    def plan(self, size: tuple[int, int], *, bits: int = 8) -> None:
        for key in _keys(size, bits):
            if key not in self._requests and key not in self._planned:
                axis, together, *_ = key
                shape = (1, together, *size) if axis == 1 else (together, 1, *size)
                self._planned[key] = self._request(shape, axis=axis, together=together)
                return

    def rest(self) -> None:
        for request in (*self._requests.values(), *self._planned.values()):
            request.get_compiled_model().release_memory()

    def close(self) -> None:
        self._requests.clear()
        self._planned.clear()

    def _infer(self, values: Any, *, axis: int) -> Any:
        """Run the whole model (frames on axis 1) or its float core (frames on axis 0)."""
        count = values.shape[axis]
        together = _together(values.shape, count)
        key = (axis, together, *values.shape[2:])
        request = self._requests.pop(key, None)
        if request is None:
            self._make_room(key)  # before memory for the next
            request = self._planned.pop(key, None)
            request = request or self._request(values.shape, axis=axis, together=together)
        self._requests[key] = request
        at_once = request.model_inputs[0].partial_shape[axis].get_length()
        if missing := -count % at_once:  # the last plane stands in for what is missing
            places = [*range(count), *[count - 1] * missing]
            return self._infer(values.take(places, axis=axis), axis=axis).take(
                range(count), axis=axis
            )
        parts = np.split(values, count // at_once, axis=axis)
        try:
            if request.model_outputs[0].any_name == CODE:
                return self._shuffle(request, parts)
            # Neither what goes in nor what comes out is copied: the last layer writes into memory
            # that is made for this call and then belongs to the caller.
            shape = list(request.model_outputs[0].shape)
            shape[axis] = count
            result = np.empty(shape, values.dtype)
            for part, room in zip(parts, np.split(result, len(parts), axis=axis), strict=True):
                request.set_output_tensor(ov.Tensor(room, shared_memory=True))
                request.infer([part], share_inputs=True, share_outputs=True)
        except RuntimeError as error:
            raise self._cannot_run(values.shape, error) from error
        return result

    def _shuffle(self, request: Any, parts: Sequence[Any]) -> Any:
        """Run a graph that stops before its shuffle, and do that here. Note [The last shuffle]"""
        (_, _, height, width), scale = parts[0].shape, self.descriptor.scale
        frames = sum(part.shape[1] for part in parts)
        result = np.empty((1, frames, scale * height, scale * width), np.uint8)
        for part, room in zip(parts, np.split(result[0], len(parts)), strict=True):
            code = request.infer([part], share_inputs=True, share_outputs=True)[0]
            spread(code, room)
        return result

    def _make_room(self, coming: tuple[int, ...]) -> None:
        """Forget what was not used for longest, until the rest, together, is no larger than the
        largest plan.
        """
        while self._requests:
            samples = [height * width for *_, height, width in (*self._requests, coming)]
            if len(samples) <= KEPT_MAX and sum(samples) <= 2 * max(samples):
                break
            self._requests.pop(next(iter(self._requests)))

    def _request(self, shape: tuple[int, ...], *, axis: int, together: int) -> Any:
        """What planes of a shape are run by, compiled now or before."""

        def compiled() -> Any:
            return self._compile(shape, axis=axis, together=together)

        if not self.on_disk:
            return compiled().create_infer_request()
        about = type(self).__name__, self._model.sha256, axis, together, shape[2:]
        return plan(compiled, config=self._config, about=about).create_infer_request()

    def _compile(self, shape: tuple[int, ...], *, axis: int, together: int) -> Any:
        """For one frame at a time where the graph allows: half the memory, and never slower but
        for small parts. A graph that speaks of both frames is given two.
        """
        single = (*shape[:axis], 1, *shape[axis + 1 :])
        data = self._model.data if axis == 1 else core.extract(self._model)
        try:
            graph = self._read(data, axis=axis)
            graph.reshape(list(single))
            whole = graph.outputs[0].get_partial_shape()[axis].get_length() != 1
        except RuntimeError:  # a graph that speaks of both frames
            whole = True
        try:
            if whole or together > 1:
                graph = self._read(data, axis=axis)
                graph.reshape([*shape[:axis], 2 if whole else together, *shape[axis + 1 :]])
            if self.device == "CPU":
                first_in_8_bits(graph)
                whole_vectors(graph)
                graph = before_shuffle(graph) if not whole and axis == 1 else graph
            return runtime().compile_model(graph, self.device, self._config)
        except RuntimeError as error:
            raise self._cannot_run(shape, error) from error

    def _read(self, data: bytes, *, axis: int) -> Any:
        """A graph from its file, of the whole model (1) or its core (0); others may change it."""
        return runtime().read_model(data)

    def _cannot_run(self, shape: tuple[int, ...], error: Exception) -> ModelError:
        return ModelError(
            f"OpenVINO cannot run model {self.descriptor.name} at {shape[3]}x{shape[2]}: "
            f"{str(error).strip().splitlines()[-1]}"
        )


class OpenVinoGpuEngine(OpenVinoEngine):
    """The same on a GPU that OpenVINO has a driver for."""

    device = "GPU"
    on_disk = False
    any_size = False


class OpenVinoNpuEngine(OpenVinoEngine):
    """The same on an NPU; of no use where the NPU knows no float32."""

    device = "NPU"
    on_disk = False
    any_size = False


def _numbers(height: int, width: int) -> list[int]:
    """How many planes of a size may go through at once, the most first."""
    return [many for most, many in TOGETHER.items() if height * width <= most] or [1]


def _together(shape: Sequence[int], count: int) -> int:
    """How many of ``count`` planes of a shape go through at once, missing ones counted."""
    fitting = _numbers(*shape[2:])
    return next((many for many in fitting if 2 * count > many), fitting[-1])


def _keys(size: tuple[int, int], bits: int) -> list[tuple[int, ...]]:
    """Of all plans that planes of a size are run by."""
    return [(1 if bits == 8 else 0, many, *size) for many in _numbers(*size)]
