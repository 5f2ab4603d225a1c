"""The catalogue, what is read without ONNX, and the kernels."""

from __future__ import annotations

import json
import lzma
import tomllib
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from vidlift import models
from vidlift.color import Siting
from vidlift.descriptor import SCALES
from vidlift.errors import ModelError
from vidlift.models import cards, check, graph, kernels
from vidlift.models.core import extract
from vidlift.upscaler import Upscaler

RECIPES = Path(__file__).parents[2] / "recipes"

MAX_BYTES = {"xs": 8_000, "s": 24_000, "m": 64_000, "l": 180_000, "xl": 600_000}
MAX_MACS = {"xs": 120, "s": 360, "m": 1_050, "l": 3_300, "xl": 10_600}
"""Multiply-accumulates per output pixel."""

FLAT = 6
"""Code values by which a flat picture may move: as far as one of low bit rates moves black."""


class TestTheCatalogue:
    @pytest.mark.parametrize("name", [*models.names(), *(f"bicubic-x{s}" for s in SCALES)])
    def test_every_model_is_what_its_name_says(self, name: str) -> None:
        model = models.load(name)
        assert model.descriptor.name == name
        assert name.endswith(f"-x{model.descriptor.scale}") or "-x" in name

    @pytest.mark.parametrize("name", models.names())
    def test_every_shipped_model_has_a_card_that_fits(self, name: str) -> None:
        model, card = models.load(name), models.card(name)
        assert card is not None
        found = {key: card[key] for key in ("name", "tier", "scale", "sha256", "bytes")}
        assert found == {
            "name": name,
            "tier": model.descriptor.tier,
            "scale": model.descriptor.scale,
            "sha256": model.sha256,
            "bytes": len(model.data),
        }

    @pytest.mark.parametrize("name", models.names())
    def test_a_tier_fits_into_its_bytes_and_operations(self, name: str) -> None:
        card = models.card(name)
        assert card is not None
        assert card["bytes"] <= MAX_BYTES[card["tier"]]
        assert card["mac_per_output_pixel"] <= MAX_MACS[card["tier"]]

    @pytest.mark.parametrize("name", models.names())
    def test_every_shipped_network_has_its_recipe_and_log(self, name: str) -> None:
        """A variant, such as one in 8 bits, has those of the network that it was made from."""
        card = models.card(name)
        assert card is not None
        own = card["recipe"]
        recipe = tomllib.loads((RECIPES / f"{own['name']}.toml").read_text())
        assert {key: recipe[key] for key in ("name", "tier", "scale", "architecture")} == {
            key: own[key] for key in ("name", "tier", "scale", "architecture")
        }
        log = (RECIPES / f"{own['name']}.log.jsonl").read_text().splitlines()
        assert json.loads(log[-1])["step"] == own["steps"]

    @pytest.mark.parametrize("name", [*models.names(), *(f"bicubic-x{s}" for s in SCALES)])
    def test_every_shipped_model_passes_the_door(self, name: str) -> None:
        model = models.load(name)
        assert check.descriptor(model.data, where=name) == model.descriptor

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"not packed", r"cannot read .*m-x2\.onnx\.xz"),
            (lzma.compress(b"cut short")[:-9], r"cannot read .*m-x2\.onnx\.xz"),
            (lzma.compress(b"another"), "is damaged, or is not the one of its card"),
        ],
    )
    def test_a_shipped_file_that_is_damaged(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
    ) -> None:
        card = models.path("m-x2").with_name("m-x2.json").read_bytes()
        monkeypatch.setattr(models, "_FOLDER", tmp_path)
        (tmp_path / "m-x2.onnx.xz").write_bytes(content)
        (tmp_path / "m-x2.json").write_bytes(card)
        with pytest.raises(ModelError, match=message):
            _ = models.load("m-x2").data

    def test_a_shipped_file_is_unpacked_once_and_not_before_it_is_wanted(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read: list[Path] = []
        unpack = models.packing.read

        def unpacking(where: Path) -> bytes:
            read.append(where)
            return unpack(where)

        monkeypatch.setattr(models.packing, "read", unpacking)
        model = models.load("m-x2")
        assert model.descriptor.tier == "m"
        assert read == []
        assert model.data == model.data
        assert [where.name for where in read] == ["m-x2.onnx.xz"]

    def test_a_shipped_file_without_a_card_of_its_own_is_checked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(models, "_FOLDER", tmp_path)
        (tmp_path / "m-x2.onnx.xz").write_bytes(lzma.compress(b"not onnx"))
        (tmp_path / "m-x2.json").write_text("{}")
        with pytest.raises(ModelError, match="is not an ONNX file"):
            models.load("m-x2")

    @pytest.mark.parametrize("lacks", ["name", "version", "training_data"])
    def test_a_shipped_file_with_a_card_that_says_too_little(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks: str
    ) -> None:
        card = models.card("m-x2") or {}
        del card[lacks]
        monkeypatch.setattr(models, "_FOLDER", tmp_path)
        (tmp_path / "m-x2.onnx.xz").write_bytes(b"")
        (tmp_path / "m-x2.json").write_text(json.dumps(card))
        with pytest.raises(
            ModelError, match=rf"m-x2\.json does not say what its model is: .*{lacks}"
        ):
            models.load("m-x2")

    def test_a_file_of_ones_own(self, tmp_path: Path) -> None:
        where = tmp_path / "mine.onnx"
        where.write_bytes(models.kernel(scale=3).data)
        assert models.load(where).descriptor == models.describe(str(where))
        assert models.card(where) is None

    @pytest.mark.parametrize("content", ["{", "[1]", "3", "null"])
    def test_a_card_that_cannot_be_read(self, tmp_path: Path, content: str) -> None:
        where = tmp_path / "mine.onnx"
        where.write_bytes(models.kernel(scale=3).data)
        where.with_suffix(".json").write_text(content)
        with pytest.raises(ModelError, match=r"mine\.json is not a card"):
            models.card(where)

    @pytest.mark.parametrize("before", [True, False])
    def test_a_save_that_is_killed_halfway_gives_no_model_a_foreign_card(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
    ) -> None:
        where, replace = tmp_path / "mine.json", Path.replace
        old, new = models.kernel(scale=3), models.kernel(scale=2)
        if before:
            cards.save({"sha256": old.sha256}, where, model=old)

        def killed(self: Path, target: Path) -> Path:
            replace(self, target)
            raise KeyboardInterrupt

        with monkeypatch.context() as broken:
            broken.setattr(Path, "replace", killed)
            with pytest.raises(KeyboardInterrupt):
                cards.save({"sha256": new.sha256}, where, model=new)
        mine = where.with_suffix(".onnx")
        assert models.load(mine).descriptor == new.descriptor
        if before:
            with pytest.raises(ModelError, match=r"mine\.json is the card of another file"):
                models.card(mine)
        else:
            assert models.card(mine) is None

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("z-x4", "no model named 'z-x4'; there are .*bicubic-x2"),
            ("bicubic-x5", "no model named 'bicubic-x5'"),
            ("gone.onnx", r"no model file gone\.onnx"),
            ("../../setup", r"no model file \.\./\.\./setup: one ends in \.onnx"),
            ("runs/gone", r"no model file runs/gone: one ends in \.onnx"),
        ],
    )
    def test_what_is_not_there(self, name: str, message: str) -> None:
        with pytest.raises(ModelError, match=message):
            models.load(name)

    def test_a_card_is_json(self, tmp_path: Path) -> None:
        where = tmp_path / "mine.onnx"
        where.write_bytes(b"")
        where.with_suffix(".json").write_text(json.dumps({"name": "mine"}))
        assert models.card(where) == {"name": "mine"}

    @pytest.mark.parametrize("name", models.names())
    @pytest.mark.parametrize("code", [0, 16, 128, 235, 255])
    def test_what_is_flat_stays_flat(self, name: str, code: int) -> None:
        """Also below studio range, where photographs have nothing to learn from."""
        away = 24  # from the border, which networks of up to 16 layers see
        with Upscaler(name, engine="onnxruntime", threads=1) as upscaler:
            made = upscaler.luma(np.full((1, 64, 64), code, np.uint8))[0].astype(int)
            inside = slice(away * upscaler.descriptor.scale, -away * upscaler.descriptor.scale)
        assert np.abs(made[inside, inside] - code).max() <= FLAT


