"""How networks are chosen, measured, loaded beside the film, and used."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from threading import Event

import pytest

from support.frames import letters, make_frame
from support.networks import plain_network
from vidlift import models
from vidlift.frame import Frame
from vidlift.models import Model
from vidlift.pipeline import Meter
from vidlift.player import calibration
from vidlift.player.calibration import KEPT_MAX, Speeds, measure
from vidlift.player.governor import SWITCHED_OFF, Governor, Rung
from vidlift.player.ladder import Engines, Ladders, fitting_scale
from vidlift.player.schedule import LOADING, Picture, Tally, Trial, Wish, enlarge
from vidlift.player.shelf import IDLE, Shelf
from vidlift.stages.pair import Pair, pair
from vidlift.video import VideoInfo

PLAIN = Rung(name="plain", tier="kernel", scale=2, cost=0.001)
SMALL = Rung(name="small", tier="s", scale=2, cost=0.010)
LARGE = Rung(name="large", tier="l", scale=2, cost=0.030)
LADDER = [PLAIN, SMALL, LARGE]

PAIR = Pair(first=make_frame(), second=make_frame(Fraction(1, 24)))


class FakeNetwork:
    """Marks what it made; loads when it is allowed to."""

    def __init__(self, rung: Rung, *, may_load: Event | None = None) -> None:
        self.rung = rung
        self._may_load = may_load
        self.warmed = self.closed = self.resting = False
        self.work = 1.0

    def pair(self, first: Frame, second: Frame) -> tuple[Frame, Frame]:
        assert not self.closed
        self.resting = False
        return first, second

    def warm(self, first: Frame, second: Frame) -> None:
        if self._may_load is not None:
            assert self._may_load.wait(10)
        self.warmed = True

    def rest(self) -> None:
        self.resting = True

    def close(self) -> None:
        assert not self.closed
        self.closed = True


class Opened:
    """Opens fake networks for a shelf and remembers them."""

    def __init__(self) -> None:
        self.networks: list[FakeNetwork] = []
        self.may_load = Event()
        self.may_load.set()

    def __call__(self, rung: Rung) -> FakeNetwork:
        held = self.may_load if rung.tier != "kernel" else None
        self.networks.append(FakeNetwork(rung, may_load=held))
        return self.networks[-1]

    @property
    def open(self) -> list[str]:
        return [network.rung.name for network in self.networks if not network.closed]


@pytest.fixture
def opened() -> Opened:
    return Opened()


@pytest.fixture
def shelf(opened: Opened) -> Shelf:
    return Shelf(opened)


def test_a_network_is_loaded_beside_the_film(opened: Opened, shelf: Shelf) -> None:
    opened.may_load.clear()
    assert shelf.offer(SMALL, PAIR) is None
    assert shelf.offer(SMALL, PAIR) is None
    opened.may_load.set()
    network = shelf.take(SMALL, PAIR)
    assert shelf.offer(SMALL, PAIR) is network
    assert [made.warmed for made in opened.networks] == [True]
    shelf.close()


def test_the_shelf_holds_plain_interpolation_and_one_network(opened: Opened, shelf: Shelf) -> None:
    for rung in (PLAIN, SMALL, LARGE, PLAIN, SMALL):
        shelf.take(rung, PAIR)
    assert sorted(opened.open) == ["plain", "small"]
    shelf.close()
    assert not opened.open


def test_plain_interpolation_rests_until_it_is_needed(opened: Opened, shelf: Shelf) -> None:
    shelf.have(PLAIN, PAIR)
    (plain,) = opened.networks
    assert plain.warmed
    assert plain.resting
    shelf.take(PLAIN, PAIR).pair(PAIR.first, PAIR.second)
    for _ in range(IDLE):
        assert not plain.resting
        shelf.take(SMALL, PAIR)
    shelf.offer(SMALL, PAIR)
    assert plain.resting
    shelf.close()


def test_a_network_still_being_loaded_is_closed_with_the_shelf(
    opened: Opened, shelf: Shelf
) -> None:
    shelf.offer(SMALL, PAIR)
    shelf.close()
    assert not opened.open


def test_another_wish_waits_until_what_is_being_loaded_is_there(
    opened: Opened, shelf: Shelf
) -> None:
    opened.may_load.clear()
    shelf.offer(SMALL, PAIR)
    assert shelf.offer(LARGE, PAIR) is None
    assert len(opened.networks) == 1
    opened.may_load.set()
    large = shelf.take(LARGE, PAIR)
    assert isinstance(large, FakeNetwork)
    assert large.rung == LARGE
    shelf.close()


def run(
    shelf: Shelf,
    governor: Governor,
    frames: list[Frame],
    *,
    wish: Wish | None = None,
    tally: Tally | None = None,
    trial: Trial | None = None,
    hurry: bool = False,
) -> list[Picture]:
    return list(
        enlarge(
            pair(frames),
            shelf=shelf,
            governor=governor,
            tally=tally or Tally(),
            meter=Meter(),
            wish=wish or Wish(),
            trial=trial,
            hurry=hurry,
        )
    )


def governor_on(ladder: list[Rung] = LADDER, now: Callable[[], float] | None = None) -> Governor:
    return Governor(lambda _scale: ladder, now=now or (lambda: -math.inf), enough=0.1, scale=2)


def test_every_frame_is_given_once_in_order(shelf: Shelf) -> None:
    frames, tally = letters("ABCDE"), Tally()
    made = run(shelf, governor_on(), frames, tally=tally)
    assert [picture.frame for picture in made] == frames
    assert {picture.by for picture in made} == {"large"}
    assert tally.made_by == {"large": 5}
    assert not tally.bypassed
    shelf.close()


def test_what_is_tried_is_seen_before_the_film_begins(shelf: Shelf) -> None:
    tried: list[Pair] = []

    def trial(first: Pair) -> Iterator[Picture]:
        tried.append(first)
        for name in ("plain", "small"):
            yield Picture(frame=first.first, by=name, early=True)

    frames = letters("ABC")
    made = run(shelf, governor_on(), frames, trial=trial)
    assert [(picture.by, picture.early) for picture in made] == [
        ("plain", True),
        ("small", True),
        *[("large", False)] * 3,
    ]
    assert [each.first for each in tried] == frames[:1]
    shelf.close()


def test_in_a_hurry_the_first_frame_comes_twice_plain_first(shelf: Shelf) -> None:
    made = run(shelf, governor_on(), letters("ABC"), hurry=True)
    assert [(picture.by, picture.early) for picture in made] == [
        ("plain", True),
        *[("large", False)] * 3,
    ]
    assert made[0].frame.pts == made[1].frame.pts
    shelf.close()


def test_what_a_step_needs_is_loaded_while_pairs_are_interpolated(
    opened: Opened, shelf: Shelf
) -> None:
    tally = Tally()
    governor = governor_on()
    governor.cap = ("s", "eco")
    pictures = enlarge(
        pair(letters("ABCDEFGH")),
        shelf=shelf,
        governor=governor,
        tally=tally,
        meter=Meter(),
        wish=Wish(),
    )
    by = [next(pictures).by, next(pictures).by]
    governor.cap = None
    opened.may_load.clear()
    by += [next(pictures).by, next(pictures).by]
    opened.may_load.set()
    shelf.take(LARGE, PAIR)
    by += [picture.by for picture in pictures]
    assert by == ["small"] * 2 + ["plain"] * 2 + ["large"] * 4
    assert tally.bypassed == {LOADING: 2}
    shelf.close()


def test_side_by_side_gives_both(shelf: Shelf) -> None:
    wish = Wish(side_by_side=True)
    made = run(shelf, governor_on(), letters("AB"), wish=wish)
    assert [picture.plain is not None for picture in made] == [True, True]
    shelf.close()


def test_switched_off_is_interpolated_and_counted(shelf: Shelf) -> None:
    governor, tally = governor_on(), Tally()
    governor.on = False
    made = run(shelf, governor, letters("ABC"), tally=tally)
    assert {picture.by for picture in made} == {"plain"}
    assert tally.bypassed == {SWITCHED_OFF: 3}
    shelf.close()


def test_pairs_whose_time_has_passed_are_dropped_with_time_and_reason(shelf: Shelf) -> None:
    tally = Tally()
    made = run(shelf, governor_on(now=lambda: 100.0), letters("ABCDEFGHIJ"), tally=tally)
    assert len(made) == 2, "one pair in five is shown however late"
    assert sum(tally.dropped.values()) == 8
    assert tally.drops[0] == (0.0, "late")
    shelf.close()


# --- calibration ---------------------------------------------------------------------------


class Timed:
    """A network that takes a fixed time of a made-up clock."""

    def __init__(self, clock: list[float], seconds: float) -> None:
        self._clock, self._seconds = clock, seconds

    def pair(self, first: Frame, second: Frame) -> tuple[Frame, Frame]:
        self._clock[0] += self._seconds
        return first, second

    def close(self) -> None:
        self._clock = [0.0]


def measured(
    costs: dict[str, float], lasts: float = 0.08, clock: list[float] | None = None
) -> dict[str, float]:
    clock = [0.0] if clock is None else clock
    return measure(
        [(name, lambda cost=cost: Timed(clock, cost)) for name, cost in costs.items()],  # type: ignore[misc]
        pair=PAIR,
        lasts=lasts,
        clock=lambda: clock[0],
    )


def test_each_network_is_timed() -> None:
    costs = {"plain": 0.01, "s": 0.02, "m": 0.05}
    assert measured(costs) == pytest.approx(costs)


def test_after_a_hopeless_one_no_dearer_one_is_tried() -> None:
    found = measured({"plain": 0.01, "m": 0.2, "l": 0.5, "xl": 2.0})
    assert list(found) == ["plain", "m"]


def test_calibration_ends_in_time_but_knows_the_first() -> None:
    assert measured({"plain": 3.0, "m": 4.0}, lasts=60) == {"plain": 3.0}
    clock = [0.0]
    found = measured({"plain": 0.1, "s": 0.4, "m": 0.5, "l": 0.6}, lasts=60, clock=clock)
    assert list(found) == ["plain", "s"]
    assert clock[0] <= calibration.BUDGET + 0.4


def test_speeds_are_remembered(tmp_path: Path) -> None:
    where = tmp_path / "deep" / "speeds.json"
    speeds = Speeds(where)
    assert speeds.get("a") is None
    speeds.put("a", 0.0123456789)
    speeds.save()
    assert Speeds(where).get("a") == 0.012346
    assert [path.name for path in where.parent.iterdir()] == ["speeds.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": "x"}', '{"a": -1}', "\xff"])
def test_a_damaged_cache_is_an_empty_one(tmp_path: Path, text: str) -> None:
    where = tmp_path / "speeds.json"
    where.write_text(text)
    assert Speeds(where).get("a") is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    speeds = Speeds(tmp_path / "file" / "speeds.json")
    speeds.put("a", 1.0)
    speeds.save()
    assert speeds.get("a") == 1


def test_the_cache_forgets_the_oldest(tmp_path: Path) -> None:
    where = tmp_path / "speeds.json"
    speeds = Speeds(where)
    for number in range(KEPT_MAX + 5):
        speeds.put(str(number), 1.0)
    speeds.save()
    kept = json.loads(where.read_text())
    assert len(kept) == KEPT_MAX
    assert "4" not in kept


# --- ladders -------------------------------------------------------------------------------

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


def ladders(where: Path, **more: object) -> Ladders:
    speeds = Speeds(where / "speeds.json")
    return Ladders(INFO, engines=Engines(threads=1), speeds=speeds, **more)  # type: ignore[arg-type]


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


@pytest.mark.usefixtures("catalogue")
def test_another_size_or_engine_is_measured_anew(tmp_path: Path) -> None:
    ladders(tmp_path).rungs(2)
    kept = set(json.loads((tmp_path / "speeds.json").read_text()))
    speeds = Speeds(tmp_path / "speeds.json")
    engines = Engines(engine="onnxruntime", threads=1)
    Ladders(INFO, engines=engines, speeds=speeds).rungs(2)
    assert len(set(json.loads((tmp_path / "speeds.json").read_text())) - kept) == len(kept)


@pytest.mark.usefixtures("catalogue")
def test_a_scale_without_networks_is_plain_and_scale_1_costs_nothing(tmp_path: Path) -> None:
    made = ladders(tmp_path)
    assert [rung.name for rung in made.rungs(4)] == ["bicubic-x4"]
    (as_it_is,) = made.rungs(1)
    network = made.open(as_it_is)
    assert network.pair(PAIR.first, PAIR.second) == (PAIR.first, PAIR.second)


def test_of_the_variants_of_a_tier_the_fastest_is_taken(
    tmp_path: Path, catalogue: dict[str, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = catalogue["l-x2"]
    for name in ("l-x2-int8", "l-x2-other"):
        descriptor = replace(plain.descriptor, name=name)
        catalogue[name] = replace(plain, descriptor=descriptor, sha256=name)
    costs = {"bicubic-x2": 1.0, "s-x2": 2.0, "l-x2": 9.0, "l-x2-int8": 4.0, "l-x2-other": 5.0}
    monkeypatch.setattr(calibration, "measure", lambda *_arguments, **_more: costs)
    assert [rung.name for rung in ladders(tmp_path).rungs(2)] == ["bicubic-x2", "s-x2", "l-x2-int8"]


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
    ],
)
def test_the_scale_fits_the_area(size: tuple[int, int], area: tuple[int, int], wanted: int) -> None:
    assert fitting_scale(size, area) == wanted


def test_the_scale_is_one_that_has_networks() -> None:
    assert fitting_scale((854, 480), (1920, 1080), scales=[4]) == 4
    assert fitting_scale((480, 270), (1920, 1080), scales=[2, 3]) == 3
