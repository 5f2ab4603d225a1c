"""Which networks there are for a film, and at which scale."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from support.frames import make_frame
from support.networks import plain_network
from vidlift import models
from vidlift.models import Model
from vidlift.player import calibration, precision
from vidlift.player.calibration import Speeds
from vidlift.player.ladder import Engines, Ladders, fitting_scale
from vidlift.player.shelf import Shelf
from vidlift.stages.pair import Pair
from vidlift.video import VideoInfo

PAIR = Pair(first=make_frame(), second=make_frame(Fraction(1, 24)))

INFO = VideoInfo(
    width=48,
    height=32,
    bits=8,
    layout="yuv420p",
    codec="h264",
    time_base=Fraction(1, 24),
    rate=Fraction(24),
)


PROBE = Pair(first=make_frame(size=(48, 32)), second=make_frame(1, size=(48, 32)))


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> dict[str, Model]:
    """Two small networks of scale 2 in the place of those shipped."""
    found = {
        f"{tier}-x2": plain_network(scale=2, tier=tier, channels=2, layers=layers)
        for tier, layers in (("s", 1), ("l", 2))
    }
    monkeypatch.setattr(models, "names", lambda: sorted(found))
    load = models.load
    monkeypatch.setattr(models, "load", lambda name: found.get(str(name)) or load(name))
    # However busy the machine is that runs the test.
    monkeypatch.setattr(calibration, "BUDGET", 1e6)
    monkeypatch.setattr(calibration, "HOPELESS", 1e6)
    return found


def engines(where: Path, **more: object) -> Engines:
    return Engines(threads=1, speeds=Speeds(where / "speeds.json"), **more)  # type: ignore[arg-type]


def ladders(where: Path, **more: object) -> Ladders:
    return Ladders(INFO, engines=engines(where), **more)  # type: ignore[arg-type]


@pytest.mark.usefixtures("catalogue")
def test_networks_are_read_once_however_often_a_ladder_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who shows pictures asks every few seconds."""
    made = ladders(tmp_path)
    made.rungs(2)
    monkeypatch.setattr(models, "load", lambda name: pytest.fail(f"{name} is read again"))
    assert made.known(2)
    assert made.rungs(2)


@pytest.mark.usefixtures("catalogue")
def test_a_ladder_is_measured_once_and_then_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ladders(tmp_path).rungs(2)
    assert [(rung.name, rung.tier) for rung in first] == [
        ("bicubic-x2", "kernel"),
        ("s-x2", "s"),
        ("l-x2", "l"),
    ]
    monkeypatch.setattr(calibration, "measure", lambda *_args, **_more: pytest.fail("again"))
    again = ladders(tmp_path).rungs(2)
    assert [rung.name for rung in again] == [rung.name for rung in first]
    assert [rung.cost for rung in again] == pytest.approx([rung.cost for rung in first], abs=1e-6)


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("shown", "then"),
    [
        ({"s": 0.5}, {"bicubic": 0.5, "s": 0.5, "l": 0.5}),
        ({"s": 0.5, "l": 0.6}, {"bicubic": 0.6, "s": 0.5, "l": 0.6}),
        ({"s": 0.5, "bicubic": 0.9}, {"bicubic": 0.9, "s": 0.5, "l": 1}),
        ({"s": 0.8}, {"bicubic": 1, "s": 0.8, "l": 1}),
        ({"s": 2}, {"bicubic": 1, "s": 2, "l": 1}),
        ({}, {"bicubic": 1, "s": 1, "l": 1}),
    ],
    ids=["all were too slow", "two of them", "one was", "hardly", "too fast", "nothing shown"],
)
def test_what_was_measured_on_a_busy_machine_is_put_right(
    shown: dict[str, float], then: dict[str, float], tmp_path: Path
) -> None:
    """In shares of what was foretold."""
    made = ladders(tmp_path)
    foretold = {rung.name: rung.cost for rung in made.rungs(2)}
    made.learn({f"{tier}-x2": share * foretold[f"{tier}-x2"] for tier, share in shown.items()})
    again = {rung.name: rung.cost for rung in ladders(tmp_path).rungs(2)}
    wanted = {f"{tier}-x2": share * foretold[f"{tier}-x2"] for tier, share in then.items()}
    assert again == pytest.approx(wanted, abs=2e-6)


