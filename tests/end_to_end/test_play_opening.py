"""What the viewer does while a film is opened, which a slow server may make long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from support.hands import Hands
from support.reel import seen, times
from vidlift.player.film import Film
from vidlift.player.options import PlayOptions
from vidlift.player.play import play
from vidlift.player.viewer import Viewer
from vidlift.sinks.events import Dropped, Event, Key
from vidlift.sinks.window import Window


class Slow:
    """Opens one film only once the viewer has done something, or gave up waiting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, where: str, *deeds: Event) -> None:
        self.opening, self.done, self.closed = (threading.Event() for _ in range(3))
        self.viewers: list[Viewer] = []
        made, closing, events = Film.__init__, Film.close, Window.events
        left = list(deeds)

        def slowly(film: Film, name: str, **more: Any) -> None:
            if name == where and not self.done.is_set():
                self.opening.set()
                assert self.done.wait(20)
            made(film, name, **more)

        def closed(film: Film) -> None:
            closing(film)
            if film.where == where:
                self.closed.set()

        def happening(window: Window, wait: float) -> Iterator[Event]:
            yield from events(window, wait)
            if self.opening.is_set():
                if left:
                    yield left.pop(0)
                else:
                    self.done.set()

        monkeypatch.setattr(Film, "__init__", slowly)
        monkeypatch.setattr(Film, "close", closed)
        monkeypatch.setattr(Window, "events", happening)


@pytest.mark.parametrize("name", ["c", "missing"])
@pytest.mark.parametrize("keys", ["m space i f 9 h l t c v", "q"])
def test_the_window_is_minded_while_a_film_is_opened(
    keys: str,
    name: str,
    films: dict[str, str],
    options: PlayOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may come over a network that is slow."""
    quits, again = keys == "q", 1 if keys == "q" else 2
    hands = Hands(monkeypatch)
    slow = Slow(monkeypatch, films[name], *(Key(key) for key in keys.split() for _ in range(again)))
    receipt = play([films["a"], films[name], films["b"]], options)
    slow.done.set()
    assert seen(hands) == "a" + ("" if quits else "cb" if name == "c" else "b")
    assert bool(receipt.warnings) == (not quits and name == "missing")


@pytest.mark.parametrize(
    ("by_key", "deeds", "wanted"),
    [
        (True, [Key("n")], "ac"),
        (True, [Key("p")], "abc"),
        (True, [Key("p"), Key("n")], "abc"),
        (True, [Dropped("a")], "aabc"),
        (False, [Key("n")], "ac"),
        (False, [Key("p")], "aabc"),
        (False, [Dropped("a")], "aac"),
    ],
    ids=str,
)
def test_who_waits_for_a_film_gets_another_at_once(
    by_key: bool,
    deeds: list[Event],
    wanted: str,
    films: dict[str, str],
    options: PlayOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``b`` is slow, whether the viewer asked for it or it came by itself."""
    deeds = [Dropped(films[deed.where]) if isinstance(deed, Dropped) else deed for deed in deeds]
    hands = Hands(monkeypatch, *([(4, Key("n"))] if by_key else []))
    slow = Slow(monkeypatch, films["b"], *deeds)
    play([films["a"], films["b"], films["c"]], options)
    assert seen(hands) == wanted.replace("aa", "a")
    assert times(hands).count(hands.shown[0]) == wanted.count("a")
    assert slow.closed.wait(20), "what was opened in vain is closed"


def test_what_is_opened_in_vain_is_closed_also_where_the_wait_is_interrupted(
    films: dict[str, str], options: PlayOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, events = Slow(monkeypatch, films["b"]), Window.events

    def interrupted(window: Window, wait: float) -> Iterator[Event]:
        if slow.opening.is_set():
            raise KeyboardInterrupt
        yield from events(window, wait)

    monkeypatch.setattr(Window, "events", interrupted)
    with pytest.raises(KeyboardInterrupt):
        play([films["a"], films["b"]], options)
    slow.done.set()
    assert slow.closed.wait(20)


def test_the_pause_set_meanwhile_is_that_of_the_next_film(
    films: dict[str, str], options: PlayOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands(monkeypatch)
    Slow(monkeypatch, films["b"], Key("space"))
    events, rests = Window.events, [0]

    def happening(window: Window, wait: float) -> Iterator[Event]:
        yield from events(window, wait)
        rests[0] += hands.shown[-1:] == [Fraction(11)]
        if rests[0] == 60:
            yield Key("q")

    monkeypatch.setattr(Window, "events", happening)
    play([films["a"], films["b"]], options)
    assert [at for at in hands.shown if at > 10] == [11]
