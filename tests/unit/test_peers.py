"""Peers: their files are understood, counted and measured as their table has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from support.shared import shared
from vidlift.errors import ModelError, UsageError
from vidlift.evaluation import networks, pictures, report, runtimes, subjects, timing
from vidlift.evaluation.cost import cost
from vidlift.evaluation.runtimes import EXACT
from vidlift.evaluation.subjects import Subject

MAC = {
    "ecbsr-m4c16-x4": 16704,
    "etds-t-x4": 21168,
    "fsrcnnx-8-0-4-1-x2": 2856,  # the table adds what it does for the border: 3,887
    "fsrcnn-rgb-x3": 34920,
    "rt4ksr-x3": 12960,
    "span-tiny-ch26-x4": 130234,
    "cunny-veryfast-x2": 1080,
}
"""Multiply-accumulates per low-resolution pixel, from the peers' own table."""

SET5 = {
    "ecbsr-m4c16-x4": (30.89, 0.8735),
    "fsrcnnx-8-0-4-1-x2": (36.58, 0.9526),
    "rt4ksr-x3": (32.19, 0.9024),
}
"""PSNR and SSIM on Set5, from the same table: an RGB net, a luma net, one that needs aligning."""


def peer(name: str) -> Subject:
    return subjects.load(shared("peers", f"{name}.onnx"))


@pytest.mark.parametrize("name", MAC)
def test_operations_are_counted(name: str) -> None:
    assert round(cost(peer(name)).mac) == MAC[name]


@pytest.mark.parametrize("name", SET5)
def test_a_peer_has_the_figures_of_its_table(name: str) -> None:
    subject = peer(name)
    network = networks.open_network(subject, threads=1)
    found = pictures.score(network.picture, shared("data", "test", "Set5"), scale=subject.scale)
    network.close()
    assert (found.psnr, found.ssim) == pytest.approx(SET5[name], abs=0.006)


def test_a_model_of_ours_is_counted_per_frame() -> None:
    found = cost(subjects.load("bicubic-x3"))
    assert (found.mac, found.parameters) == (9 * 25, 9 * 25)


def test_a_peer_that_repeats_samples_gives_them_back(tmp_path: Path) -> None:
    network = networks.open_network(subjects.load(repeating(tmp_path, takes="rgb")), threads=1)
    rgb = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    expected = pictures.studio_luma(rgb).repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_allclose(network.picture(rgb), expected, atol=1e-9)
    network.close()


@pytest.mark.parametrize("full_range", [True, False])
def test_a_luma_peer_is_fed_in_its_range(tmp_path: Path, full_range: bool) -> None:
    y_range = "full" if full_range else "studio"
    subject = subjects.load(repeating(tmp_path, takes="y", y_range=y_range))
    assert subject.full_range == full_range
    network = networks.open_network(subject, threads=1)
    rgb = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    rounded = np.rint(pictures.studio_luma(rgb)).repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_allclose(network.picture(rgb), rounded, atol=1e-9)
    network.close()


@pytest.mark.parametrize(
    ("takes", "metadata", "complaint"),
    [
        ("x", {"scale": "2"}, "has the inputs x"),
        ("rgb", {"scale": "5"}, "say scale 5"),
        ("rgb", {}, "say scale None"),
        ("y", {"scale": "2", "align": "x"}, "say align 'x', not a whole number of 1 to"),
        ("y", {"scale": "2", "align": "-4"}, "say align -4"),
        ("y", {"scale": "2", "align": "2.5"}, "say align 2.5"),
        ("y", {"scale": "2", "align": "[1]"}, "say align"),
        ("y", {"scale": "2", "align": "Infinity"}, "say align inf"),
        ("y", {"scale": "2", "align": "1000000"}, "say align 1000000"),
        ("y", {"scale": "2", "y_range": "limited"}, "say y_range 'limited', not full or studio"),
    ],
)
def test_a_network_that_is_no_peer_is_refused(
    tmp_path: Path, takes: str, metadata: dict[str, str], complaint: str
) -> None:
    where = repeating(tmp_path, takes=takes, metadata=metadata)
    with pytest.raises(ModelError, match=complaint):
        subjects.load(where)


@pytest.mark.parametrize("align", ["1", "8", "0", "null"])
def test_what_need_not_align_may_say_so_in_any_way(tmp_path: Path, align: str) -> None:
    where = repeating(tmp_path, takes="y", metadata={"scale": "2", "align": align})
    assert subjects.load(where).multiple_of == max(1, int(align) if align.isdecimal() else 1)


