"""The governor on a simulated machine: time and costs are given, nothing runs and nothing waits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.machine import AS_IT_IS, COSTS, ladder, ladder_of, pair_at, simulate
from vidlift.player.governor import (
    DEARER,
    HOLD,
    LATE,
    NO_TIME,
    NOT_ENLARGED,
    SKIPS_MAX,
    SWITCHED_OFF,
    TOO_SLOW,
    Governor,
    Rung,
)

RATES = [Fraction(24000, 1001), 24, 25, Fraction(30000, 1001), 50, 60]


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_it_stands_on_the_largest_rung_with_head_room_and_stays(rate: Fraction) -> None:
    played = simulate(rate=rate, seconds=600)
    fitting = [name for name, cost in COSTS.items() if cost <= 0.75 * 2 / rate]
    assert played.steps == [(0.0, fitting[-1])]
    assert set(played.rungs) == {fitting[-1]}
    assert not played.late
    assert not played.reasons


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("slower", [1.0, 1.7, 3.0, 6.0])
def test_a_slower_machine_gives_way_by_smaller_networks_not_by_frames(
    rate: Fraction, slower: float
) -> None:
    played = simulate(rate=rate, seconds=120, load=lambda _name, _time: slower)
    settled = played.rungs[len(played.rungs) // 2 :]
    if COSTS["plain"] * slower < 2 / rate:
        assert max(played.late, default=0) < 1, "late only while it learns"
    holding = [name for name, cost in COSTS.items() if cost * slower <= 0.95 * 2 / rate]
    best = holding[-1] if holding else "plain"
    assert settled.count(best) >= 0.85 * len(settled) or best == "plain" or slower == 1


def test_where_even_the_smallest_is_too_slow_it_interpolates() -> None:
    played = simulate(load=lambda _name, _time: 6.0, seconds=120)
    assert played.share("plain") > 0.9
    assert played.reasons[TOO_SLOW] > played.reasons[LATE]


def test_where_even_interpolation_is_too_slow_the_window_stretches() -> None:
    played = simulate(costs={"plain": 0.1, "s": 0.2}, seconds=60)
    assert played.steps == [(0.0, "as it is")]
    assert played.reasons == {NO_TIME: len(played.rungs)}
    assert not played.late


def test_where_interpolation_only_proves_too_slow_few_pairs_are_late_for_it() -> None:
    played = simulate(load=lambda _name, _time: 15.0, seconds=600)
    assert played.share("as it is") > 0.95
    assert len(played.late) < 0.03 * len(played.rungs)
    tries = [time for time, rung in played.steps if rung == "plain"]
    assert len(tries) <= 8, "ever less often"


def test_after_a_burst_in_which_nothing_was_in_time_it_comes_back_up() -> None:
    played = simulate(load=lambda _name, time: 15.0 if 10 <= time < 20 else 1.0, seconds=90)
    assert [rung for _, rung in played.steps][-4:] == ["as it is", "plain", "s", "m"]
    assert played.rungs[-1] == "m"


def test_pictures_shown_as_they_are_say_nothing_about_the_machine() -> None:
    """A copy is no measure: after it a window is enlarged as if it had never been."""
    ladders: dict[int, Sequence[Rung]] = {1: AS_IT_IS, 4: ladder()}

    def act(governor: Governor, time: float) -> None:
        governor.scale = 1 if time < 10 else 4

    played = simulate(
        seconds=20,
        ladders=ladders,
        act=act,
        load=lambda name, _time: 20.0 if name == "as it is" else 1.0,
    )
    assert [rung for _, rung in played.steps] == ["as it is", "m"]


def test_a_load_spike_costs_a_step_down_and_it_comes_back() -> None:
    played = simulate(load=lambda _name, time: 2.0 if 20 <= time < 25 else 1.0)
    assert [rung for _, rung in played.steps] == ["m", "s", "m"]
    down, up = (time for time, _ in played.steps[1:])
    assert 20 <= down < 22
    assert down + HOLD <= up < down + HOLD + 5
    assert len(played.late) <= 2
    assert played.rungs[-1] == "m"


def test_time_saved_where_little_changes_goes_to_a_larger_tier() -> None:
    played = simulate(work=lambda time: 0.05 if time > 1 else 1.0, seconds=30)
    assert [rung for _, rung in played.steps] == ["m", "l"], "an xl pair at once would be late"
    assert not played.late


def test_motion_after_a_still_scene_costs_a_step_and_no_frames() -> None:
    played = simulate(work=lambda time: 0.05 if time < 20 else 1.0, seconds=60)
    assert [rung for _, rung in played.steps] == ["m", "l", "m"]
    assert 20 <= played.steps[-1][0] < 21
    assert len(played.late) <= 1


def test_cuts_in_a_still_film_are_no_reason_to_step_down() -> None:
    played = simulate(work=lambda time: 1.0 if time % 5 < 0.05 else 0.05, seconds=60)
    assert played.share("l") > 0.8
    assert not played.late


def test_one_slow_pair_is_an_accident() -> None:
    slow = iter([*[1.0] * 100, 4.0])
    played = simulate(load=lambda _name, _time: next(slow, 1.0))
    assert [rung for _, rung in played.steps] == ["m"]
    assert not played.late


def test_a_tier_slower_than_foretold_is_left_and_tried_ever_less_often() -> None:
    played = simulate(
        seconds=1200,
        load=lambda name, _time: 2.5 if name == "m" else 1.0,
    )
    assert played.share("s") > 0.95
    away = [time for time, rung in played.steps if rung == "s"]
    gaps = [after - before for before, after in pairwise(away)]
    assert len(played.steps) <= 16, "seven tries in twenty minutes"
    assert gaps == pytest.approx(sorted(gaps))
    assert len(played.late) <= len(away)


def test_it_never_oscillates_on_a_machine_at_the_edge() -> None:
    edge = 0.95 * (2 / 24) / COSTS["m"]
    played = simulate(
        seconds=600,
        load=lambda _name, time: edge * (1.1 if int(time) % 3 == 0 else 0.9),
    )
    assert len(played.steps) <= 16
    assert len(played.late) <= len(played.steps)


def test_it_climbs_where_the_machine_is_faster_than_foretold() -> None:
    played = simulate(load=lambda _name, _time: 0.5)
    assert [rung for _, rung in played.steps] == ["m", "l"]
    assert played.steps[1][0] < 3


@pytest.mark.parametrize("tier", ["s", "m"])
def test_a_cap_holds_and_says_why(tier: str) -> None:
    costs = {name: cost / 10 for name, cost in COSTS.items()}

    def act(governor: Governor, time: float) -> None:
        governor.cap = (tier, "on battery") if 10 <= time < 20 else None

    played = simulate(seconds=30, costs=costs, act=act)
    assert [rung for _, rung in played.steps] == ["xl", tier, "xl"]
    assert played.share(tier) == pytest.approx(1 / 3, abs=0.01)


def test_a_rung_that_takes_longer_than_a_larger_one_is_left_out() -> None:
    """As where the larger is in bfloat16 and the smaller is not."""
    costs = {**COSTS, "s": 0.010, "m": 0.060, "l": 0.040}
    governor = Governor(ladder_of(costs), now=lambda: 0.0, enough=1.0, scale=4)
    verdicts = {rung.name: verdict for rung, _, verdict in governor.verdicts(2 / 24)}
    assert verdicts["m"] == DEARER
    assert governor.choose(pair_at(Fraction(10), 24)).rung.name == "l"
    governor.cap = ("m", "to save power")
    assert governor.choose(pair_at(Fraction(11), 24)).rung.name == "m"
    verdicts = {rung.name: verdict for rung, _, verdict in governor.verdicts(2 / 24)}
    assert verdicts["m"] != DEARER
    assert verdicts["l"] == "above the cap: to save power"


def test_the_output_size_chooses_the_ladder() -> None:
    ladders: dict[int, Sequence[Rung]] = {
        1: AS_IT_IS,
        2: ladder({"plain": 0.004, "m": 0.030}, scale=2),
        4: ladder({"plain": 0.008, "m": 0.040}, scale=4),
    }

    def act(governor: Governor, time: float) -> None:
        governor.scale = 4 if time < 10 else 2 if time < 20 else 1

    played = simulate(seconds=30, act=act, ladders=ladders)
    assert [rung for _, rung in played.steps] == ["m", "m", "as it is"]
    assert played.reasons[NOT_ENLARGED] == pytest.approx(120, abs=3)


@pytest.mark.parametrize(
    ("scale", "plain", "enlarges"), [(4, 0.008, True), (4, 0.1, False), (1, 0.008, False)]
)
def test_it_tells_whether_anything_is_enlarged(scale: int, plain: float, enlarges: bool) -> None:
    governor = Governor(
        ladder_of({"plain": plain, "s": 2 * plain}), now=lambda: 0.0, enough=0.1, scale=scale
    )
    assert governor.enlarges == (scale > 1), "nothing is known yet"
    governor.choose(pair_at(Fraction(1), 24))
    assert governor.enlarges == enlarges
    governor.scale = 5 - scale
    assert governor.enlarges == (scale == 1), "what is wanted now counts at once"


def test_switched_off_is_plain_at_once_and_on_again_without_a_step() -> None:
    def act(governor: Governor, time: float) -> None:
        governor.on = not 10 <= time < 20

    played = simulate(seconds=30, act=act)
    assert played.reasons == {SWITCHED_OFF: pytest.approx(120, abs=3)}
    assert [rung for _, rung in played.steps] == ["m"]


def test_plain_interpolation_asked_for_is_no_bypass() -> None:
    played = simulate(seconds=10, costs={"plain": 0.008})
    assert set(played.rungs) == {"plain"}
    assert not played.reasons


def test_a_pair_is_skipped_when_its_time_has_passed_but_not_all_of_them() -> None:
    governor = Governor(ladder_of(), now=lambda: 1000.0, enough=0.1, scale=4)
    skipped = [governor.skip(pair_at(Fraction(index, 12), 24)) for index in range(10)]
    assert skipped == [*[True] * SKIPS_MAX, False] * 2
    ahead = Governor(ladder_of(), now=lambda: 0.0, enough=0.1, scale=4)
    assert not ahead.skip(pair_at(Fraction(1), 24))


def test_a_dry_run_says_what_speaks_for_each_rung() -> None:
    governor = Governor(ladder_of(), now=lambda: -math.inf, enough=0.1, scale=4)
    governor.cap = ("l", "--eco")
    found = {rung.name: verdict for rung, _, verdict in governor.verdicts(2 / 24)}
    assert found == {
        "plain": "fits, 90% to spare",
        "s": "fits, 76% to spare",
        "m": "fits, 52% to spare",
        "l": "no head-room: 4% to spare",
        "xl": "above the cap: --eco",
    }


@settings(max_examples=30)
@given(
    rate=st.sampled_from([24, 30, 60]),
    loads=st.lists(st.floats(0.3, 8), min_size=1, max_size=12),
    screens=st.lists(st.floats(0, 4), min_size=1, max_size=8),
)
def test_whatever_the_load_each_pair_has_its_turn_and_steps_are_few(
    rate: int, loads: list[float], screens: list[float]
) -> None:
    def present(name: str, time: float) -> float:
        return screens[int(time / 7) % len(screens)] / rate / (5 if name == "as it is" else 1)

    played = simulate(
        rate=rate,
        seconds=60,
        load=lambda _name, time: loads[int(max(time, 0) / 5) % len(loads)],
        present=present,
    )
    assert len(played.rungs) + len(played.skipped) == 30 * rate
    assert len(played.steps) <= 40


def slow(rate: int, seconds: float) -> list[Fraction]:
    return [Fraction(1, rate)] * int(rate * seconds)


def test_one_picture_that_stays_is_no_time_for_a_larger_network() -> None:
    """A talk on slides, as screens are recorded: the next pictures come as fast as before."""
    played = simulate(rate=24, lasting=[*slow(24, 6), Fraction(2), Fraction(1, 24)] * 10)
    assert played.steps == [(0.0, "m")]
    assert not played.reasons
    assert not played.late


def test_a_first_picture_that_stays_is_no_time_for_a_larger_network() -> None:
    played = simulate(rate=24, lasting=[Fraction(3), *slow(24, 30)])
    assert played.steps == [(0.0, "m")]
    assert not played.reasons


@pytest.mark.parametrize("average", [24, 30])
def test_where_the_rate_rises_for_a_while_it_catches_up_and_goes_on(average: int) -> None:
    played = simulate(rate=average, lasting=[*slow(24, 5), *slow(60, 5)] * 6)
    assert played.share("plain") < 0.05
    assert {rung for _, rung in played.steps} == {"s", "m"}


def test_frames_of_unknown_length_are_taken_to_last_as_others_do() -> None:
    played = simulate(rate=24, lasting=[Fraction(0)] * 4 + slow(24, 20))
    assert played.steps == [(0.0, "m")]


@pytest.mark.parametrize("plain", [0.3, 3.0, 6.0])
def test_pairs_that_are_not_worth_a_network_do_not_say_how_fast_it_is(plain: float) -> None:
    """Interpolation need not be as much slower than when it was measured as networks are."""
    played = simulate(
        seconds=120,
        load=lambda name, _time: plain if name == "plain" else 1.0,
        worth=lambda time: int(time / 7) % 2 == 0,
    )
    assert [rung for _, rung in played.steps] == ["m"]
    assert not played.reasons


@pytest.mark.parametrize("scales", [(4, 2), (2, 4), (4, 2, 1), (2, 1, 4)], ids=str)
def test_a_window_that_changes_while_networks_are_measured(scales: tuple[int, ...]) -> None:
    """Another thread sets the scale, and it may do so in the midst of a choice."""
    ladders = {
        1: AS_IT_IS,
        2: ladder({"plain": 0.004, "m": 0.030}, scale=2),
        4: ladder({"plain": 0.008, "m": 0.040}, scale=4),
    }
    wanted = list(scales)

    def measuring(scale: int) -> Sequence[Rung]:
        if wanted:
            governor.scale = wanted.pop(0)
        return ladders[scale]

    governor = Governor(measuring, now=lambda: -math.inf, enough=0.1, scale=4)
    for index in range(6):
        choice = governor.choose(pair_at(Fraction(index, 12), 24))
        assert governor.plain().scale == choice.rung.scale
        assert choice.rung in ladders[choice.rung.scale]
    assert choice.rung.scale == scales[-1]


def test_pairs_made_otherwise_while_a_network_is_loaded_say_nothing_against_it() -> None:
    """Loading burdens the machine: what it burdens is not the network."""
    costs = {"plain": 0.008, "s": 0.040, "m": 0.060}
    governor = Governor(ladder_of(costs), now=lambda: -math.inf, enough=1 / 12, scale=4)
    chosen, slow = [], 2.6
    for number in range(20):
        choice = governor.choose(pair_at(Fraction(number, 12), 24))
        chosen.append(choice.rung.name)
        made_by = choice.rung if choice.rung.name == "m" else governor.plain()
        governor.took(made_by, slow * made_by.cost)
    assert chosen[0] == "m"
    assert set(chosen[10:]) == {"s"}
