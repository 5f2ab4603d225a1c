"""Mixed precision: which layers it is in, and that it is used where it is faster and not seen."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.networks import plain_network
from support.shared import require
from vidlift import demo, models
from vidlift.engines import open_engine
from vidlift.errors import ModelError
from vidlift.frame import Plane
from vidlift.models import Model
from vidlift.player import calibration, precision
from vidlift.player.calibration import Speeds
from vidlift.sources.file import FileSource


class FakeUpscaler:
    """Knows its engine; there is none in mixed precision where ``lacks`` says so."""

    lacks = False
    engine = "openvino 1 cpu mixed"

    def __init__(self, _model: Model, *, engine: str, threads: int | None) -> None:
        if engine == precision.MIXED and self.lacks:
            raise ModelError("this CPU has no bfloat16")

    def __enter__(self) -> FakeUpscaler:
        return self

    def __exit__(self, *_how: object) -> None:
        """Nothing is held."""


@pytest.fixture
def speeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Speeds:
    monkeypatch.setattr(precision, "Upscaler", FakeUpscaler)
    monkeypatch.setattr(models, "names", lambda: ["m-x2", "s-x2"])
    monkeypatch.setattr(models, "load", lambda name: plain_network(tier=str(name)[0]))
    return Speeds(tmp_path / "speeds.json")


@pytest.mark.parametrize(
    ("times", "is_faster"),
    [
        ({"auto": 0.02, precision.MIXED: 0.01}, True),
        ({"auto": 0.02, precision.MIXED: 0.0195}, False),
        ({"auto": 0.02}, False),
    ],
)
def test_it_is_used_where_it_is_faster(
    monkeypatch: pytest.MonkeyPatch, speeds: Speeds, times: dict[str, float], is_faster: bool
) -> None:
    monkeypatch.setattr(calibration, "measure", lambda *_args, **_more: times)
    assert precision.faster("auto", threads=1, speeds=speeds) is is_faster


def test_what_was_measured_is_kept(monkeypatch: pytest.MonkeyPatch, speeds: Speeds) -> None:
    times = {"cpu": 0.02, precision.MIXED: 0.01}
    monkeypatch.setattr(calibration, "measure", lambda *_args, **_more: times)
    assert not precision.known("cpu", threads=1, speeds=speeds)
    assert precision.faster("cpu", threads=1, speeds=speeds)
    assert precision.known("auto", threads=1, speeds=speeds)
    monkeypatch.setattr(calibration, "measure", lambda *_args, **_more: pytest.fail("again"))
    assert precision.faster("auto", threads=1, speeds=speeds)


@pytest.mark.parametrize("engine", ["gpu", "onnxruntime", "openvino"])
def test_an_engine_that_was_asked_for_stays(speeds: Speeds, engine: str) -> None:
    assert precision.known(engine, threads=1, speeds=speeds)
    assert not precision.faster(engine, threads=1, speeds=speeds)


def test_without_bfloat16_or_networks_nothing_is_measured(
    monkeypatch: pytest.MonkeyPatch, speeds: Speeds
) -> None:
    monkeypatch.setattr(calibration, "measure", lambda *_args, **_more: pytest.fail("measured"))
    monkeypatch.setattr(FakeUpscaler, "lacks", True)
    assert precision.known("auto", threads=1, speeds=speeds)
    assert not precision.faster("auto", threads=1, speeds=speeds)
    monkeypatch.setattr(models, "names", list)
    assert not precision.faster("auto", threads=1, speeds=speeds)


SHA = plain_network(tier="m").sha256


@pytest.mark.parametrize(
    ("card", "allowed"),
    [
        ({"sha256": SHA, "figures": {"mixed": {"largest": 1}}}, True),
        ({"sha256": SHA, "figures": {"mixed": {"largest": 0}}}, True),
        ({"sha256": SHA, "figures": {"mixed": {"largest": 2}}}, False),
        ({"sha256": "of another file", "figures": {"mixed": {"largest": 1}}}, False),
        ({"sha256": SHA, "figures": {"mixed": {}}}, False),
        ({"sha256": SHA, "figures": {}}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_network_is_mixed_where_its_card_says_that_no_sample_moves_by_more_than_1(
    monkeypatch: pytest.MonkeyPatch, card: dict[str, Any] | None, allowed: bool
) -> None:
    monkeypatch.setattr(models, "names", lambda: ["m-x2"])
    monkeypatch.setattr(models, "card", lambda _name: card)
    assert precision.allowed(plain_network(tier="m")) is allowed
    monkeypatch.setattr(models, "names", lambda: ["s-x2"])
    assert not precision.allowed(plain_network(tier="m")), "not shipped: there is no such card"


@pytest.mark.parametrize("name", models.names())
def test_what_cards_say_of_mixed_precision_can_be_so(name: str) -> None:
    found = (models.card(name) or {})["figures"].get("mixed")
    if found is not None:
        assert 0 <= found["differ"] < 0.15
        assert (found["largest"] > 1) == (found["over_1"] > 0)
        assert abs(found["psnr"]) < 0.05


def test_only_layers_between_the_ends_are_in_bfloat16() -> None:
    require("openvino")
    import openvino as ov

    from vidlift.engines.openvino_mixed import mix

    graph = ov.Core().read_model(plain_network(layers=2).data)
    mix(graph)
    types = [
        str(each.get_output_element_type(0).get_type_name())
        for each in graph.get_ordered_ops()
        if each.get_type_name() == "Convolution"
    ]
    assert sorted(types) == ["bf16", "bf16", "bf16", "f32", "f32"], "head and residual are exact"
    kernel = ov.Core().read_model(models.kernel(scale=2).data)
    before = len(kernel.get_ordered_ops())
    mix(kernel)
    assert len(kernel.get_ordered_ops()) == before


@pytest.fixture(scope="module")
def picture() -> Plane:
    """A part of the bundled clip."""
    with closing(FileSource(Path(demo.__file__).with_name("big_buck_bunny.mp4"))) as source:
        return next(iter(source)).luma[40:200, 80:320].copy()


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("name", [n for n in models.names() if "int8" not in n])
def test_on_pictures_it_is_near_float32(picture: Plane, name: str, bits: int) -> None:
    require("openvino")
    model = models.load(name)
    try:
        mixed = open_engine(model, engine=precision.MIXED, threads=1)
    except ModelError as error:
        pytest.skip(str(error))
    exact = open_engine(model, engine="openvino", threads=1)
    plane = picture.astype(np.uint16) << 2 if bits == 10 else picture
    found, wanted = (
        engine.run(plane[None, None], bits=bits).astype(np.int32) for engine in (mixed, exact)
    )
    wrong = np.abs(found - wanted)
    if bits == 10:
        assert not wrong.any(), "ten bits are not left to eight of mantissa"
    assert np.mean(wrong > 1) <= 1e-3
    assert np.mean(wrong**2) <= 0.1, "0.01 dB at 40 dB"
    mixed.close()
    exact.close()


@pytest.mark.parametrize(
    ("there", "tried"),
    [
        (["m-x4", "s-x2", "s-x4", "xs-x4"], "s-x4"),
        (["s-x4-int8", "m-x4"], "m-x4"),
        (["xs-x2"], "xs-x2"),
    ],
)
def test_it_is_tried_on_a_small_network_with_inner_layers(
    there: list[str], tried: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(models, "names", lambda: there)
    monkeypatch.setattr(models, "load", loaded.append)
    precision._tried()
    assert loaded == [tried]