@pytest.mark.parametrize(("said", "times"), [("2", 4), ("4", 2), ("3", 2)])
def test_a_peer_of_another_scale_than_it_says_is_not_measured(
    tmp_path: Path, said: str, times: int
) -> None:
    """What is too large would be cut to its upper left part, and measured as if nothing were."""
    where = repeating(tmp_path, takes="y", metadata={"scale": said}, times=times)
    network = networks.open_network(subjects.load(where), threads=1)
    with pytest.raises(ModelError, match=rf"repeating-y is for x{said}, but made .* of "):
        network.picture(np.zeros((24, 20, 3), np.uint8))
    network.close()


def test_a_peer_that_fails_on_a_picture_is_told_in_a_line(tmp_path: Path) -> None:
    where = repeating(tmp_path, takes="y")
    model = onnx.load(str(where))
    model.graph.node[0].input[1] = "small"
    fixed = np.zeros((1, 1, 32, 32), np.float32)
    model.graph.initializer.append(numpy_helper.from_array(fixed, "small"))
    onnx.save(model, str(where))
    network = networks.open_network(subjects.load(where), threads=1)
    with pytest.raises(ModelError, match="ONNX Runtime cannot run it") as told:
        network.picture(np.zeros((24, 20, 3), np.uint8))
    assert "\n" not in str(told.value)
    network.close()


def test_a_peer_without_convolutions_costs_none(tmp_path: Path) -> None:
    found = cost(subjects.load(repeating(tmp_path, takes="y")))
    assert (found.mac, found.parameters) == (0, 0)


@pytest.mark.parametrize("align", [1, 5, 64, 128])
def test_a_peer_costs_the_same_whatever_its_sides_are_multiples_of(
    tmp_path: Path, align: int
) -> None:
    where = repeating(tmp_path, takes="y", metadata={"scale": "2", "align": str(align)})
    model = onnx.load(str(where))
    kernel = np.zeros((4, 1, 3, 3), np.float32)
    model.graph.initializer.append(numpy_helper.from_array(kernel, "kernel"))
    conv = helper.make_node("Conv", ["y", "kernel"], ["all"], pads=[1] * 4)
    model.graph.node[0].CopyFrom(conv)
    onnx.save(model, str(where))
    assert cost(subjects.load(where)).mac == 36


def test_two_networks_of_one_name_are_not_told_apart(tmp_path: Path) -> None:
    one = subjects.load(repeating(tmp_path, takes="y"))
    with pytest.raises(UsageError, match="two networks are named repeating-y"):
        timing.measure([one, one], setups=[EXACT], rounds=1)
    with pytest.raises(UsageError, match="two networks are named repeating-y"):
        report.measure([one, one], [], streams=[])


def repeating(
    folder: Path,
    *,
    takes: str,
    y_range: str = "full",
    times: int = 2,
    metadata: dict[str, str] | None = None,
) -> Path:
    """A peer that repeats every sample so many times each way."""
    channels = 3 if takes == "rgb" else 1
    metadata = {"scale": "2"} if metadata is None else metadata
    graph = helper.make_graph(
        [
            helper.make_node("Concat", [takes] * times**2, ["all"], axis=1),
            helper.make_node("DepthToSpace", ["all"], ["big"], blocksize=times, mode="DCR"),
        ],
        "repeating",
        [helper.make_tensor_value_info(takes, TensorProto.FLOAT, ["N", channels, "H", "W"])],
        [helper.make_tensor_value_info("big", TensorProto.FLOAT, ["N", channels, "h", "w"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"y_range": y_range, **metadata})
    where = folder / f"repeating-{takes}.onnx"
    onnx.save(model, str(where))
    return where


@pytest.mark.parametrize("side", [3, 16, 17, 21, 32])
@pytest.mark.parametrize("multiple_of", [1, 2, 8])
def test_pictures_are_filled_up_by_their_edge_and_cut_again(side: int, multiple_of: int) -> None:
    seen: list[tuple[int, ...]] = []

    def run(values: NDArray[Any]) -> NDArray[Any]:
        seen.append(values.shape)
        return values.repeat(2, axis=2).repeat(2, axis=3)

    values = np.random.default_rng(side).integers(0, 256, (1, 2, side, side + 1))
    found = runtimes.fitted(run, scale=2, multiple_of=multiple_of)(values)
    np.testing.assert_array_equal(found, values.repeat(2, axis=2).repeat(2, axis=3))
    (shape,) = seen
    assert all(given % multiple_of == 0 and given >= 16 for given in shape[2:])
    assert all(
        given < max(16, wanted) + multiple_of
        for given, wanted in zip(shape[2:], (side, side + 1), strict=True)
    )
