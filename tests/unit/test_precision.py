"""Less than float32: in which layers, and that it is used where it is faster, and not seen."""

from __future__ import annotations

from collections import deque
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from support.networks import plain_network
from support.shared import PACKAGES, require
from vidlift import demo, models
from vidlift.engines import open_engine
from vidlift.errors import ModelError
from vidlift.frame import Plane
from vidlift.models import Model
from vidlift.player import calibration, precision
from vidlift.player.calibration import Speeds
from vidlift.player.precision import FLOAT32, INT8, MIXED
from vidlift.sources.file import FileSource


class FakeUpscaler:
    """Knows its engine; there is none in mixed precision where ``lacks`` says so."""

    lacks = False

    def __init__(self, _model: Model, *, engine: str, threads: int | None) -> None:
        if engine == MIXED and self.lacks:
            raise ModelError("this CPU has no bfloat16")
        self.engine = f"openvino 1 cpu {'mixed' if engine == MIXED else 'f32'}"

    def __enter__(self) -> FakeUpscaler:
        return self

    def __exit__(self, *_how: object) -> None:
        """Nothing is held."""


@pytest.fixture
def speeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Speeds:
    monkeypatch.setattr(precision, "Upscaler", FakeUpscaler)
    monkeypatch.setattr(models, "names", lambda: ["m-x2", "s-x2", "m-x2-int8"])
    monkeypatch.setattr(models, "load", lambda name: plain_network(tier=str(name)[0]))
    return Speeds(tmp_path / "speeds.json")


def take(monkeypatch: pytest.MonkeyPatch, times: dict[str, float]) -> None:
    """Have the networks that are tried take such times; there is no time for others."""

    def measure(networks: calibration.Networks, **_: object) -> dict[str, float]:
        return {name: times[name] for name, _ in networks if name in times}

    monkeypatch.setattr(calibration, "measure", measure)


@pytest.mark.parametrize(
    ("times", "worth"),
    [
        ({FLOAT32: 0.02, MIXED: 0.01, INT8: 0.02}, (MIXED,)),
        ({FLOAT32: 0.02, MIXED: 0.0195, INT8: 0.01}, (INT8,)),
        ({FLOAT32: 0.02, MIXED: 0.0195, INT8: 0.0195}, ()),
        ({FLOAT32: 0.02, MIXED: 0.01, INT8: 0.0095}, (MIXED, INT8)),
        ({FLOAT32: 0.02, MIXED: 0.01, INT8: 0.0085}, (INT8, MIXED)),
        ({FLOAT32: 0.02, MIXED: 0.01}, (MIXED,)),
        ({FLOAT32: 0.02}, ()),
    ],
)
def test_what_is_faster_is_used_and_what_loses_nothing_first(
    monkeypatch: pytest.MonkeyPatch,
    speeds: Speeds,
    times: dict[str, float],
    worth: tuple[str, ...],
) -> None:
    take(monkeypatch, times)
    assert precision.worth("auto", threads=1, speeds=speeds) == worth


def test_what_was_measured_is_kept(monkeypatch: pytest.MonkeyPatch, speeds: Speeds) -> None:
    take(monkeypatch, {FLOAT32: 0.02, MIXED: 0.01, INT8: 0.02})
    assert not precision.known("cpu", threads=1, speeds=speeds)
    assert precision.worth("cpu", threads=1, speeds=speeds) == (MIXED,)
    assert precision.known("auto", threads=1, speeds=speeds)
    monkeypatch.setattr(calibration, "measure", lambda *_args, **_more: pytest.fail("again"))
    assert precision.worth("auto", threads=1, speeds=speeds) == (MIXED,)


def test_what_there_was_no_time_for_is_tried_the_next_time(
    monkeypatch: pytest.MonkeyPatch, speeds: Speeds
) -> None:
    take(monkeypatch, {FLOAT32: 0.02, MIXED: 0.01})
    assert precision.worth("auto", threads=1, speeds=speeds) == (MIXED,)
    assert not precision.known("auto", threads=1, speeds=speeds)
    take(monkeypatch, {FLOAT32: 0.02, MIXED: 0.01, INT8: 0.005})
    assert precision.worth("auto", threads=1, speeds=speeds) == (INT8, MIXED)


@pytest.mark.parametrize("engine", ["gpu", "onnxruntime", "openvino"])
def test_an_engine_that_was_asked_for_stays(speeds: Speeds, engine: str) -> None:
    assert precision.known(engine, threads=1, speeds=speeds)
    assert not precision.worth(engine, threads=1, speeds=speeds)