@pytest.mark.usefixtures("catalogue")
def test_a_trial_shows_what_it_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = ladders(tmp_path)
    assert not made.known(2)
    seen = list(made.trial(2, PROBE))
    assert [(name, frame.size) for name, frame in seen] == [
        (name, (2 * INFO.width, 2 * INFO.height)) for name in ("bicubic-x2", "s-x2", "l-x2")
    ]
    monkeypatch.setattr(calibration, "measure", lambda *_args, **_more: pytest.fail("again"))
    assert made.known(2)
    assert [rung.name for rung in made.rungs(2)] == [name for name, _ in seen]
    assert list(ladders(tmp_path).trial(2, PROBE)) == []


@pytest.mark.usefixtures("catalogue")
def test_a_picture_is_seen_before_it_is_measured_which_precision_is_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []

    def worth(engine: str, **_more: object) -> tuple[str, ...]:
        measured.append(engine)
        return ()

    monkeypatch.setattr(precision, "allowed", lambda _model: True)
    monkeypatch.setattr(precision, "known", lambda *_args, **_more: bool(measured))
    monkeypatch.setattr(precision, "worth", worth)

    made = Ladders(INFO, engines=engines(tmp_path, ways=None))
    assert not made.known(2)
    trial = made.trial(2, PROBE)
    name, frame = next(trial)
    assert (name, frame.size) == ("s-x2", (2 * INFO.width, 2 * INFO.height))
    assert not measured
    assert [name for name, _ in trial] == ["s-x2", "l-x2"]
    assert measured == ["auto"]
    assert made.known(2)


@pytest.mark.usefixtures("catalogue")
def test_what_there_was_no_time_for_is_all_that_is_measured_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def measure(networks: calibration.Networks, **_: object) -> dict[str, float]:
        asked.append([name for name, _ in networks])
        return dict.fromkeys(asked[-1][:2], 0.001)

    monkeypatch.setattr(calibration, "measure", measure)
    for _ in range(3):
        made = ladders(tmp_path)
        assert len(made.rungs(2)) == min(1 + len(asked), 3)
        assert made.known(2)
    assert asked == [["bicubic-x2", "s-x2", "l-x2"], ["l-x2"]]


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ({"l-x2": 9.0}, ["bicubic-x2", "s-x2"]),
        ({"bicubic-x2": 0.01, "l-x2": 9.0}, ["s-x2"]),
        ({"bicubic-x2": 0.01, "s-x2": 9.0}, []),
        ({"bicubic-x2": 0.01, "s-x2": 0.02}, ["l-x2"]),
    ],
)
def test_what_is_dearer_than_one_that_is_hopeless_is_not_measured(
    known: dict[str, float],
    asked: list[str],
    tmp_path: Path,
    catalogue: dict[str, Model],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calibration, "HOPELESS", 1.5)
    made = ladders(tmp_path)
    for name, cost in known.items():
        made._speeds.put(made._key(models.load(name)), cost)
    found: list[str] = []

    def measure(networks: calibration.Networks, **_: object) -> dict[str, float]:
        found.extend(name for name, _ in networks)
        return dict.fromkeys(found, 0.001)

    monkeypatch.setattr(calibration, "measure", measure)
    made.rungs(2)
    assert found == asked


