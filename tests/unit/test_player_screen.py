"""A simulated machine whose screen is too slow: super-resolution gives way here, too."""

from __future__ import annotations

from itertools import pairwise

import pytest

from support.machine import simulate
from vidlift.descriptor import TIERS


@pytest.mark.parametrize("times", [1.1, 1.5, 3, 8])
@pytest.mark.parametrize("rate", [24, 60])
def test_where_the_screen_is_too_slow_whatever_it_shows_it_ends_at_the_bottom(
    rate: int, times: float
) -> None:
    played = simulate(
        rate=rate,
        seconds=300,
        present=lambda _name, time: (times if time >= 10 else 0.1) / rate,
    )
    assert played.steps[-1][1] == "as it is"
    assert 10 < played.steps[-1][0] < 25
    assert len(played.steps) <= 4, "one at a time, and nothing is tried while pictures are missed"


@pytest.mark.parametrize("times", [1.1, 1.5, 3])
def test_a_screen_that_has_time_for_small_pictures_only_gets_those(times: float) -> None:
    played = simulate(
        seconds=600, present=lambda name, _time: (0.2 if name == "as it is" else times) / 24
    )
    assert played.share("as it is") > 0.95
    assert len(played.dropped) <= 80
    tries = [time for time, rung in played.steps if rung == "plain"][1:]
    gaps = [after - before for before, after in pairwise(tries)]
    assert len(tries) <= 6
    assert gaps == pytest.approx(sorted(gaps)), "ever less often"


def test_where_networks_keep_the_screen_from_its_work_it_interpolates() -> None:
    played = simulate(seconds=600, present=lambda name, _time: (1.5 if name in TIERS else 0.5) / 24)
    assert "as it is" not in played.rungs, "pictures on their way count for the rung before"
    assert played.share("plain") > 0.95


@pytest.mark.parametrize("seconds", [0.1, 0.3, 1.0, 3.0])
def test_one_moment_in_which_nothing_is_shown_is_an_accident(seconds: float) -> None:
    long = iter([*[0.01] * 300, seconds])
    played = simulate(present=lambda _name, _time: next(long, 0.01))
    assert [rung for _, rung in played.steps] == ["m"]
    assert played.dropped


def test_after_a_spell_in_which_the_screen_was_busy_it_comes_back_up() -> None:
    played = simulate(seconds=90, present=lambda _name, time: 0.06 if 20 <= time < 30 else 0.01)
    assert [rung for _, rung in played.steps] == [
        *("m", "s", "plain"),
        *("as it is", "plain", "s", "m"),
    ]
