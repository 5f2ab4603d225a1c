"""What an ONNX file says, read without the package ``onnx``: 10 MB and 60 ms of a player's start.

Only what a player asks for: the metadata, operators with what they take and give, and what is
stored. Field numbers are those of ``onnx.proto``; the encoding is that of Protocol Buffers. Nothing
is judged here: files from outside go through ``check.py`` first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidlift.errors import ModelError

CORE_IN, CORE_OUT = "core_in", "core_out"
"""Tensors of the contract between which a network computes in float."""

_STORED: dict[Any, np.dtype[Any]] = {1: np.dtype("<f4"), 3: np.dtype("i1"), 10: np.dtype("<f2")}
"""Types of what is stored, by the number of each in ``onnx.proto``."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ints: dict[str, tuple[int, ...]]
    """Attributes that are integers, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    weights: dict[str, tuple[int, ...]]
    """Shapes of what is stored in the file, by name."""

    metadata: dict[str, str]


@lru_cache(maxsize=64)
def read(data: bytes, *, where: str) -> Graph:
    """Read a model; ``where`` names it in the error."""
    try:
        model = _message(data)
        graph = _message(model[7][0])
        return Graph(
            nodes=tuple(map(_node, graph.get(1, ()))),
            inputs=tuple(_text(_message(value), 1) for value in graph.get(11, ())),
            weights=dict(map(_weight, graph.get(5, ()))),
            metadata=dict(_entry(entry) for entry in model.get(14, ())),
        )
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise ModelError(f"{where} is not an ONNX file that can be read") from error


def arrays(data: bytes | bytearray) -> dict[str, NDArray[Any]]:
    """What is stored in a file that ``read`` reads, by name: floats, halves and signed bytes.

    The arrays are views: what is written into those of a ``bytearray`` changes it.
    """
    found = {}
    for each in map(_message, _message(_message(data)[7][0]).get(5, ())):
        kind, values = _STORED.get(each[2][0]), each.get(9) or each.get(4)
        if kind is not None and values:
            found[_text(each, 8)] = np.frombuffer(values[0], kind).reshape(_numbers(each, 1))
    return found


def _node(data: Any) -> Node:
    node = _message(data)
    attributes = [_message(attribute) for attribute in node.get(5, ())]
    return Node(
        op_type=_text(node, 4),
        inputs=_texts(node, 1),
        outputs=_texts(node, 2),
        ints={
            _text(each, 1): (*_numbers(each, 3), *_numbers(each, 8))
            for each in attributes
            if 3 in each or 8 in each
        },
    )


def _weight(data: Any) -> tuple[str, tuple[int, ...]]:
    tensor = _message(data)
    return _text(tensor, 8), _numbers(tensor, 1)


def _entry(data: Any) -> tuple[str, str]:
    entry = _message(data)
    return _text(entry, 1), _text(entry, 2)


def _text(message: dict[int, list[Any]], field: int) -> str:
    return "".join(_texts(message, field)[-1:])


def _texts(message: dict[int, list[Any]], field: int) -> tuple[str, ...]:
    return tuple(str(value, "utf-8") for value in message.get(field, ()))


def _numbers(message: dict[int, list[Any]], field: int) -> tuple[int, ...]:
    """Repeated integers, which may be packed or not; negative ones take all 64 bits."""
    found: list[int] = []
    for value in message.get(field, ()):
        found += [value] if isinstance(value, int) else _packed(value)
    return tuple(value - (1 << 64) if value >> 63 else value for value in found)


def _message(data: Any) -> dict[int, list[Any]]:
    """Values by field: integers, and bytes of what is longer. Fixed numbers are left out."""
    fields: dict[int, list[Any]] = {}
    for field, value in _fields(memoryview(data)):
        fields.setdefault(field, []).append(value)
    return fields


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        field, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield field, value
        elif kind == _BYTES:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("cut short")
            yield field, data[at : at + length]
            at += length
        else:
            at += _FIXED[kind]


def _packed(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
