"""How networks are loaded beside the film, and kept at hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.shelf import LARGE, PAIR, PLAIN, SMALL, AtOnce, FakeNetwork, Opened
from vidlift.errors import ModelError
from vidlift.player import shelf as shelves
from vidlift.player.governor import Rung
from vidlift.player.shelf import AGAIN, IDLE, SETTLED, Shelf


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


def test_what_a_network_ran_with_is_given_back_before_the_next_one_runs(
    opened: Opened, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[list[str]] = []

    def running() -> list[str]:
        return [each.rung.name for each in opened.networks if not (each.closed or each.resting)]

    monkeypatch.setattr(shelves, "give_back", lambda: left.append(running()))
    for rung in (SMALL, LARGE, SMALL):
        shelf.take(rung, PAIR).pair(PAIR.first, PAIR.second)
        assert left[-1] == []
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


def test_a_network_of_another_scale_stands_in_for_none(shelf: Shelf) -> None:
    shelf.take(SMALL, PAIR)
    assert shelf.meanwhile(replace(LARGE, scale=4)) is None
    assert shelf.meanwhile(LARGE) == (SMALL, shelf.offer(SMALL, PAIR))
    shelf.close()
