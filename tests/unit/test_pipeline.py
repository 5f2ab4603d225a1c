"""What a pipeline measures, and that it pulls every frame into the sink."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.frames import make_frame
from vidlift.frame import Frame
from vidlift.pipeline import Meter, run
from vidlift.sinks.null import NullSink
from vidlift.stages.ahead import ahead


class Clock:
    """Time goes on only where work is done."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


def working(items: Iterator[int], clock: Clock, *, before: float, after: float) -> Iterator[int]:
    for item in items:
        clock.work(before)
        yield item
        clock.work(after)


# Quarters are exact in floating point, however many are added.
quarters = st.integers(0, 8).map(lambda n: n / 4)


@given(
    count=st.integers(0, 6),
    stages=st.lists(st.tuples(quarters, quarters), min_size=1, max_size=5),
)
def test_each_stage_is_measured_without_what_it_waits_for(
    count: int, stages: list[tuple[float, float]]
) -> None:
    clock = Clock()
    meter = Meter(clock)
    items: Iterator[int] = iter(range(count))
    for number, (before, after) in enumerate(stages):
        items = meter.watch(str(number), working(items, clock, before=before, after=after))
    assert list(items) == list(range(count))
    for number, (before, after) in enumerate(stages):
        # What is done after an item belongs to the next one; after the last there is none.
        wanted = [before + (after if index else 0) for index in range(count)]
        assert list(meter.seconds.get(str(number), [])) == wanted


def test_stages_are_told_in_the_order_in_which_they_were_used() -> None:
    meter = Meter()
    list(meter.watch("outer", meter.watch("inner", iter([1]))))
    assert list(meter.seconds) == ["inner", "outer"]


def test_work_in_another_thread_is_its_own() -> None:
    clock = Clock()
    meter = Meter(clock)
    made = meter.watch("make", working(iter([1]), clock, before=3, after=0))
    with_thread = ahead(made, depth=1)
    assert list(meter.watch("wait", with_thread)) == [1]
    assert list(meter.seconds["make"]) == [3]


def test_an_error_goes_through_and_leaves_the_measure_whole() -> None:
    clock = Clock()
    meter = Meter(clock)

    def broken() -> Iterator[int]:
        clock.work(1)
        yield 1
        clock.work(5)
        raise OSError("broken")

    watched = meter.watch("outer", meter.watch("inner", broken()))
    assert next(watched) == 1
    with pytest.raises(OSError, match="broken"):
        next(watched)
    assert meter.note("later", lambda: clock.work(2)) is None
    assert {stage: list(times) for stage, times in meter.seconds.items()} == {
        "inner": [1],
        "outer": [0],
        "later": [2],
    }


def test_closing_a_watch_closes_what_it_watches() -> None:
    closed = []

    def upstream() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    watched = Meter().watch("stage", upstream())
    assert next(watched) == 1
    watched.close()  # type: ignore[attr-defined]
    assert closed


def test_run_pulls_every_frame_and_closes_neither_end() -> None:
    class Sink(NullSink):
        closed = False

        def close(self) -> None:
            self.closed = True

    sink, meter = Sink(), Meter()
    frames: list[Frame] = [make_frame(n) for n in range(3)]
    assert run(frames, sink, meter=meter) == 3
    assert sink.frames == 3
    assert len(meter.seconds["write"]) == 3
    assert not sink.closed
