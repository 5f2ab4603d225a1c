"""What is made of a film's pairs, by which network, and what is left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from support.frames import letters
from support.shelf import LADDER, LARGE, PAIR, PLAIN, SMALL, AtOnce, Opened
from vidlift.frame import Frame
from vidlift.pipeline import Meter
from vidlift.player import shelf as shelves
from vidlift.player.governor import SWITCHED_OFF, Cap, Governor, Rung
from vidlift.player.schedule import LOADING, Picture, Tally, Trial, Wish, enlarge
from vidlift.player.shelf import SETTLED, Shelf
from vidlift.stages.pair import Pair, pair


@pytest.fixture
def opened() -> Opened:
    return Opened()


@pytest.fixture
def shelf(opened: Opened) -> Shelf:
    return Shelf(opened)


def enlarged(
    shelf: Shelf,
    governor: Governor,
    frames: list[Frame],
    *,
    wish: Wish | None = None,
    tally: Tally | None = None,
    trial: Trial | None = None,
    hurry: bool = False,
) -> Iterator[Picture]:
    return enlarge(
        pair(frames),
        shelf=shelf,
        governor=governor,
        tally=tally or Tally(),
        meter=Meter(),
        wish=wish or Wish(),
        trial=trial,
        hurry=hurry,
    )


def governor_on(ladder: list[Rung] = LADDER, now: Callable[[], float] | None = None) -> Governor:
    return Governor(lambda _scale: ladder, now=now or (lambda: -math.inf), enough=0.1, scale=2)


def test_every_frame_is_given_once_in_order(shelf: Shelf) -> None:
    frames, tally = letters("ABCDE"), Tally()
    made = list(enlarged(shelf, governor_on(), frames, tally=tally))
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
    made = list(enlarged(shelf, governor_on(), frames, trial=trial))
    assert [(picture.by, picture.early) for picture in made] == [
        ("plain", True),
        ("small", True),
        *[("large", False)] * 3,
    ]
    assert [each.first for each in tried] == frames[:1]
    shelf.close()


def test_in_a_hurry_the_first_frame_comes_twice_plain_first(shelf: Shelf) -> None:
    made = list(enlarged(shelf, governor_on(), letters("ABC"), hurry=True))
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
    pictures = enlarged(shelf, governor, letters("ABCDEFGH"), tally=tally)
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
    pictures = enlarged(shelf, governor, letters("ABCDEFGHIJKLMNOP"), tally=tally)
    found = [next(pictures).by for _ in range(2 * SETTLED + 2)]
    assert governor.below == SMALL
    governor.cap = "s", "eco"
    found += [picture.by for picture in pictures]
    assert found == (2 * SETTLED + 2) * ["large"] + (16 - 2 * SETTLED - 2) * ["small"]
    assert governor.below == PLAIN
    assert not tally.bypassed
    assert opened.open == ["plain", "small"]
    shelf.close()


def test_side_by_side_gives_both(shelf: Shelf) -> None:
    wish = Wish(side_by_side=True)
    made = list(enlarged(shelf, governor_on(), letters("AB"), wish=wish))
    assert [picture.plain is not None for picture in made] == [True, True]
    shelf.close()


def test_what_is_not_enlarged_has_nothing_beside_it(shelf: Shelf) -> None:
    as_it_is = replace(PLAIN, name="as it is", scale=1)
    governor = Governor(lambda _: [as_it_is], now=lambda: -math.inf, enough=0.1, scale=1)
    made = list(enlarged(shelf, governor, letters("AB"), wish=Wish(side_by_side=True)))
    assert [picture.plain for picture in made] == [None, None]
    shelf.close()


def test_switched_off_is_interpolated_and_counted(shelf: Shelf) -> None:
    governor, tally = governor_on(), Tally()
    governor.on = False
    made = list(enlarged(shelf, governor, letters("ABC"), tally=tally))
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
    made = list(enlarged(shelf, governor_on(now=lambda: 1.5 / 24), letters("ABCD")))
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
    made = list(enlarged(shelf, governor_on(now=lambda: 100.0), letters("ABCDEFGHIJ"), tally=tally))
    assert len(made) == 2, "one pair in five is shown however late"
    assert sum(tally.dropped.values()) == 8
    assert tally.drops[0] == (0.0, "late")
    shelf.close()
