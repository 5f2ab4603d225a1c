"""Choosing rungs: against simulated networks, and by what a rung is worth here."""

from __future__ import annotations

from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlift.client.adapt import (
    Choose,
    Option,
    Throughput,
    by_both,
    by_buffer,
    by_throughput,
    guess,
    quality_of,
)
from vidlift.client.simulation import TRACES, wandering, watch

LADDER = [
    Option(bits_per_second=rate, quality=decibels / 3)
    for rate, decibels in ((230e3, 31.0), (420e3, 33.5), (700e3, 35.2), (1300e3, 37.2))
]


@pytest.mark.parametrize("name", TRACES)
def test_on_no_trace_is_it_worse_than_the_plain_ways(name: str) -> None:
    ours, *others = (
        watch(choose, LADDER, TRACES[name]).experience
        for choose in (by_both, by_throughput, by_buffer)
    )
    assert ours >= max(others) - 1e-9


def test_on_wandering_networks_it_is_better_than_the_plain_ways() -> None:
    traces = [wandering(seed, mean=rate) for seed in range(10) for rate in (0.5e6, 1.2e6, 2e6)]

    def experience(choose: Choose) -> float:
        return mean(watch(choose, LADDER, trace).experience for trace in traces)

    assert experience(by_both) > experience(by_buffer) + 0.05
    assert experience(by_both) > experience(by_throughput) + 0.2


@pytest.mark.parametrize("name", ["steady", "stepwise", "oscillating", "train with tunnels"])
def test_the_film_does_not_stand(name: str) -> None:
    assert watch(by_both, LADDER, TRACES[name]).stalled == 0


def test_the_film_begins_soon_on_a_slow_network() -> None:
    assert watch(by_both, LADDER, [0.5e6] * 100).waited < 2


def test_a_rung_that_looks_no_better_is_never_chosen() -> None:
    # 270p with a network that runs here looks as good as 360p does without one.
    ladder = [LADDER[0], LADDER[1], Option(bits_per_second=700e3, quality=LADDER[1].quality)]
    for buffer in range(0, 25, 2):
        assert by_both(ladder, buffer=buffer, throughput=1e8) != 2


@given(
    st.lists(st.tuples(st.floats(1e4, 1e8), st.floats(-100, 100)), min_size=1, max_size=8).map(
        lambda rows: [Option(bits_per_second=r, quality=q) for r, q in sorted(rows)]
    ),
    st.floats(0, 60),
    st.one_of(st.none(), st.floats(1, 1e9)),
)
def test_the_choice_is_one_of_the_rungs(
    options: list[Option], buffer: float, throughput: float | None
) -> None:
    for choose in (by_both, by_buffer, by_throughput):
        assert 0 <= choose(options, buffer=buffer, throughput=throughput) < len(options)


def test_throughput_follows_a_fall_at_once_and_a_rise_later() -> None:
    measured = Throughput()
    assert measured.bits_per_second is None
    for _ in range(20):
        measured.add(125_000, 1.0)
    assert measured.bits_per_second == pytest.approx(1e6)
    measured.add(12_500, 3.0)
    fallen = measured.bits_per_second
    assert fallen is not None
    assert fallen < 0.55e6
    measured.add(1_250_000, 1.0)
    risen = measured.bits_per_second
    assert risen is not None
    assert risen < 2e6


CARD = {
    "renditions": [
        {"name": "270p", "psnr_y": {"mean": {"bicubic-x4": 30.0, "m-x4": 31.5, "l-x4": 33.0}}},
        {"name": "360p"},
    ]
}


def test_what_counts_is_what_this_machine_can_run() -> None:
    assert quality_of(CARD, "270p", ["m", "l"]) == 11
    assert quality_of(CARD, "270p", ["m"]) == 10.5
    assert quality_of(CARD, "270p", []) == 10
    assert quality_of(CARD, "360p", ["m"]) is None
    assert quality_of({}, "270p", ["m"]) is None


def test_a_larger_picture_is_guessed_to_look_better() -> None:
    assert guess(480, 270, 400_000) < guess(640, 360, 500_000) < guess(960, 540, 900_000)
    assert guess(None, None, 100) < guess(None, None, 1000)
