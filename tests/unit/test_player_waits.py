"""The loop while something else is waited for: the film stands, and goes on if it is not left."""

from __future__ import annotations

import numpy as np
import pytest

from support.player import Player, World, film
from vidlift.player.leave import Leave, Open, OtherFilm, Quit, SeekTo
from vidlift.player.loop import LONG_WAIT, STALL, STALLED
from vidlift.sinks.events import Dropped, Key


class Elsewhere:
    """What is made in another thread, until a time."""

    def __init__(self, world: World, until: float) -> None:
        self._world, self._until = world, until

    @property
    def ready(self) -> bool:
        return self._world.now >= self._until


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("at", [0.05, 2.0])
def test_a_film_that_is_not_left_after_all_goes_on_and_loses_nothing(
    at: float, paused: bool
) -> None:
    player = Player(speaker_rate=48_000)
    player.viewer.place = 0, 2
    player.world.press(at, *["space"] * paused, "n")
    assert player.play(film(96), seconds_of_sound=4) == OtherFilm(1)
    player.loop.stay()
    assert player.loop.wait(Elsewhere(player.world, at + 5)) is None
    stood = player.world.now
    player.world.press(stood + 1, *["space"] * paused)
    assert player.go_on() is None
    assert player.display.pts == [picture.frame.pts for picture in film(96)]
    gaps = np.diff(player.display.times)
    assert gaps.max() == pytest.approx(5 + paused, abs=0.1)
    assert np.abs(player.record.skew).max() < 0.040
    assert player.world.now == pytest.approx(4 + 5 + paused, abs=0.2)


@pytest.mark.parametrize("wanted", [Quit(), OtherFilm(1), Open("a.mp4")], ids=str)
def test_who_waits_may_want_another_film_at_once(wanted: Leave) -> None:
    player = Player()
    player.viewer.place = 0, 2
    player.play(film(24), stop=0.5)
    event = Dropped("a.mp4") if isinstance(wanted, Open) else Key("n" if wanted != Quit() else "q")
    player.world.keys = [(2.0, event)]
    assert player.loop.wait(Elsewhere(player.world, 9)) == wanted
    assert player.world.now < 2.1


def test_a_seek_while_another_film_is_waited_for_counts_where_there_is_none() -> None:
    player = Player()
    player.viewer.place = 0, 2
    player.world.press(2.0, "n")
    player.play(film(240))
    player.loop.stay()
    player.world.press(3.0, "right")
    player.loop.wait(Elsewhere(player.world, 4))
    leave = player.go_on()
    assert isinstance(leave, SeekTo)
    assert leave.time == pytest.approx(7, abs=0.05)


def test_what_is_waited_for_long_is_named() -> None:
    player = Player()
    player.play(film(24), stop=0.5)
    player.world.now += 9
    for seconds, named in ((0.5 * LONG_WAIT, False), (4, True)):
        player.loop.wait(Elsewhere(player.world, player.world.now + seconds), naming="opening b")
        assert bool(player.display.sprites) == named
        player.world.now += 9


def test_that_a_film_stands_for_want_of_pictures_is_said() -> None:
    player = Player()
    player.play(film(48), ready_at=lambda index: 0.0 if index < 24 else 4.0)
    said = [at for at, text in player.messages.items() if text == STALLED]
    assert said[0] == pytest.approx(1 + STALL, abs=0.1)
    assert said[-1] == pytest.approx(4, abs=0.1)
    assert not player.viewer.waits_for


def test_it_is_said_again_where_a_film_that_stands_is_not_left_after_all() -> None:
    player = Player()
    player.viewer.place = 0, 2
    player.world.press(3.0, "n")
    player.play(film(48), ready_at=lambda index: 0.0 if index < 24 else 6.0)
    player.loop.stay()
    player.loop.wait(Elsewhere(player.world, 4.0))
    assert player.viewer.waits_for == STALLED
    assert player.go_on() is None
    assert not player.viewer.waits_for
