"""What is done to OpenVINO's graph of a network before it is compiled: the same values, sooner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vidlift.engines.openvino_runtime import adds_bytes, ov, vector
from vidlift.models import steps

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

# Note [Whole vectors]
# A layer that makes 7 channels takes as long as one that makes 8, and with AVX2 longer: what is
# loaded and stored for a place is no whole vector, and goes through a mask. So it makes 8, the last
# one twice, and the layer that takes them gives what is made twice no weight.
#
# Note [Two places at once]
# With AVX-512 a vector has 16 floats, of which a layer of 8 channels leaves half empty. So it makes
# two neighbours in one, by kernels that are one wider, which is two thirds of the work. In memory a
# place's channels lie side by side, and the next place's after them: what the next layer is given
# apart again is what lies there, and nothing is moved. The same holds for bytes. But where floats
# are made first and rounded by a pass of its own, that pass would move them one by one.
#
# Note [Code values in 8 bits]
# OpenVINO computes the first layer in float32 and then rounds what it made in a pass of its own: an
# inner layer's time, or two thirds of it, for a sixteenth of its work or less, and four times its
# memory. What that layer is given is in 8 bits already, and its weights are sums of
# ``steps.COPIES`` of 8 bits: given as many copies it makes the same sums exactly, and rounds them
# at once.
_AVX2, _AVX512 = 8, 16
"""Floats of a vector."""

_EACH_ALONE = ("Add", "Maximum", "Minimum", "Round", "Convert")
"""Operators that do the same to every sample."""

_BETWEEN = ("Add", "Subtract", "Multiply", "PRelu", "FakeQuantize", "Convert")
"""Such operators that may lie between two layers."""

Change: TypeAlias = Callable[[NDArray[Any]], NDArray[Any] | None]
"""What becomes of a constant, None where that is not known."""


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
    if vector() >= _AVX2 and scale == _SIDE and even:
        code = _in_blocks(code) or code
    last = ov.opset8.transpose(code, np.array([0, 2, 3, 1]))
    last.output(0).set_names({CODE})
    return ov.Model([last.output(0)], graph.get_parameters(), CODE)


def whole_vectors(graph: Any) -> None:
    """Have layers make whole vectors of channels (Note [Whole vectors]), or of two places where one
    fills no more than half (Note [Two places at once]), in place.

    The graph is of a fixed shape.
    """
    layers = [each for each in graph.get_ordered_ops() if each.get_type_name() == "Convolution"]
    for layer in layers:
        if vector() == _AVX2:
            _replaced(_filled_up(layer))
        elif vector() == _AVX512 and _replaced(_doubled(layer)):
            layer.set_attribute("strides", [1, 2])
    graph.validate_nodes_and_infer_types()


def first_in_8_bits(graph: Any) -> None:
    """Have the first layer of a network in 8 bits computed in 8 bits, in place, where its weights
    are whole numbers of steps. Note [Code values in 8 bits]"""
    if not adds_bytes():
        return
    layers = [each for each in graph.get_ordered_ops() if each.get_type_name() == "Convolution"]
    for layer in layers:
        picture, weights = _before_float(layer.input_value(0)), _constant(layer.input_value(1))
        copies = None if picture is None or weights is None else steps.in_copies(weights)
        taken_by = (place.get_node().get_type_name() for place in _reached(layer))
        if copies is None or "FakeQuantize" not in taken_by:
            continue
        values, step = copies
        op, ends = ov.opset8, [ov.opset8.constant(np.float32(end)) for end in (0, 255)]
        copied = op.convert(op.concat([picture] * steps.COPIES, 1), "f32")
        # Rounds nothing: it tells OpenVINO that these are of 8 bits.
        rounded = op.fake_quantize(copied, *ends, *ends, 256)
        layer.input(0).replace_source_output(rounded.output(0))
        scaled = op.multiply(op.convert(op.constant(values), "f32"), op.constant(step))
        layer.input(1).replace_source_output(scaled.output(0))
    graph.validate_nodes_and_infer_types()


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
    repeated = partial(_repeated, axis=1)
    made = [_changed(each, repeated, beside=repeated) or _in_blocks(each) for each in inputs]
    if any(each is None for each in made):
        return None
    if kind == "Round":
        return ov.opset8.round(*made, node.get_attributes()["mode"]).output(0)
    if kind == "Convert":
        return ov.opset8.convert(*made, node.get_attributes()["destination_type"]).output(0)
    make = {"Add": ov.opset8.add, "Maximum": ov.opset8.maximum, "Minimum": ov.opset8.minimum}
    return make[kind](*made).output(0)


def _strided(node: Any, inputs: list[Any]) -> Any | None:
    form = node.get_attributes()
    if {*form["strides"], *form["dilations"]} != {1}:
        return None
    scales = partial(_repeated, axis=0)
    weights = _changed(inputs[1], _four_kernels, beside=scales)
    return weights and ov.opset8.convolution(
        inputs[0], weights, [_SIDE, _SIDE], form["pads_begin"], form["pads_end"], [1, 1]
    ).output(0)


def _four_kernels(weights: NDArray[Any]) -> NDArray[Any] | None:
    """Kernels ``[4, channels, h, w]`` for each of four places, ``[16, channels, h + 1, w + 1]``."""
    made, channels, height, width = weights.shape
    if made != _SIDE**2:
        return None
    parts = weights.reshape(_SIDE, _SIDE, channels, height, width)
    wide = (2 * _SIDE, 2 * _SIDE, channels, height + 1, width + 1)
    kernels = np.zeros(wide, weights.dtype)
    for y, x in np.ndindex(_SIDE, _SIDE):
        rows, columns = slice(_SIDE * y, _SIDE * (y + 1)), slice(_SIDE * x, _SIDE * (x + 1))
        kernels[rows, columns, :, y : y + height, x : x + width] = parts
    return kernels.reshape(-1, *wide[2:])


def _repeated(values: NDArray[Any], *, axis: int) -> NDArray[Any] | None:
    """One value for all channels, or one for each of the four, repeated for the sixteen."""
    if values.size > 1:
        if values.size != _SIDE**2:
            return None
        values = np.tile(values.reshape(_SIDE, _SIDE), (_SIDE, _SIDE))
    return values.reshape([-1 if at == axis else 1 for at in range(4)])


def _replaced(changes: Iterable[tuple[Any, Any | None]]) -> bool:
    """Give inputs what they are to have instead, if there are any and all of it is known."""
    known = list(changes)
    if not known or any(made is None for _, made in known):
        return False
    for place, made in known:
        place.replace_source_output(made)
    return True


def _filled_up(layer: Any) -> Iterator[tuple[Any, Any | None]]:
    """Inputs of a layer that lacks channels, of what follows it and of the next layers, and what
    they are to have instead: None where that is not known."""
    channels = layer.get_output_partial_shape(0)[1].get_length()
    missing = -channels % _AVX2
    if not missing or layer.get_output_element_type(0) != ov.Type.f32:
        return

    def more(values: NDArray[Any], *, axis: int, mode: Any = "edge") -> NDArray[Any] | None:
        if values.size == 1:
            return values
        if values.ndim != 4 or values.shape[axis] != channels:
            return None
        return np.pad(values, [(0, missing * (at == axis)) for at in range(4)], mode)

    made, passed = partial(more, axis=0), partial(more, axis=1)
    weightless = partial(passed, mode="constant")
    yield layer.input(1), _changed(layer.input_value(1), made, beside=made)
    for place in _reached(layer):
        node = place.get_node()
        if node.get_type_name() != "Convolution":
            yield place, _changed(place.get_source_output(), passed, beside=passed)
        elif node.get_output_element_type(0) != ov.Type.f32:
            yield place, None
        else:
            weights = node.input_value(1)
            yield node.input(1), _changed(weights, weightless, beside=lambda scale: scale)


def _doubled(layer: Any) -> Iterator[tuple[Any, Any | None]]:
    """The same for a layer whose channels fill half a vector at most, so that with a stride of two
    columns it makes two places at once."""
    form, shape = layer.get_attributes(), layer.get_output_partial_shape(0)
    plain = {*form["strides"], *form["dilations"]} == {1} and form["auto_pad"] == "explicit"
    if not plain or shape.is_dynamic or len(shape) != 4:
        return
    frames, channels, height, width = shape.to_shape()
    if 2 * channels > _AVX512 or width % 2:
        return

    def twice(values: NDArray[Any], *, axis: int) -> NDArray[Any] | None:
        if values.size == 1:
            return values
        if values.ndim != 4 or values.shape[axis] != channels:
            return None
        return np.concatenate([values, values], axis)

    made, passed = partial(twice, axis=0), partial(twice, axis=1)
    yield layer.input(1), _changed(layer.input_value(1), _two_kernels, beside=made)
    for place in _reached(layer):
        kind, source = place.get_node().get_type_name(), place.get_source_output()
        if kind == "Convolution":
            yield place, _apart(source, (frames, height, width, channels))
        elif kind == "FakeQuantize" and not is_in_8_bits(layer):
            yield place, None
        else:
            yield place, _changed(source, passed, beside=passed)


def _two_kernels(weights: NDArray[Any]) -> NDArray[Any]:
    """Kernels ``[n, channels, h, w]`` for each of two places, ``[2n, channels, h, w + 1]``."""
    first, second = (np.pad(weights, [*[(0, 0)] * 3, gap]) for gap in ((0, 1), (1, 0)))
    return np.concatenate([first, second])


def _apart(output: Any, shape: tuple[int, ...]) -> Any:
    """Two places at once, ``[n, 2 * channels, H, W / 2]``, one by one as ``shape`` has them,
    ``(n, H, W, channels)``, and channels on axis 1 again."""
    together = ov.opset8.transpose(output, np.array([0, 2, 3, 1]))
    apart = ov.opset8.reshape(together, np.array(shape), special_zero=False)
    return ov.opset8.transpose(apart, np.array([0, 3, 1, 2])).output(0)


def _reached(layer: Any) -> Iterator[Any]:
    """Inputs that take what a layer makes, of the next layers and of what is not understood, and
    those beside it in what is done to each sample between."""
    reached = [layer.output(0)]
    while reached:
        for place in reached.pop().get_target_inputs():
            node, kind = place.get_node(), place.get_node().get_type_name()
            if kind in _BETWEEN:
                yield from (each for each in node.inputs() if each.get_index() != place.get_index())
                reached.append(node.output(0))
            elif kind != "ShapeOf" or not _is_rank(node):
                yield place


def _before_float(output: Any) -> Any | None:
    """Code values as the graph is given them, in the order of axes that floats are made of them in;
    None for what else there is."""
    node = output.get_node()
    if node.get_type_name() == "Transpose":
        given = _before_float(node.input_value(0))
        return given and ov.opset8.transpose(given, node.input_value(1)).output(0)
    if node.get_type_name() != "Convert" or node.get_input_element_type(0) != ov.Type.u8:
        return None
    return node.input_value(0)


def _constant(output: Any) -> NDArray[Any] | None:
    """The value of what is one as it stands, or converted."""
    node = output.get_node()
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return node.get_data() if node.get_type_name() == "Constant" else None


def is_in_8_bits(layer: Any) -> bool:
    """Whether the weights of a convolution are."""
    node = layer.input_value(1).get_node()
    while node.get_input_size():
        node = node.input_value(0).get_node()
    return str(node.get_output_element_type(0).get_type_name()) == "i8"


def _is_rank(shape: Any) -> bool:
    """Whether of a shape nothing is taken but its length."""
    takers = shape.output(0).get_target_inputs()
    return all(each.get_node().get_type_name() == "ShapeOf" for each in takers)


def _changed(
    output: Any, change: Change, *, beside: Change, shape: list[int] | None = None
) -> Any | None:
    """What a constant, or one in 8 bits and its scale, is after ``change``; ``beside`` is what
    becomes of scales. None for what is no constant."""
    node = output.get_node()
    kind = node.get_type_name()
    if output.get_partial_shape().is_dynamic:
        return None
    if kind == "Constant":
        values = node.get_data()
        made = change(values if shape is None else values.reshape(shape))
        return None if made is None else ov.opset8.constant(made).output(0)
    shape = shape or list(output.get_shape())
    if kind == "Reshape":
        return _changed(node.input_value(0), change, beside=beside, shape=shape)
    if kind == "Convert":
        made = _changed(node.input_value(0), change, beside=beside, shape=shape)
        to = node.get_attributes()["destination_type"]
        return made and ov.opset8.convert(made, to).output(0)
    if kind in ("Subtract", "Multiply"):  # with a zero point other than 0, 0 were no weight
        scale = beside if kind == "Multiply" else lambda zero: None if zero.any() else beside(zero)
        one = _changed(node.input_value(0), change, beside=beside)
        other = _changed(node.input_value(1), scale, beside=beside)
        make = ov.opset8.subtract if kind == "Subtract" else ov.opset8.multiply
        return one and other and make(one, other).output(0)
    return None
