"""What is done to OpenVINO's graph of a network before it is compiled: the same values, sooner."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidlift.engines.openvino_runtime import ov

# Note [The last shuffle]
# OpenVINO moves the bytes of DepthToSpace one by one: an eighth of the time of m-x4, half of that
# of bicubic. Its convolutions leave the s*s samples of a place side by side, and s of them are
# neighbours in a row of the result. So the graph is cut before the shuffle, and numpy moves s
# bytes at a time, which it can for 2 and 4. For 3 it moves all samples of one place in their
# blocks at a time, nine times: a quarter of OpenVINO's time.
CODE = "vidlift_code"
"""Name of the output of a graph that was cut: uint8 [n, H, W, s*s], or what ``_in_blocks`` makes
of it."""

_MOVED_AT_ONCE = (2, 4)

# Note [Four places at once]
# With AVX a convolution computes 8 or 16 channels of a place together, and what enlarges by 2 has 4
# in its last ones. So these make four places, 2x2, in one: 16 channels at every second row and
# column, by kernels that are one wider, with zeros where a place does not look. The sums are the
# same, in the same order, and with them every bit of the result. Other processors compute 4
# together: to them the zeros were work.
#
#     places    a b    samples of a  0 1    four places  0 1 4 5
#               c d                  2 3                 2 3 6 7
#                                                        8 9 . .
_SIDE = 2
"""Rows and columns of places that are made together."""

_WIDE = platform.machine().lower() in ("x86_64", "amd64")

_EACH_ALONE = ("Add", "Maximum", "Minimum", "Round", "Convert")
"""Operators that do the same to every sample."""


def before_shuffle(graph: Any) -> Any:
    """The graph without its shuffle; the same graph where it does not end so."""
    node = graph.outputs[0].node.input_value(0).get_node()
    if node.get_type_name() == "Transpose":
        node = node.input_value(0).get_node()
    if node.get_type_name() != "DepthToSpace":
        return graph
    code, form = node.input_value(0), node.get_attributes()
    scale, shape = form["block_size"], code.get_partial_shape()
    if (
        form["mode"] != "depth_first"
        or code.get_element_type() != ov.Type.u8
        or shape.is_dynamic
        or shape[1].get_length() != scale**2
    ):
        return graph
    even = not any(side % _SIDE for side in shape.to_shape()[2:])
    if _WIDE and scale == _SIDE and even:
        code = _in_blocks(code) or code
    last = ov.opset8.transpose(code, np.array([0, 2, 3, 1]))
    last.output(0).set_names({CODE})
    return ov.Model([last.output(0)], graph.get_parameters(), CODE)


def spread(code: Any, room: Any) -> None:
    """The shuffle: samples ``[n, H, W, s*s]`` to where they belong in ``[n, s*H, s*W]``."""
    (frames, height, width, samples), rows = code.shape, room.shape[1]
    scale = rows // height
    if scale in _MOVED_AT_ONCE:
        group = np.dtype(f"u{scale}")
        blocks = code.view(group).reshape(frames, height, width, scale).transpose(0, 1, 3, 2)
        room.view(group).reshape(frames, height, scale, width)[...] = blocks
        return
    big = room.reshape(frames, height, scale, width, scale)
    for place in range(samples):
        big[:, :, place // scale, :, place % scale] = code[..., place]


def _in_blocks(output: Any) -> Any | None:
    """``[n, 4, H, W]`` as ``[n, 16, H/2, W/2]``; None where it is made by something else than
    convolutions and what is done to each sample alone. Note [Four places at once]
    """
    node = output.get_node()
    kind = node.get_type_name()
    inputs = [node.input_value(index) for index in range(node.get_input_size())]
    if kind == "Convolution":
        return _strided(node, inputs)
    if kind not in _EACH_ALONE:
        return None
    made = [_constant(each) or _in_blocks(each) for each in inputs]
    if any(each is None for each in made):
        return None
    if kind == "Round":
        return ov.opset8.round(*made, node.get_attributes()["mode"]).output(0)
    if kind == "Convert":
        return ov.opset8.convert(*made, node.get_attributes()["destination_type"]).output(0)
    make = {"Add": ov.opset8.add, "Maximum": ov.opset8.maximum, "Minimum": ov.opset8.minimum}
    return make[kind](*made).output(0)


def _strided(node: Any, inputs: list[Any]) -> Any | None:
    form, weights = node.get_attributes(), _values(inputs[1])
    plain = {*form["strides"], *form["dilations"]} == {1}
    if weights is None or not plain or node.get_output_element_type(0) != ov.Type.f32:
        return None  # in bfloat16 it is not known what this is worth
    _, channels, height, width = weights.shape
    parts = weights.reshape(_SIDE, _SIDE, channels, height, width)
    wide = (2 * _SIDE, 2 * _SIDE, channels, height + 1, width + 1)
    kernels = np.zeros(wide, np.float32)
    for y, x in np.ndindex(_SIDE, _SIDE):
        rows, columns = slice(_SIDE * y, _SIDE * (y + 1)), slice(_SIDE * x, _SIDE * (x + 1))
        kernels[rows, columns, :, y : y + height, x : x + width] = parts
    return ov.opset8.convolution(
        inputs[0],
        ov.opset8.constant(kernels.reshape(-1, *wide[2:])),
        [_SIDE, _SIDE],
        form["pads_begin"],
        form["pads_end"],
        [1, 1],
    ).output(0)


def _constant(output: Any) -> Any | None:
    """One value for all channels, or one for each of the four, repeated for the sixteen."""
    values = _values(output)
    if values is None or values.size not in (1, _SIDE**2):
        return None
    if values.size > 1:
        values = np.tile(values.reshape(_SIDE, _SIDE), (_SIDE, _SIDE))
    return ov.opset8.constant(values.reshape(1, -1, 1, 1)).output(0)


def _values(output: Any) -> NDArray[np.float32] | None:
    """What does not depend on the picture; the shape that it is given on the way does not count."""
    node = output.get_node()
    if node.get_type_name() == "Constant":
        return np.asarray(node.get_data(), np.float32)
    if node.get_type_name() in ("Convert", "Reshape"):
        return _values(node.input_value(0))
    return None
