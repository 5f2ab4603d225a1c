"""Pictures whose size changes on the way: other costs, another scale, another network."""

from __future__ import annotations

import weakref
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import pytest

from support.frames import make_frame
from support.lifetime import no_collector
from support.networks import plain_network
from vidlift import models
from vidlift.models import Model
from vidlift.player import calibration, precision
from vidlift.player.choose import Chooser
from vidlift.player.options import PlayOptions
from vidlift.player.schedule import NOT_BEGUN
from vidlift.stages.pair import Pair
from vidlift.video import VideoInfo

INFO = VideoInfo(
    width=480,
    height=270,
    bits=8,
    layout="yuv420p",
    codec="h264",
    time_base=Fraction(1, 24),
    rate=Fraction(24),
)
LASTS = 2 / 24

COSTS = {"bicubic": 0.02, "s": 0.3, "m": 0.5, "l": 1.4}
"""Of networks for 1920x1080, in shares of the time there is; the same at every scale."""


@dataclass
class FakeFilm:
    """What a chooser wants of a film."""

    info: VideoInfo = field(default_factory=lambda: INFO)
    largest: tuple[int, int] = (INFO.width, INFO.height)

    def shown_as(self, width: int, height: int) -> tuple[int, int]:
        return width, height


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """A catalogue of three tiers and scales, and a machine of known speed; gives what was timed."""
    found: dict[str, Model] = {}
    for scale in (2, 3, 4):
        small = plain_network(scale=scale, channels=2, layers=1)
        for tier in ("s", "m", "l"):
            named = replace(small.descriptor, name=f"{tier}-x{scale}", tier=tier)
            found[named.name] = replace(small, descriptor=named, sha256=named.name)
    load = models.load
    monkeypatch.setattr(models, "names", lambda: sorted(found))
    monkeypatch.setattr(models, "load", lambda name: found.get(str(name)) or load(name))
    timed: list[tuple[int, int]] = []

    def measure(networks: Any, *, pair: Pair, lasts: float) -> dict[str, float]:
        timed.append(pair.first.size)
        area = pair.first.width * pair.first.height / (1920 * 1080)
        return {
            name: COSTS[name.split("-")[0]] * lasts * area * int(name.split("-x")[1][0]) ** 2
            for name, _ in networks
        }

    monkeypatch.setattr(calibration, "measure", measure)
    monkeypatch.setattr(precision, "worth", lambda _engine, **_: ())
    return timed


def chooser(**options: Any) -> Chooser:
    return Chooser(FakeFilm(), PlayOptions(**options))  # type: ignore[arg-type]


def pair_of(size: tuple[int, int], number: int = 0) -> Pair:
    frame = make_frame(Fraction(number, 12), size=size)
    return Pair(first=frame, second=replace(frame, pts=frame.pts + Fraction(1, 24)))


def test_tiers_are_those_that_run_in_time_on_each_rung(measured: list[tuple[int, int]]) -> None:
    made = chooser()
    assert made.tiers(480, 270) == ["s", "m"], "four times: 1080 lines, as with the others"
    assert made.tiers(640, 360) == ["s", "m"]
    assert made.tiers(960, 540) == ["s", "m"]
    assert made.tiers(240, 134) == ["s", "m", "l"], "four times are a quarter of the screen"
    assert made.tiers(1920, 1080) == [], "nothing is to be enlarged"
    assert measured == [(480, 270)], "other sizes are foretold, not measured while a film runs"


def test_a_busy_machine_runs_less(measured: list[tuple[int, int]]) -> None:
    made = chooser()
    assert made.tiers(480, 270, load=2.0) == ["s"]
    assert made.tiers(480, 270, load=3.0) == []
    assert len(measured) == 1


def test_options_bound_the_tiers() -> None:
    assert chooser(eco=True).tiers(480, 270) == ["s"]
    assert chooser(super_resolve=False).tiers(480, 270) == []
    assert chooser(model="s-x2").tiers(960, 540) == ["s"]


def test_another_size_has_another_scale_and_network(measured: list[tuple[int, int]]) -> None:
    made = chooser()
    governor = made.governor(lambda: NOT_BEGUN, (1920, 1080))
    sizes = [(480, 270), (480, 270), (960, 540), (960, 540), (240, 134)]
    pairs = [pair_of(size, number) for number, size in enumerate(sizes)]
    chosen = [governor.choose(pair).rung.name for pair in made.sized(pairs, governor)]
    assert chosen == ["m-x4", "m-x4", "m-x2", "m-x2", "l-x4"]
    assert [change.rung for change in governor.changes] == ["m-x4", "m-x2", "l-x4"]
    assert [change.reason for change in governor.changes] == ["begin", "2 times", "4 times"]
    assert made.size == (240, 134)
    assert measured == [(480, 270)]
    made.close()


