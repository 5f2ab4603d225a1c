"""How networks are loaded beside the film, and used."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from threading import Event

import pytest

from support.frames import letters, make_frame
from vidlift.errors import ModelError
from vidlift.frame import Frame
from vidlift.pipeline import Meter
from vidlift.player import shelf as shelves
from vidlift.player.governor import SWITCHED_OFF, Cap, Governor, Rung
from vidlift.player.schedule import LOADING, Picture, Tally, Trial, Wish, enlarge
from vidlift.player.shelf import AGAIN, IDLE, SETTLED, Network, Shelf
from vidlift.stages.pair import Pair, pair

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


def test_a_network_that_was_left_for_a_dearer_one_is_at_hand_at_once(
    opened: Opened, shelf: Shelf
) -> None:
    small = shelf.take(SMALL, PAIR)
    small.pair(PAIR.first, PAIR.second)
    shelf.take(LARGE, PAIR)
    assert opened.open == ["small", "large"]
    assert opened.networks[0].resting
    assert shelf.offer(SMALL, PAIR) is small
    assert opened.open == ["small"]
    shelf.take(LARGE, PAIR)
    larger = replace(LARGE, name="larger", tier="xl", cost=0.050)
    shelf.take(larger, PAIR)
    assert opened.open == ["large", "larger"], "one step back is enough"
    shelf.take(replace(SMALL, scale=3, name="other"), PAIR)
    assert opened.open == ["other"]
    shelf.close()
    assert not opened.open


def test_what_a_step_down_leads_to_is_loaded_once_the_network_has_settled(
    opened: Opened, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, "ahead", AtOnce)
    shelf.take(LARGE, PAIR)
    for asked in range(1, SETTLED + 2):
        assert opened.open == (["large"] if asked < SETTLED else ["large", "small"])
        shelf.offer(LARGE, PAIR)
        shelf.have_below(SMALL, PAIR)
    _, small = opened.networks
    assert small.warmed
    assert small.resting
    assert shelf.offer(SMALL, PAIR) is small
    assert opened.open == ["small"]
    for below in (PLAIN, None):
        for _ in range(2):
            shelf.offer(SMALL, PAIR)
            shelf.have_below(below, PAIR)
    assert opened.open == ["small"]
    shelf.close()


def test_what_is_loaded_to_step_up_to_comes_before_what_a_step_down_leads_to(
    opened: Opened, shelf: Shelf
) -> None:
    larger = replace(LARGE, name="larger", tier="xl", cost=0.050)
    shelf.take(LARGE, PAIR)
    for _ in range(SETTLED):
        shelf.offer(LARGE, PAIR)
    opened.may_load.clear()
    assert shelf.offer(larger, PAIR) is None
    shelf.have_below(SMALL, PAIR)
    opened.may_load.set()
    shelf.take(larger, PAIR)
    assert opened.open == ["large", "larger"]
    shelf.close()


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


def test_what_frames_left_free_is_given_back_again_and_again(
    opened: Opened, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    asked = 0
    monkeypatch.setattr(shelves, "give_back", lambda: given.append(asked))
    shelf.take(SMALL, PAIR)
    first = asked = 1
    while asked < 3 * AGAIN:
        asked += 1
        shelf.offer(SMALL, PAIR)
    assert [each for each in given if each > first] == [SETTLED, IDLE, AGAIN, 2 * AGAIN, 3 * AGAIN]
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


class AtOnce(Iterator[Network]):
    """As ``ahead``, with no thread: what is to be made is there at once."""

    ready = True

    def __init__(self, items: Iterator[Network], *, depth: int) -> None:
        self._made = list(items)

    def __next__(self) -> Network:
        return self._made.pop(0)

    def close(self) -> None:
        """There is no thread."""


def test_a_step_that_is_taken_back_leaves_the_network_in_use(
    opened: Opened, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was loaded for it is there when it is tried again."""
    small = shelf.take(SMALL, PAIR)
    monkeypatch.setattr(shelves, "ahead", AtOnce)
    assert shelf.offer(LARGE, PAIR) is None
    assert shelf.offer(SMALL, PAIR) is small
    large = shelf.offer(LARGE, PAIR)
    assert large is opened.networks[-1]
    assert opened.open == ["small", "large"]
    shelf.close()
    assert not opened.open


def test_what_is_loaded_and_not_wanted_any_more_is_closed(opened: Opened, shelf: Shelf) -> None:
    medium = replace(SMALL, name="medium", tier="m")
    shelf.take(SMALL, PAIR)
    shelf.offer(LARGE, PAIR)
    shelf.take(medium, PAIR)
    assert opened.open == ["medium"]
    shelf.close()


def test_a_network_that_cannot_be_loaded_is_told_once_and_the_rest_is_closed(
    opened: Opened,
) -> None:
    def failing(rung: Rung) -> FakeNetwork:
        if rung == LARGE:
            raise ModelError("no such network")
        return opened(rung)

    shelf = Shelf(failing)
    shelf.have(PLAIN, PAIR)
    with pytest.raises(ModelError, match="no such network"):
        shelf.take(LARGE, PAIR)
    shelf.offer(LARGE, PAIR)
    shelf.close()
    assert not opened.open


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