@pytest.mark.usefixtures("catalogue")
def test_one_thread_measures_at_a_time_at_whatever_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is measured while another thread measures is measured on a machine half as fast."""
    first = ladders(tmp_path)
    other = Ladders(replace(INFO, width=64), engines=engines(tmp_path), like=first)
    held: list[bool] = []

    def measure(*_: object, **_more: object) -> dict[str, float]:
        held.append(first.measuring.locked() and other.measuring.locked())
        return {"bicubic-x2": 0.001}

    monkeypatch.setattr(calibration, "measure", measure)
    other.rungs(2)
    first.rungs(2)
    assert held == [True, True]
    assert not first.measuring.locked()


@pytest.mark.usefixtures("catalogue")
def test_another_size_or_engine_is_measured_anew(tmp_path: Path) -> None:
    ladders(tmp_path).rungs(2)
    kept = set(json.loads((tmp_path / "speeds.json").read_text()))
    Ladders(INFO, engines=engines(tmp_path, engine="onnxruntime")).rungs(2)
    assert len(set(json.loads((tmp_path / "speeds.json").read_text())) - kept) == len(kept)


@pytest.mark.usefixtures("catalogue")
def test_a_scale_without_networks_is_plain_and_scale_1_costs_nothing(tmp_path: Path) -> None:
    made = ladders(tmp_path)
    assert [rung.name for rung in made.rungs(4)] == ["bicubic-x4"]
    (as_it_is,) = made.rungs(1)
    network = made.open(as_it_is)
    assert network.pair(PAIR.first, PAIR.second) == (PAIR.first, PAIR.second)


@pytest.mark.parametrize(
    ("ways", "wanted"),
    [
        ((), ["bicubic-x2", "s-x2", "l-x2"]),
        ((precision.INT8,), ["bicubic-x2", "s-x2", "l-x2-int8"]),
        ((precision.MIXED, precision.INT8), ["bicubic-x2", "s-x2", "l-x2-int8"]),
    ],
)
def test_a_tier_is_in_8_bits_where_that_is_worth_it_and_it_has_them(
    ways: tuple[str, ...],
    wanted: list[str],
    tmp_path: Path,
    catalogue: dict[str, Model],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = catalogue["l-x2"]
    for name in ("l-x2-int8", "l-x2-other"):
        descriptor = replace(plain.descriptor, name=name)
        catalogue[name] = replace(plain, descriptor=descriptor, sha256=name)
    asked: list[list[str]] = []

    def measure(networks: calibration.Networks, **_: object) -> dict[str, float]:
        asked.append([name for name, _ in networks])
        return dict.fromkeys(asked[-1], 0.001)

    monkeypatch.setattr(calibration, "measure", measure)
    made = Ladders(INFO, engines=engines(tmp_path, ways=ways))
    assert [rung.name for rung in made.rungs(2)] == wanted
    assert asked == [wanted], "what is not used is not measured"


def test_each_network_is_measured_and_opened_on_the_engine_that_its_card_allows(
    tmp_path: Path, catalogue: dict[str, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = {
        name: {"sha256": model.sha256, "figures": {"mixed": {"largest": largest}}}
        for (name, model), largest in zip(sorted(catalogue.items()), (1, 2), strict=True)
    }
    monkeypatch.setattr(models, "card", cards.get)
    monkeypatch.setattr(precision, "MIXED", "null")
    made = Ladders(INFO, engines=engines(tmp_path, engine="onnxruntime", ways=[precision.MIXED]))
    for rung in made.rungs(2):
        made.open(rung).close()
        assert made.engine(rung) == made.engine_of[rung.name]
    mixed = {name: engine.startswith("null") for name, engine in made.engine_of.items()}
    assert mixed == {"bicubic-x2": False, "l-x2": True, "s-x2": False}
    exact = engines(tmp_path, engine="onnxruntime")
    assert {exact.of(model) for model in catalogue.values()} == {"onnxruntime"}


def test_one_model_asked_for_is_the_only_network(
    tmp_path: Path, catalogue: dict[str, Model]
) -> None:
    made = ladders(tmp_path, model=catalogue["l-x2"])
    assert [rung.name for rung in made.rungs(2)] == ["bicubic-x2", "l-x2"]
    plain = ladders(tmp_path, model=models.kernel(scale=2))
    assert [rung.name for rung in plain.rungs(2)] == ["bicubic-x2"]


@pytest.mark.usefixtures("catalogue")
def test_networks_of_a_ladder_make_pairs_bigger(tmp_path: Path) -> None:
    made = ladders(tmp_path)
    shelf = Shelf(made.open)
    rungs = made.rungs(2)
    for rung in rungs:
        first, second = shelf.take(rung, PAIR).pair(PAIR.first, PAIR.second)
        assert first.size == second.size == (64, 48)
    assert set(made.engine_of) == {rung.name for rung in rungs}
    shelf.close()


@pytest.mark.parametrize(
    ("size", "area", "wanted"),
    [
        ((480, 270), (1920, 1080), 4),
        ((480, 270), (1853, 1042), 4),
        ((640, 360), (1920, 1080), 3),
        ((854, 480), (1920, 1080), 2),
        ((960, 540), (1920, 1080), 2),
        ((1920, 1080), (1920, 1080), 1),
        ((1920, 1080), (1280, 720), 1),
        ((1280, 720), (1920, 1080), 2),
        ((480, 270), (480, 270), 1),
        ((480, 270), (640, 360), 2),
        ((270, 480), (1920, 1080), 2),
        ((1920, 800), (1920, 1080), 1),
        ((1440, 1080), (1920, 1080), 1),
        ((1080, 1920), (1920, 1080), 1),
        ((640, 360), (640, 1000), 1),
    ],
)
def test_the_scale_fits_the_area(size: tuple[int, int], area: tuple[int, int], wanted: int) -> None:
    assert fitting_scale(size, area) == wanted


def test_the_scale_is_one_that_has_networks() -> None:
    assert fitting_scale((854, 480), (1920, 1080), scales=[4]) == 4
    assert fitting_scale((480, 270), (1920, 1080), scales=[2, 3]) == 3
