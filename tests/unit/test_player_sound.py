"""The clock and the sound: laid end to end, heard when it should be, as loud as was asked."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.player import STEP, FakeChunks, FakeSpeaker, World, sound
from vidlift.player.clock import AudioClock, WallClock
from vidlift.player.sound import AHEAD, TOLERANCE, Feeder
from vidlift.sources.split import RATE, SoundChunk


def chunk(at: Fraction | float, seconds: float = 0.1, value: int = 1000) -> SoundChunk:
    samples = np.full((round(seconds * RATE), 2), value, np.int16)
    return SoundChunk(samples=samples, pts=Fraction(at).limit_denominator(RATE))


def heard(chunks: list[SoundChunk], *, seconds: float, start: float = 0) -> np.ndarray:
    """The left channel of all that a speaker was given in so many seconds."""
    world = World()
    speaker = FakeSpeaker(world)
    feeder = Feeder(FakeChunks(chunks), speaker)
    feeder.begin(Fraction(start))
    feeder.go()
    while world.now < seconds:
        feeder.feed(pad=True)
        world.now += 0.01
    return np.concatenate(speaker.taken)[:, 0]


def test_chunks_that_meet_are_laid_end_to_end() -> None:
    assert np.array_equal(heard(sound(1), seconds=1)[:RATE], np.arange(RATE) % 10_000)


def test_a_gap_is_silence_and_an_overlap_is_cut_off() -> None:
    taken = heard([chunk(0), chunk(0.3, value=2000), chunk(0.3, 0.2, value=3000)], seconds=0.6)
    levels = [taken[round(at * RATE)] for at in (0.05, 0.2, 0.35, 0.45, 0.55)]
    assert levels == [1000, 0, 2000, 3000, 0]


def test_times_rounded_to_milliseconds_move_nothing() -> None:
    off = float(TOLERANCE) / 2
    wanted = heard([chunk(0), chunk(0.1, value=2000)], seconds=0.2)
    assert np.array_equal(heard([chunk(0), chunk(0.1 + off, value=2000)], seconds=0.2), wanted)


def test_sound_that_begins_late_is_heard_late() -> None:
    taken = heard([chunk(0.5)], seconds=0.7)
    assert np.flatnonzero(taken)[0] == pytest.approx(0.5 * RATE, abs=1)


@given(st.lists(st.tuples(st.floats(-0.2, 0.5), st.floats(0.01, 0.4)), min_size=1, max_size=12))
def test_whatever_the_times_what_is_heard_is_where_it_belongs(
    parts: list[tuple[float, float]],
) -> None:
    chunks, at = [], 0.0
    for number, (gap, seconds) in enumerate(parts):
        at = max(0.0, at + gap)
        chunks.append(chunk(at, seconds, value=number + 1))
        at += seconds
    taken = heard(chunks, seconds=at + 0.1)
    for number, part in enumerate(chunks):
        places = np.flatnonzero(taken == number + 1) / RATE
        if len(places):
            assert places[0] >= float(part.pts) - float(TOLERANCE) - 0.001
            assert places[-1] <= float(part.pts) + len(part.samples) / RATE + float(TOLERANCE)


def test_no_more_than_half_a_second_is_given_ahead() -> None:
    world = World()
    speaker = FakeSpeaker(world)
    feeder = Feeder(FakeChunks(sound(10)), speaker)
    feeder.begin(Fraction(0))
    feeder.feed(pad=True)
    assert AHEAD <= speaker.queued() < AHEAD + 0.1


def test_a_change_of_loudness_is_heard_at_once_and_moves_nothing() -> None:
    world = World()
    speaker = FakeSpeaker(world)
    feeder = Feeder(FakeChunks(sound(2)), speaker)
    feeder.begin(Fraction(0))
    feeder.go()
    while world.now < 1:
        feeder.feed(pad=True)
        before = feeder.heard()
        if 0.5 <= world.now < 0.51:
            feeder.set_loudness(0.5)
            assert feeder.heard() == before
        world.now += 0.01
    taken = np.concatenate(speaker.taken)[:RATE, 0]
    whole = np.arange(len(taken)) % 10_000
    changed = np.flatnonzero(np.abs(taken - whole) > 1)[0]
    assert changed / RATE == pytest.approx(0.5, abs=2 * STEP / RATE)
    assert np.array_equal(taken[changed:], whole[changed:] // 2)


def test_another_feeder_makes_what_was_queued_unheard() -> None:
    world = World()
    speaker = FakeSpeaker(world)
    first = Feeder(FakeChunks(sound(2)), speaker)
    first.begin(Fraction(0))
    first.feed(pad=True)
    Feeder(FakeChunks(sound(2)), speaker)
    assert speaker.queued() == 0


@given(
    rate=st.floats(47_000, 49_000),
    steps=st.lists(st.floats(0.0005, 0.02), min_size=50, max_size=200),
)
def test_the_clock_goes_forward_and_stays_within_a_step_of_the_sound(
    rate: float, steps: list[float]
) -> None:
    world = World()
    timer = WallClock(monotonic=world.monotonic)

    def truth() -> float:
        return world.now * rate / RATE

    def count() -> float:
        return STEP * (truth() * RATE // STEP) / RATE

    clock = AudioClock(count, step=STEP / RATE, timer=timer)
    timer.go()
    before = clock.now()
    for step in steps:
        world.now += step
        now = clock.now()
        assert now >= before
        assert abs(now - truth()) <= STEP / RATE + 1e-9
        before = now


def test_a_wall_clock_stands_and_goes() -> None:
    world = World()
    clock = WallClock(start=5.0, monotonic=world.monotonic)
    world.now = 1
    assert clock.now() == 5
    clock.go()
    clock.go()
    world.now = 3
    assert clock.now() == 7
    clock.stand()
    world.now = 10
    assert clock.now() == 7