def test_what_is_not_there_is_not_measured(monkeypatch: pytest.MonkeyPatch, speeds: Speeds) -> None:
    monkeypatch.setattr(calibration, "measure", lambda *_args, **_more: pytest.fail("measured"))
    monkeypatch.setattr(FakeUpscaler, "lacks", True)
    assert not precision.known("auto", threads=1, speeds=speeds), "there are 8 bits"
    monkeypatch.setattr(models, "names", lambda: ["m-x2", "s-x2"])
    assert precision.known("auto", threads=1, speeds=speeds)
    assert not precision.worth("auto", threads=1, speeds=speeds)
    monkeypatch.setattr(models, "names", list)
    monkeypatch.setattr(FakeUpscaler, "lacks", False)
    assert not precision.worth("auto", threads=1, speeds=speeds)


@pytest.mark.parametrize(
    ("names", "ways", "best"),
    [
        (["m-x2", "m-x2-int8"], [INT8], "m-x2-int8"),
        (["m-x2", "m-x2-int8"], [INT8, MIXED], "m-x2-int8"),
        (["m-x2", "m-x2-int8"], [MIXED, INT8], "m-x2"),
        (["l-x2", "l-x2-int8"], [MIXED, INT8], "l-x2-int8"),
        (["l-x2"], [MIXED, INT8], "l-x2"),
        (["m-x2", "m-x2-other"], [INT8], "m-x2"),
        (["m-x2", "m-x2-int8"], [], "m-x2"),
    ],
)
def test_a_network_is_used_in_the_best_way_that_it_can_be(
    names: list[str], ways: list[str], best: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "load", lambda name: plain_network(tier=str(name)[0]))
    monkeypatch.setattr(precision, "allowed", lambda model: model.descriptor.tier == "m")
    assert precision.best(names, ways) == best


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


@pytest.mark.parametrize("name", models.names())
def test_what_mixed_precision_moves_is_measured_where_it_changes_anything(name: str) -> None:
    figures = (models.card(name) or {})["figures"]
    inner_in_float = "tail" in figures["int8"]["in_float"] if "int8" in figures else True
    assert ("mixed" in figures) == inner_in_float


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


@pytest.mark.parametrize(("name", "mixed"), [("xl-x2-clean-int8", 1), ("m-x2-int8", 0)])
def test_of_a_network_in_8_bits_the_last_layer_is_in_bfloat16_where_it_is_in_float(
    name: str, mixed: int
) -> None:
    require("openvino")
    import openvino as ov

    from vidlift.engines.openvino_mixed import mix

    graph = ov.Core().read_model(models.load(name).data)
    mix(graph)
    kept = [
        str(each.get_output_element_type(0).get_type_name()) for each in graph.get_ordered_ops()
    ]
    layers = [
        str(each.get_output_element_type(0).get_type_name())
        for each in graph.get_ordered_ops()
        if each.get_type_name() == "Convolution"
    ]
    assert layers.count("bf16") == mixed
    assert kept.count("bf16") == 3 * mixed, "the layer, what it takes and its weights"


@pytest.fixture(scope="module")
def picture() -> Plane:
    """Leaves before the sky, of the last frame of the bundled clip, which begins in black."""
    with closing(FileSource(Path(demo.__file__).with_name("big_buck_bunny.mp4"))) as source:
        (last,) = deque(source, maxlen=1)
    leaves = last.luma[640:800, 1180:1420].copy()
    assert leaves[:64, :96].std() > 20
    return leaves


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


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("name", [n for n in models.names() if n.endswith(INT8)])
def test_in_8_bits_engines_agree_on_pictures_and_are_near_float32(
    picture: Plane, name: str, engine: str, bits: int
) -> None:
    if engine in PACKAGES:
        require(engine)

    def made(name: str, engine: str, plane: Plane) -> NDArray[np.int32]:
        deep = plane.astype(np.uint16) << 2 if bits == 10 else plane
        with closing(open_engine(models.load(name), engine=engine, threads=1)) as running:
            return running.run(deep[None, None], bits=bits).astype(np.int32)

    leaves = picture[:64, :96]
    one = 1 << (bits - 8)
    for plane, most in ((np.full_like(leaves, 16), 0.05), (leaves, 0.1)):
        found = made(name, engine, plane)
        apart = np.abs(found - made(name, "reference", plane))
        assert np.mean(apart > one) <= 2e-3
        assert np.mean((apart / one) ** 2) <= most, "0.1: 0.01 dB at 40 dB"
        wrong = np.abs(found - made(name.removesuffix(f"-{INT8}"), engine, plane))
        assert np.mean((wrong / one) ** 2) <= 1.5, "0.06 dB at 30 dB"


@pytest.mark.parametrize(
    ("there", "tried"),
    [
        (["m-x2", "m-x4", "l-x4", "s-x4", "xs-x4"], "m-x4"),
        (["m-x4-int8", "s-x4", "l-x4", "xs-x4"], "s-x4"),
        (["xs-x2"], "xs-x2"),
    ],
)
def test_it_is_tried_on_a_network_that_precision_can_save_much(
    there: list[str], tried: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "names", lambda: there)
    assert precision._tried() == tried
