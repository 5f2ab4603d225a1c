"""The door at which model files are checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from vidlift import models
from vidlift.errors import ModelError
from vidlift.models import check

Change = Callable[[onnx.ModelProto], None]


def ours(scale: int = 2) -> onnx.ModelProto:
    return onnx.load_model_from_string(models.kernel(scale=scale).data)


def tensor(model: onnx.ModelProto) -> onnx.TypeProto.Tensor:
    """The type of the first input."""
    found: onnx.TypeProto.Tensor = model.graph.input[0].type.tensor_type
    return found


def refused(model: onnx.ModelProto, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check.descriptor(model.SerializeToString(), where="a.onnx")


class TestTheDoor:
    def test_what_is_ours_passes(self) -> None:
        found = check.descriptor(ours().SerializeToString(), where="a.onnx")
        assert found == models.kernel(scale=2).descriptor

    @pytest.mark.parametrize("data", [b"", b"not onnx", b"\x80\x04pickle", bytes(100), b"\x0a\xff"])
    def test_what_is_no_onnx_file(self, data: bytes) -> None:
        with pytest.raises(ModelError, match=r"a\.onnx is not an ONNX file"):
            check.descriptor(data, where="a.onnx")

    @given(st.binary(max_size=200))
    def test_no_bytes_raise_anything_else(self, data: bytes) -> None:
        with pytest.raises(ModelError):
            check.descriptor(data, where="a.onnx")

    def test_one_without_a_descriptor(self) -> None:
        model = ours()
        del model.metadata_props[:]
        refused(model, "is an ONNX file but not a Vidlift model")

    def test_an_operator_that_is_not_allowed(self) -> None:
        model = ours()
        model.graph.node.add(op_type="Loop", input=["y"], output=["z"])
        refused(model, "operators that a model may not: Loop")

    def test_an_operator_of_another_domain(self) -> None:
        model = ours()
        model.graph.node[0].domain = "com.example"
        refused(model, r"operators that a model may not: com\.example\.Cast")

    def test_a_domain_of_its_own(self) -> None:
        model = ours()
        model.opset_import.append(helper.make_opsetid("com.example", 1))
        refused(model, "opsets that a model may not")

    def test_functions_of_its_own(self) -> None:
        model = ours()
        node = helper.make_node("Loop", ["a"], ["b"])
        opsets = [helper.make_opsetid("", 17)]
        model.functions.append(
            helper.make_function("ai.onnx", "Relu", ["a"], ["b"], [node], opsets)
        )
        refused(model, "functions of its own")

    def test_too_new_an_opset(self) -> None:
        model = ours()
        model.opset_import[0].version = 22
        refused(model, "needs opset 22; a model has at most 17")

    def test_weights_outside_the_file(self) -> None:
        model = ours()
        weight = model.graph.initializer[0]
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value="../../etc/passwd")
        refused(model, "keeps weights outside the file")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda m: setattr(m.graph.input[0], "name", "x"), "first input is to be 'y'"),
            (lambda m: setattr(m.graph.output[0], "name", "x"), "first output is to be 'y_hr'"),
            (lambda m: m.graph.ClearField("output"), "output is to be 'y_hr', got 'none'"),
            (
                lambda m: setattr(tensor(m), "elem_type", TensorProto.FLOAT),
                r"y is to be uint8 \[1, 2, H, W\]",
            ),
            (
                lambda m: setattr(tensor(m).shape.dim[2], "dim_value", 270),
                r"y is to be uint8 \[1, 2, H, W\] of any height and width, got .*270",
            ),
            (
                lambda m: m.graph.node[1].output.__setitem__(0, "other"),
                "lacks the tensor core_in of the contract",
            ),
        ],
    )
    def test_other_ends(self, change: Change, message: str) -> None:
        model = ours()
        change(model)
        refused(model, message)

    def test_a_state_that_no_engine_feeds_yet(self) -> None:
        model = ours()
        state = helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, 8, "H", "W"])
        model.graph.input.append(state)
        refused(model, "keeps a state")

    def test_a_scale_that_is_not_the_graphs(self) -> None:
        model = ours(scale=3)
        for entry in model.metadata_props:
            if entry.key == "vidlift.scale":
                entry.value = "2"
        refused(model, "says that its scale is 2, but makes 48x48 of 16x16")

    def test_a_graph_that_is_not_valid(self) -> None:
        model = ours()
        model.graph.node[3].input[1] = "nothing"
        refused(model, r"a\.onnx is not a valid ONNX graph")

    def test_a_file_that_is_too_large(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        where = tmp_path / "a.onnx"
        where.write_bytes(bytes(3 << 20))
        monkeypatch.setattr(check, "MAX_BYTES", 1 << 20)
        with pytest.raises(ModelError, match="has 3 MiB; a model has at most 1"):
            models.load(where)