class TestReadingWithoutOnnx:
    @pytest.mark.parametrize("name", [*models.names(), *(f"bicubic-x{s}" for s in SCALES)])
    def test_it_reads_what_onnx_reads(self, name: str) -> None:
        data = models.load(name).data
        found, wanted = graph.read(data, where=name), onnx.load_model_from_string(data)
        assert [(node.op_type, list(node.inputs), list(node.outputs)) for node in found.nodes] == [
            (node.op_type, list(node.input), list(node.output)) for node in wanted.graph.node
        ]
        for ours, theirs in zip(found.nodes, wanted.graph.node, strict=True):
            assert ours.ints == {
                each.name: tuple(each.ints) or (each.i,)
                for each in theirs.attribute
                if each.type in (onnx.AttributeProto.INT, onnx.AttributeProto.INTS)
            }
        assert found.inputs == tuple(value.name for value in wanted.graph.input)
        assert found.weights == {
            array.name: tuple(array.dims) for array in wanted.graph.initializer
        }
        assert found.metadata == {entry.key: entry.value for entry in wanted.metadata_props}

    @given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1)))
    def test_integers_of_all_sizes(self, numbers: list[int]) -> None:
        node = helper.make_node("Pad", ["a"], ["b"], some=numbers or [0], one=-1)
        model = helper.make_model(helper.make_graph([node], "g", [], []))
        (found,) = graph.read(model.SerializeToString(), where="a.onnx").nodes
        assert found.ints == {"some": tuple(numbers or [0]), "one": (-1,)}

    @given(st.binary(max_size=200))
    def test_other_bytes_are_refused(self, data: bytes) -> None:
        with suppress(ModelError):
            assert graph.read(b"\x3a\x00" + data, where="a.onnx").nodes == ()
        with pytest.raises(ModelError, match=r"a\.onnx is not an ONNX file"):
            graph.read(data + b"\x3a\x05a", where="a.onnx")


