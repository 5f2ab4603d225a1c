"""Which film comes next where some cannot be opened: capitals stand for those."""

from __future__ import annotations

from typing import Any

import pytest

from vidlift.errors import InputError, UsageError
from vidlift.player.reel import Reel


class Opened:
    """A reel whose films are letters, and what it asked for and said."""

    def __init__(self, films: str) -> None:
        self.tried, self.told = "", []  # type: str, list[str]
        self.reel = Reel(films, open_film=self._open, tell=lambda _, text: self.told.append(text))

    def _open(self, where: str) -> Any:
        self.tried += where
        if where.isupper():
            raise InputError(f"no {where}")
        return None if where == "q" else where


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
        ("Aqc", 0, True, False, "Aq", None),
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


def test_what_is_wrong_with_more_than_a_film_is_raised() -> None:
    def refuse(_where: str) -> Any:
        raise UsageError("not so")

    with pytest.raises(UsageError):
        Reel("ab", open_film=refuse, tell=lambda *_: None).find(0)