def test_a_rung_that_is_seen_to_be_slow_is_left_whatever_was_foretold() -> None:
    made = chooser()
    governor = made.governor(lambda: NOT_BEGUN, (1920, 1080))
    pairs = (pair_of((960, 540), number) for number in range(40))
    chosen = []
    for pair in made.sized(pairs, governor):
        choice = governor.choose(pair)
        chosen.append(choice.rung.name)
        governor.took(choice.rung, 2.1 * choice.rung.cost)
    assert chosen[0] == "m-x2"
    assert chosen[-1] == "s-x2"
    made.close()


def test_every_size_has_the_engines_that_were_settled_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "worth", lambda _engine, **_: (precision.MIXED,))
    monkeypatch.setattr(precision, "MIXED", "null")
    monkeypatch.setattr(precision, "allowed", lambda model: model.descriptor.tier == "m")
    made = chooser(engine="onnxruntime")
    made.tiers(960, 540)
    (other,) = (each for size, each in made._of_size.items() if size == (960, 540))
    for rung in other.rungs(2):
        other.open(rung).close()
    mixed = {name for name, engine in made.engines.items() if engine.startswith("null")}
    assert mixed == {"m-x2"}
    assert set(made.engines) == {"bicubic-x2", "s-x2", "m-x2", "l-x2"}
    assert all("onnxruntime" in made.engines[name] for name in set(made.engines) - mixed)


@pytest.mark.parametrize(
    ("in_8_bits", "times"), [("m-x4-int8", 2.0), ("m-x2-int8", 1.0)], ids=["from 8 bits", "to them"]
)
def test_what_another_scale_has_in_another_precision_is_foretold_too(
    in_8_bits: str, times: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, load = [*models.names(), in_8_bits], models.load

    def loaded(name: str) -> Model:
        if name != in_8_bits:
            return load(name)
        plain = load(name.removesuffix("-int8"))
        return replace(plain, descriptor=replace(plain.descriptor, name=name), sha256=name)

    monkeypatch.setattr(models, "names", lambda: names)
    monkeypatch.setattr(models, "load", loaded)
    monkeypatch.setattr(precision, "worth", lambda _engine, **_: (precision.INT8,))
    made = chooser()
    known = {rung.tier: rung.cost for rung in made.ladders.rungs(4)}
    made.tiers(960, 540)
    foretold = {rung.tier: rung for rung in made._of_size[960, 540].rungs(2)}
    assert foretold["m"].cost == pytest.approx(times * known["m"])
    assert foretold["s"].cost == pytest.approx(known["s"])
    assert in_8_bits in {foretold["m"].name, made.ladders.rungs(4)[2].name}


def test_what_a_size_showed_is_remembered_for_that_size() -> None:
    made = chooser()
    governor = made.governor(lambda: NOT_BEGUN, (1920, 1080))
    for pair in made.sized((pair_of((480, 270), n) for n in range(60)), governor):
        governor.took(governor.choose(pair).rung, 0.03)
    list(made.sized([pair_of((960, 540))], governor))
    assert governor.seen == {}
    made.close()
    again = {rung.name: rung.cost for rung in chooser().ladders.rungs(4)}
    assert again["m-x4"] == pytest.approx(0.03)
    assert again["s-x4"] == pytest.approx(COSTS["s"] * LASTS)


@pytest.mark.parametrize(
    ("largest", "screen", "window"),
    [
        ((480, 270), (1920, 1080), (1920, 1080)),
        ((960, 540), (1920, 1080), (1920, 1080)),
        ((1920, 1080), (1920, 1080), (1920, 1080)),
        ((480, 270), (3840, 2160), (1920, 1080)),
        ((960, 540), (3840, 2160), (3840, 2160)),
    ],
)
def test_a_window_has_room_for_the_largest_pictures_that_may_come(
    largest: tuple[int, int], screen: tuple[int, int], window: tuple[int, int]
) -> None:
    film: Any = FakeFilm(largest=largest)
    with closing(Chooser(film, PlayOptions())) as chosen:
        assert chosen.opening(screen) == window


def test_what_was_chosen_for_a_film_goes_with_it(measured: list[tuple[int, int]]) -> None:
    with no_collector():
        made = chooser()
        made.tiers(640, 360)
        left = [weakref.ref(each) for each in (made, made.shelf, made.ladders)]
        made.close()
        del made
        assert [each() for each in left] == [None] * 3
    assert measured