class TestKernels:
    @pytest.mark.parametrize("siting", Siting)
    @pytest.mark.parametrize("scale", SCALES)
    def test_what_is_shipped_is_what_is_built(self, scale: int, siting: Siting) -> None:
        descriptor, data = kernels.build(scale=scale, siting=siting)
        shipped = models.kernel(scale=scale, siting=siting)
        assert shipped.descriptor == descriptor
        built, found = (onnx.load_model_from_string(each) for each in (data, shipped.data))
        assert found == built, "`python -m vidlift.models.kernels` writes them anew"

    @pytest.mark.parametrize("cosited", [False, True])
    @pytest.mark.parametrize("scale", SCALES)
    def test_weights_of_a_phase_sum_to_one(self, scale: int, cosited: bool) -> None:
        weights = kernels.phase_weights(scale, cosited=cosited)
        assert np.allclose(weights.sum(axis=1), 1)

    @pytest.mark.parametrize("cosited", [False, True])
    @pytest.mark.parametrize("scale", SCALES)
    def test_the_centre_of_gravity_is_where_the_sample_lies(
        self, scale: int, cosited: bool
    ) -> None:
        weights = kernels.phase_weights(scale, cosited=cosited)
        found = weights @ np.arange(-2, 3)
        x = np.arange(scale)
        # Cosited chroma lies on every second luma sample, and so among luma samples.
        wanted = ((2 * x + 0.5) / scale - 0.5) / 2 if cosited else (x + 0.5) / scale - 0.5
        assert np.allclose(found, wanted)

    @pytest.mark.parametrize("siting", Siting)
    @pytest.mark.parametrize("scale", SCALES)
    def test_the_core_is_the_graph_between_the_casts(self, scale: int, siting: Siting) -> None:
        core = onnx.load_model_from_string(extract(models.kernel(scale=scale, siting=siting)))
        onnx.checker.check_model(core, full_check=True)
        assert [value.name for value in core.graph.input] == ["core_in"]
        assert [value.name for value in core.graph.output] == ["core_out"]
        assert {node.op_type for node in core.graph.node} == {"Pad", "Conv"}
