"""How shipped models are packed: by xz, and those in 8 bits mostly without their weights.

Weights in 8 bits are those of the network as trained, over their scales and rounded, and those of
the first layer are rounded to whole steps (``steps.py``). A model in 8 bits is packed with zeros in
the place of all its weights, which take next to no room, and is given them again from the network
beside it when it is read. So all tiers have one, for 3 KB each. One that learnt for 8 bits has
weights of its own, and keeps them.
"""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any

import numpy as np

from vidlift.errors import ModelError
from vidlift.models import graph, steps

PACKED = ".onnx.xz"
"""How the names of packed files end."""

_IN_8_BITS = "-int8"
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 1, "pb": 1}]
"""Best for weights of two bytes each."""

_LEAST, _MOST = -128, 127


def read(where: Path) -> bytes:
    """The ONNX file in a packed one. Raises ``ModelError``."""
    try:
        data = lzma.decompress(where.read_bytes())
        as_trained = _as_trained(where)
        if as_trained is None or not _is_bare(data, where=where):
            return data
        return _filled(data, read(as_trained), where=where)
    except (OSError, lzma.LZMAError) as error:
        said = getattr(error, "strerror", None) or error
        raise ModelError(f"cannot read {where}: {said}") from error


def write(data: bytes, where: Path) -> None:
    """Pack an ONNX file so that ``read`` gives it back.

    One in 8 bits leaves its weights to the network beside ``where``, packed before, if it was made
    from that. Raises ``ModelError`` where that is missing, or has other layers.
    """
    as_trained = _as_trained(where)
    bare = data if as_trained is None else _bare(data, where=where)
    if as_trained is not None and _filled(bare, read(as_trained), where=where) != data:
        bare = data  # the weights are its own
    where.write_bytes(lzma.compress(bare, filters=_FILTERS))


def _as_trained(where: Path) -> Path | None:
    """The file that has the weights of one in 8 bits."""
    name = where.name.removesuffix(PACKED)
    if not name.endswith(_IN_8_BITS):
        return None
    return where.with_name(f"{name.removesuffix(_IN_8_BITS)}{PACKED}")


def _bare(data: bytes, *, where: Path) -> bytes:
    """A model in 8 bits with zeros for weights."""
    changed = bytearray(data)
    stored = graph.arrays(changed)
    for weights, *_ in _layers(data, where=where).values():
        stored[weights][...] = 0
    return bytes(changed)


def _is_bare(data: bytes, *, where: Path) -> bool:
    stored = graph.arrays(data)
    layers = _layers(data, where=where).values()
    return not any(weights in stored and stored[weights].any() for weights, *_ in layers)


def _filled(bare: bytes, as_trained: bytes, *, where: Path) -> bytes:
    """A model in 8 bits with the weights of the network as trained."""
    changed = bytearray(bare)
    stored, exact = graph.arrays(changed), graph.arrays(as_trained)
    theirs = _layers(as_trained, where=where)
    try:
        for layer, (weights, *rest) in _layers(bare, where=where).items():
            values: Any = exact[theirs[layer][0]].astype(np.float32)
            if layer == steps.FIRST:
                values = steps.in_whole_steps(values)
            if rest:
                scales = stored[rest[0]].reshape(-1, 1, 1, 1)
                values = np.clip(np.rint(values / scales), _LEAST, _MOST)
            stored[weights][...] = values
    except (KeyError, ValueError) as error:
        raise ModelError(f"{where} has other layers than the network beside it") from error
    return bytes(changed)


def _layers(data: bytes, *, where: Path) -> dict[str, tuple[str, ...]]:
    """By the output of each convolution, the name of its weights, and of their scales where they
    are in 8 bits."""
    nodes = graph.read(data, where=str(where)).nodes
    made_by = {node.outputs[0]: node for node in nodes}
    found = {}
    for node in nodes:
        if node.op_type == "Conv":
            weights = node.inputs[1]
            found[node.outputs[0]] = made_by[weights].inputs if weights in made_by else (weights,)
    return found
