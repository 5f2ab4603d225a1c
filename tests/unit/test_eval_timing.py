"""Timing takes turns, throws warm-up away, and compares within a round. The clock is made up."""

from __future__ import annotations

import numpy as np
import pytest

from vidlift.evaluation import subjects, timing
from vidlift.evaluation.runtimes import EXACT
from vidlift.evaluation.timing import WARM_UP, Job


class Machine:
    """Jobs of known cost on a machine that gets slower by a tenth of a second a round."""

    def __init__(self, costs: dict[str, float]) -> None:
        self.now = 0.0
        self.log: list[str] = []
        self._costs = costs

    def job(self, name: str, frames: int = 1) -> Job:
        def run() -> None:
            self.log.append(name)
            # Each job runs twice a round.
            turn = (len(self.log) - 1) // (2 * len(self._costs))
            self.now += self._costs[name] * (1 + turn / 10)

        return Job(name=name, run=run, frames=frames)


def test_every_job_runs_twice_in_a_row_each_round() -> None:
    machine = Machine({"a": 1, "b": 2, "c": 3})
    timing.interleaved([machine.job(name) for name in "abc"], rounds=4, clock=lambda: machine.now)
    runs = [tuple(machine.log[i : i + 2]) for i in range(0, len(machine.log), 2)]
    assert all(first == second for first, second in runs)
    rounds = [
        "".join(sorted(first for first, _ in runs[i : i + 3])) for i in range(0, len(runs), 3)
    ]
    assert rounds == ["abc"] * (WARM_UP + 4)
    assert len({tuple(runs[i : i + 3]) for i in range(0, len(runs), 3)}) > 1, "always in one order"


def test_a_machine_that_slows_down_does_not_change_ratios() -> None:
    machine = Machine({"a": 0.010, "b": 0.025})
    a, b = timing.interleaved(
        [machine.job("a"), machine.job("b")], rounds=7, clock=lambda: machine.now
    )
    # The median of rounds 3 to 9 is the sixth: 1.6 times the cost at the start.
    assert [a.median_ms, b.median_ms] == pytest.approx([16, 40])
    assert [a.least_ms, b.least_ms] == pytest.approx([13, 32.5])
    assert [a.ratio, b.ratio] == pytest.approx([1, 2.5])
    assert a.runs == b.runs == 7


def test_times_are_per_frame() -> None:
    machine = Machine({"a": 1, "pair": 1})
    _, pair = timing.interleaved(
        [machine.job("a"), machine.job("pair", frames=2)], rounds=1, clock=lambda: machine.now
    )
    assert pair.ratio == pytest.approx(0.5)


def test_a_model_is_timed_on_a_pair() -> None:
    made = timing.job(subjects.load("bicubic-x4"), EXACT, threads=1)
    assert made.frames == 2
    assert np.asarray(made.run()).shape == (1, 2, 1080, 1920)
