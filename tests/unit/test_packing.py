"""Shipped models in 8 bits are packed without their weights, and given them again."""

from __future__ import annotations

from pathlib import Path
from shutil import copy

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from vidlift import models
from vidlift.errors import ModelError
from vidlift.models import graph, packing


def packed(folder: Path, name: str, *, of: str | None = None) -> Path:
    """A file of that name, with what the shipped model ``of`` has."""
    return Path(copy(models.path(of or name), folder / f"{name}{packing.PACKED}"))


@pytest.mark.parametrize("name", ["s-x4", "l-x2-clean", "m-x3-int8", "xl-x4-low-int8"])
def test_what_is_packed_is_given_back(name: str, tmp_path: Path) -> None:
    as_trained = packed(tmp_path, name.removesuffix("-int8"))
    data = models.load(name).data
    where = tmp_path / f"{name}{packing.PACKED}"
    packing.write(data, where)
    assert packing.read(where) == data
    if where != as_trained:
        assert where.stat().st_size < as_trained.stat().st_size / 4
        assert np.any(weights(data)["q_output_body0_weight_float_1"])


def test_the_weights_are_those_of_the_network_beside_it(tmp_path: Path) -> None:
    """Of another training, with the same layers."""
    packed(tmp_path, "s-x2", of="s-x2-clean")
    where = packed(tmp_path, "s-x2-int8")
    found, wanted = (weights(data) for data in (packing.read(where), models.load("s-x2-int8").data))
    assert found.keys() == wanted.keys()
    others = {name for name in found if not np.array_equal(found[name], wanted[name])}
    assert others == {name for name, value in found.items() if value.ndim == 4}


def test_weights_of_its_own_are_kept(tmp_path: Path) -> None:
    packed(tmp_path, "s-x2", of="s-x2-clean")
    where = tmp_path / f"s-x2-int8{packing.PACKED}"
    data = models.load("s-x2-int8").data
    packing.write(data, where)
    assert packing.read(where) == data
    bare = models.path("s-x2-int8").stat().st_size
    assert where.stat().st_size > bare + sum(
        value.size // 2 for value in weights(data).values() if value.ndim == 4
    )


def test_the_network_beside_it_is_of_another_form(tmp_path: Path) -> None:
    packed(tmp_path, "m-x2", of="s-x2")
    with pytest.raises(ModelError, match=r"m-x2-int8\.onnx\.xz has other layers than the network"):
        packing.read(packed(tmp_path, "m-x2-int8"))


def test_the_network_beside_it_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read .*m-x2\.onnx\.xz: No such file"):
        packing.read(packed(tmp_path, "m-x2-int8"))


@pytest.mark.parametrize("name", ["xs-x3", "m-x2-int8", "bicubic-x2"])
def test_stored_arrays_are_those_that_onnx_reads(name: str) -> None:
    data = models.load(name).data
    found, wanted = graph.arrays(data), weights(data)
    floats = {key for key, value in wanted.items() if value.dtype in (np.float32, np.float16)}
    assert floats <= found.keys() <= wanted.keys()
    for key, value in found.items():
        np.testing.assert_array_equal(value, wanted[key])
        assert value.dtype == wanted[key].dtype


def weights(data: bytes) -> dict[str, np.ndarray]:
    stored = onnx.load_model_from_string(data).graph.initializer
    return {each.name: numpy_helper.to_array(each) for each in stored}
