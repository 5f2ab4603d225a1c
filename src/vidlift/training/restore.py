"""The way back: from a model file that this package exported to a network that can learn on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from vidlift import models
from vidlift.errors import ModelError, UsageError
from vidlift.models import Model
from vidlift.training import architectures
from vidlift.training.architectures import Plain

_CODES = {"head_weight": 255.0, "tail_weight": 1 / 255, "tail_bias": 1 / 255}
"""What the exporter folded into the ends: code values in, code values out."""


def network(name_or_file: str | Path) -> Plain:
    """The network of a model by name or file. Raises ``ModelError`` where it is none of ours."""
    return of_model(models.load(name_or_file))


def of_model(model: Model) -> Plain:
    """The network that a model was exported from, up to the last bit of a float.

    Weights stored as float16 come back as they are stored. Raises ``ModelError`` for a model of
    another form: a kernel, a quantised one, one made elsewhere.
    """
    descriptor = model.descriptor
    try:
        made = architectures.build(descriptor.architecture, scale=descriptor.scale)
    except UsageError:
        raise ModelError(
            f"model {descriptor.name} is {descriptor.architecture!r}, not a network that can be "
            "trained on; give one that `vidlift model export` wrote"
        ) from None
    stored = _stored(model)
    weights = {}
    for name, own in made.state_dict().items():
        exported = name.replace("body.", "body").replace(".", "_")
        values = stored.get(exported)
        if values is None or values.shape != tuple(own.shape):
            raise ModelError(
                f"model {descriptor.name} has no {exported} of shape {list(own.shape)}; "
                "one that was quantised, or made elsewhere, cannot be trained on"
            )
        weights[name] = torch.from_numpy(values * np.float32(_CODES.get(exported, 1)))
    made.load_state_dict(weights)
    return made


def _stored(model: Model) -> dict[str, NDArray[np.float32]]:
    graph = onnx.load_model_from_string(model.data).graph
    arrays = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    for node in graph.node:  # float16 in the file, float32 behind the cast
        if node.op_type == "Cast" and node.input[0] in arrays:
            arrays[node.output[0]] = arrays[node.input[0]]
    floats = {n: a for n, a in arrays.items() if a.dtype in (np.float16, np.float32)}
    return {name: array.astype(np.float32) for name, array in floats.items()}
