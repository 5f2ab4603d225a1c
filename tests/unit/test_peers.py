"""Peers: their files are understood, counted and measured as their table has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from support.shared import shared
from vidlift.errors import ModelError
from vidlift.evaluation import networks, pictures, runtimes, subjects
from vidlift.evaluation.cost import cost
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
    ],
)
def test_a_network_that_is_no_peer_is_refused(
    tmp_path: Path, takes: str, metadata: dict[str, str], complaint: str
) -> None:
    where = repeating(tmp_path, takes=takes, scale=metadata.get("scale"))
    with pytest.raises(ModelError, match=complaint):
        subjects.load(where)


def repeating(folder: Path, *, takes: str, y_range: str = "full", scale: str | None = "2") -> Path:
    """A peer that doubles every sample each way."""
    channels = 3 if takes == "rgb" else 1
    graph = helper.make_graph(
        [
            helper.make_node("Concat", [takes] * 4, ["four"], axis=1),
            helper.make_node("DepthToSpace", ["four"], ["big"], blocksize=2, mode="DCR"),
        ],
        "repeating",
        [helper.make_tensor_value_info(takes, TensorProto.FLOAT, ["N", channels, "H", "W"])],
        [helper.make_tensor_value_info("big", TensorProto.FLOAT, ["N", channels, "h", "w"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"y_range": y_range, **({"scale": scale} if scale else {})})
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
