"""Which film comes next where some cannot be opened: capitals stand for those."""

from __future__ import annotations

from typing import Any

import pytest

from vidlift.errors import InputError, UsageError
from vidlift.player.leave import Open, OtherFilm, Quit
from vidlift.player.reel import Elsewhere, Reel, Stay

NEXT, BEFORE, DROP = OtherFilm(1), OtherFilm(-1), Open("x")
NO_FURTHER, NONE_BEFORE = "no further film can be played", "no film before it can be played"


class Opened:
    """A reel whose films are letters, and what it asked for and said. While a film is opened the
    viewer may want another: ``wants`` says what, by letter, once each.
    """

    def __init__(self, films: str, **wants: Elsewhere) -> None:
        self.tried, self.told = "", []  # type: str, list[str]
        self.wants = wants
        self.reel = Reel(films, open_film=self._open, tell=lambda _, text: self.told.append(text))

    def _open(self, place: int) -> Any:
        where = self.reel.names[place]
        self.tried += where
        if where in self.wants:
            return self.wants.pop(where)
        if where.isupper():
            raise InputError(f"no {where}")
        return where


@pytest.mark.parametrize(
    ("films", "at", "forward", "over", "tried", "found"),
    [
        ("abc", 1, True, False, "b", 1),
        ("aBc", 1, True, False, "Bc", 2),
        ("aBC", 1, True, False, "BC", None),
        ("abc", 3, True, False, "", None),
        ("abc", 3, True, True, "a", 0),
        ("aBC", 1, True, True, "BCa", 0),
        ("abc", -1, False, True, "c", 2),
        ("aBc", 1, False, False, "Ba", 0),
        ("Abc", 0, False, False, "Ab", 1),
        ("ABc", 1, False, False, "BAc", 2),
        ("ABC", 0, True, True, "ABC", None),
    ],
)
def test_the_next_that_can_be_opened_is_taken(
    films: str, at: int, forward: bool, over: bool, tried: str, found: int | None
) -> None:
    opened = Opened(films)
    place: Any = opened.reel.find(at, forward=forward, over=over)
    assert place == (None if found is None else (found, films[found]))
    assert opened.tried == tried
    assert opened.told == [f"not played: no {name}" for name in tried if name.isupper()]
    assert str(opened.reel.failure or "no")[-1] == (opened.told or ["no"])[0][-1]


@pytest.mark.parametrize(
    ("films", "home", "wanted", "over", "tried", "found"),
    [
        ("abc", 0, NEXT, False, "b", "b"),
        ("aBc", 0, NEXT, False, "Bc", "c"),
        ("aBC", 0, NEXT, False, "BC", Stay(NO_FURTHER)),
        ("ABc", 2, BEFORE, False, "BA", Stay(NONE_BEFORE)),
        ("aBC", 0, OtherFilm(2), False, "C", Stay(NO_FURTHER)),
        ("aBC", 0, NEXT, True, "BCa", "a"),
        ("aB", 0, DROP, False, "x", "x"),
        ("a", 0, Open("X", ("y",)), False, "Xy", "y"),
        ("ab", 0, Open("X", ("Y",)), False, "XY", Stay("")),
        ("ab", 0, Open("X"), True, "X", Stay("")),
    ],
)
def test_a_film_is_left_only_for_another(
    films: str, home: int, wanted: Any, over: bool, tried: str, found: Any
) -> None:
    opened = Opened(films)
    got: Any = opened.reel.leave(home, wanted, over=over)
    assert (got if isinstance(got, Stay) else got[1]) == found
    assert opened.tried == tried


def test_what_was_dropped_and_cannot_be_opened_is_not_in_the_list() -> None:
    opened = Opened("ab")
    opened.reel.leave(0, Open("X", ("y", "z")))
    assert "".join(opened.reel.names) == "ayzb"
    opened.reel.leave(3, Open("X"))
    assert "".join(opened.reel.names) == "ayzb"


@pytest.mark.parametrize(
    ("home", "wanted", "wants", "tried", "found"),
    [
        (0, NEXT, {"b": Quit()}, "b", Quit()),
        (0, NEXT, {"b": NEXT}, "bc", "c"),
        (0, NEXT, {"b": NEXT, "c": NEXT}, "bcd", "d"),
        (0, NEXT, {"b": BEFORE}, "b", Stay("")),
        (1, NEXT, {"c": OtherFilm(-2)}, "ca", "a"),
        (1, BEFORE, {"a": NEXT}, "a", Stay("")),
        (0, NEXT, {"b": DROP}, "bx", "x"),
        (0, DROP, {"x": NEXT}, "xb", "b"),
        (0, Open("x", ("y",)), {"x": NEXT}, "xy", "y"),
        (0, DROP, {"x": BEFORE}, "x", Stay("")),
        (2, NEXT, {"d": Open("X")}, "dX", Stay("")),
    ],
)
def test_who_waits_for_a_film_may_want_another(
    home: int, wanted: Any, wants: dict[str, Elsewhere], tried: str, found: Any
) -> None:
    opened = Opened("abcd", **wants)
    got: Any = opened.reel.leave(home, wanted)
    assert (got[1] if isinstance(got, tuple) else got) == found
    assert opened.tried == tried


def test_a_film_dropped_while_another_is_opened_comes_after_the_one_that_is_played() -> None:
    opened = Opened("abcd", c=DROP)
    opened.reel.leave(1, NEXT)
    assert "".join(opened.reel.names) == "abxcd"
    after = Opened("abcd", c=DROP)  # none is played any more
    found: Any = after.reel.find(2)
    assert found == (3, "x")
    assert "".join(after.reel.names) == "abcxd"


@pytest.mark.parametrize(
    ("films", "wants", "tried", "found"),
    [
        ("abC", {"b": NEXT}, "bC", None),
        ("abc", {"b": Quit()}, "b", Quit()),
        ("abc", {"b": Open("X")}, "bXc", (2, "c")),
        ("abc", {"b": BEFORE}, "ba", (0, "a")),
    ],
)
def test_once_a_film_has_ended_there_is_none_to_stay_with(
    films: str, wants: dict[str, Elsewhere], tried: str, found: Any
) -> None:
    opened = Opened(films, **wants)
    assert opened.reel.find(1) == found
    assert opened.tried == tried


def test_where_films_fail_one_after_the_other_without_end_it_ends() -> None:
    """As those that can be opened and not be decoded, over and over."""
    opened = Opened("ab")
    for _ in range(3):
        assert opened.reel.find(0, over=True) is not None
        opened.reel.fail(InputError("broken"), "not played to its end")
        opened.reel.seen()
    for _ in range(2):
        assert opened.reel.find(0, over=True) is not None
        opened.reel.fail(InputError("broken"), "not played to its end")
    assert opened.reel.find(0, over=True) is None


def test_who_asks_again_is_answered_again() -> None:
    opened = Opened("aB")
    for _ in range(5):
        assert opened.reel.leave(0, NEXT) == Stay(NO_FURTHER)
    assert opened.tried == "BBBBB"


def test_what_is_wrong_with_more_than_a_film_is_raised() -> None:
    def refuse(_place: int) -> Any:
        raise UsageError("not so")

    with pytest.raises(UsageError):
        Reel("ab", open_film=refuse, tell=lambda *_: None).find(0)