@pytest.mark.parametrize(
    ("caps", "by"),
    [
        ((("s", "eco"), None), ["small"] * 4 + ["large"] * 4),
        ((None, ("s", "eco")), ["large"] * 2 + ["plain"] * 2 + ["small"] * 4),
    ],
    ids=["up", "down"],
)
def test_what_a_step_needs_is_loaded_while_the_film_goes_on(
    caps: tuple[Cap, Cap], by: list[str], opened: Opened, shelf: Shelf
) -> None:
    """Up, it stays as it is meanwhile; down, what was too slow is not gone on with."""
    tally = Tally()
    governor = governor_on()
    governor.cap = caps[0]
    pictures = enlarge(
        pair(letters("ABCDEFGH")),
        shelf=shelf,
        governor=governor,
        tally=tally,
        meter=Meter(),
        wish=Wish(),
    )
    found = [next(pictures).by, next(pictures).by]
    governor.cap = caps[1]
    opened.may_load.clear()
    found += [next(pictures).by, next(pictures).by]
    opened.may_load.set()
    shelf.take(LARGE if by[-1] == "large" else SMALL, PAIR)
    found += [picture.by for picture in pictures]
    assert found == by
    assert tally.bypassed[LOADING] == by.count("plain")
    shelf.close()


def test_a_step_down_costs_no_picture_once_the_network_has_settled(
    opened: Opened, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, "ahead", AtOnce)
    tally, governor = Tally(), governor_on()
    assert governor.below is None
    pictures = enlarge(
        pair(letters("ABCDEFGHIJKLMNOP")),
        shelf=shelf,
        governor=governor,
        tally=tally,
        meter=Meter(),
        wish=Wish(),
    )
    found = [next(pictures).by for _ in range(2 * SETTLED + 2)]
    assert governor.below == SMALL
    governor.cap = "s", "eco"
    found += [picture.by for picture in pictures]
    assert found == (2 * SETTLED + 2) * ["large"] + (16 - 2 * SETTLED - 2) * ["small"]
    assert governor.below == PLAIN
    assert not tally.bypassed
    assert opened.open == ["plain", "small"]
    shelf.close()


def test_a_network_of_another_scale_stands_in_for_none(shelf: Shelf) -> None:
    shelf.take(SMALL, PAIR)
    assert shelf.meanwhile(replace(LARGE, scale=4)) is None
    assert shelf.meanwhile(LARGE) == (SMALL, shelf.offer(SMALL, PAIR))
    shelf.close()


def test_side_by_side_gives_both(shelf: Shelf) -> None:
    wish = Wish(side_by_side=True)
    made = run(shelf, governor_on(), letters("AB"), wish=wish)
    assert [picture.plain is not None for picture in made] == [True, True]
    shelf.close()


def test_what_is_not_enlarged_has_nothing_beside_it(shelf: Shelf) -> None:
    as_it_is = replace(PLAIN, name="as it is", scale=1)
    governor = Governor(lambda _: [as_it_is], now=lambda: -math.inf, enough=0.1, scale=1)
    made = run(shelf, governor, letters("AB"), wish=Wish(side_by_side=True))
    assert [picture.plain for picture in made] == [None, None]
    shelf.close()


def test_switched_off_is_interpolated_and_counted(shelf: Shelf) -> None:
    governor, tally = governor_on(), Tally()
    governor.on = False
    made = run(shelf, governor, letters("ABC"), tally=tally)
    assert {picture.by for picture in made} == {"plain"}
    assert tally.bypassed == {SWITCHED_OFF: 3}
    shelf.close()


@pytest.mark.parametrize(("late", "steps"), [(False, ["large", "small"]), (True, ["large"])])
def test_pictures_that_were_there_and_not_shown_are_a_reason_to_step_down(
    late: bool, steps: list[str], shelf: Shelf
) -> None:
    governor, tally = governor_on(), Tally()
    made = enlarge(
        pair(letters("ABCDEFGHIJKLMNOPQRST")),
        shelf=shelf,
        governor=governor,
        tally=tally,
        meter=Meter(),
        wish=Wish(),
    )
    for picture in made:
        tally.miss(replace(picture, late=late), interval=0)
    assert [change.rung for change in governor.changes] == steps
    shelf.close()


def test_a_picture_made_after_its_time_is_late(shelf: Shelf) -> None:
    made = run(shelf, governor_on(now=lambda: 1.5 / 24), letters("ABCD"))
    assert [picture.late for picture in made] == [True, True, False, False]
    shelf.close()


def test_a_picture_that_was_there_and_had_to_wait_is_not_late(shelf: Shelf) -> None:
    times = {"now": -1.0}
    made = enlarge(
        pair(letters("AB")),
        shelf=shelf,
        governor=governor_on(now=lambda: times["now"]),
        tally=Tally(),
        meter=Meter(),
        wish=Wish(),
    )
    assert not next(made).late
    times["now"] = 1.0
    assert not next(made).late
    assert not list(made)
    shelf.close()


def test_pairs_whose_time_has_passed_are_dropped_with_time_and_reason(shelf: Shelf) -> None:
    tally = Tally()
    made = run(shelf, governor_on(now=lambda: 100.0), letters("ABCDEFGHIJ"), tally=tally)
    assert len(made) == 2, "one pair in five is shown however late"
    assert sum(tally.dropped.values()) == 8
    assert tally.drops[0] == (0.0, "late")
    shelf.close()
