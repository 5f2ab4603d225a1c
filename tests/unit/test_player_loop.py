"""The main loop with a made-up clock, screen and loudspeaker. Nothing sleeps."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from support.player import FakePictures, Player, film
from vidlift.pipeline import Meter
from vidlift.player.governor import LATE
from vidlift.player.leave import Leave, Open, OtherFilm, OtherSound, Quit, SeekTo
from vidlift.player.loop import POLL, STALL, Loop
from vidlift.player.schedule import BUSY, TOO_MANY
from vidlift.player.viewer import Span
from vidlift.sinks.events import Dropped


@pytest.mark.parametrize("rate", [24, Fraction(30000, 1001), 60], ids=str)
@pytest.mark.parametrize("start", [Fraction(0), Fraction(7, 3)], ids=str)
def test_every_picture_is_shown_at_its_time(rate: Fraction, start: Fraction) -> None:
    player = Player()
    pictures = film(100, rate=rate, start=start)
    assert player.play(pictures) is None
    assert player.display.pts == [picture.frame.pts for picture in pictures]
    begun = player.display.times[1] - 1 / rate
    off = [
        time - begun - float(pts - start)
        for time, pts in list(zip(player.display.times, player.display.pts, strict=True))[1:]
    ]
    assert max(map(abs, off)) <= 0.003
    assert player.record.shown == 100
    assert not player.tally.dropped
    assert not player.record.stalls


def test_a_variable_rate_is_kept() -> None:
    player = Player()
    lasts = [Fraction(n, 100) for n in (4, 10, 3, 50, 4, 20, 4, 4)]
    times = [sum(lasts[:i], Fraction(0)) for i in range(len(lasts))]
    plain = film(len(lasts))
    pictures = [
        replace(picture, frame=replace(picture.frame, pts=time, duration=duration))
        for picture, time, duration in zip(plain, times, lasts, strict=True)
    ]
    player.play(pictures)
    gaps = np.diff(player.display.times[1:])
    assert gaps == pytest.approx([float(lasting) for lasting in lasts[1:-1]], abs=0.003)


@pytest.mark.parametrize(("rate", "seconds"), [(47_900, 60), (48_000, 60), (48_100, 600)])
def test_pictures_follow_the_sound_whatever_its_second(rate: float, seconds: int) -> None:
    player = Player(speaker_rate=rate)
    player.play(film(24 * seconds), seconds_of_sound=seconds)
    skew = np.abs(player.record.skew)
    assert np.percentile(skew, 95) < 0.020
    assert skew.max() < 0.040
    assert player.record.shown == 24 * seconds
    taken = player.display.times[-1] - player.display.times[1]
    assert taken == pytest.approx((seconds - 2 / 24) * 48_000 / rate, abs=0.06)


@pytest.mark.parametrize("rate", [47_900, 48_100])
def test_they_are_in_step_after_a_seek_and_a_pause(rate: float) -> None:
    player = Player(speaker_rate=rate)
    player.world.press(2.0, "right")
    assert isinstance(player.play(film(240), seconds_of_sound=10), SeekTo)
    begun = player.world.now
    for after in (1.0, 3.0):
        player.world.press(begun + after, "space")
    pictures = film(1440, start=7, early=True)
    player.play(pictures, seconds_of_sound=60, at=7.0)
    skew = np.abs(player.record.skew)
    assert np.percentile(skew, 95) < 0.020
    assert skew.max() < 0.040
    assert player.world.now - begun == pytest.approx(60 * 48_000 / rate + 2, abs=0.2)


@pytest.mark.parametrize("before", [Fraction(0), Fraction(5, 2)], ids=["at zero", "later"])
def test_sound_that_begins_before_the_pictures_is_heard_from_its_beginning(
    before: Fraction,
) -> None:
    player = Player(speaker_rate=48_000)
    player.play(film(24, start=before + 1), seconds_of_sound=2, sound_from=before)
    assert player.speaker is not None
    assert len(player.speaker.taken[0]) == 4800
    assert player.display.times[1] - player.display.times[0] == pytest.approx(25 / 24, abs=0.03)


def test_the_film_is_heard_to_the_end_of_its_sound() -> None:
    player = Player(speaker_rate=48_000)
    player.play(film(24), seconds_of_sound=3)
    assert player.world.now == pytest.approx(3, abs=0.1)


def test_a_pause_stops_film_and_sound_and_loses_nothing() -> None:
    player = Player(speaker_rate=48_000)
    player.world.press(1.0, "space")
    player.world.press(6.0, "space")
    player.play(film(48), seconds_of_sound=2)
    assert len(player.display.shown) == 48
    gaps = np.diff(player.display.times)
    assert gaps.max() == pytest.approx(5, abs=0.06)
    assert sorted(gaps)[-2] < 0.06
    assert np.abs(player.record.skew).max() < 0.040


@pytest.mark.parametrize("rate", [24, 60])
def test_the_rate_is_that_of_what_is_shown_pauses_apart(rate: int) -> None:
    player = Player()
    player.world.press(1.0, "space")
    player.world.press(6.0, "space")
    assert player.record.rate is None
    player.play(film(3 * rate, rate=rate))
    assert player.record.rate == pytest.approx(rate, rel=0.05)


def test_a_picture_whose_time_is_over_is_dropped_only_for_another() -> None:
    player = Player(present=0.060)  # the screen is slower than the film
    player.play(film(48))
    assert player.tally.dropped == {BUSY: 48 - player.record.shown}
    assert player.record.shown < 48
    assert player.display.pts[-1] == film(48)[-1].frame.pts
    assert player.tally.drops[0][1] == BUSY


@pytest.mark.parametrize(
    ("late", "hertz", "why"),
    [(False, 0, BUSY), (False, 24, BUSY), (False, 20, TOO_MANY), (True, 20, LATE)],
)
def test_why_a_picture_is_dropped_is_told_apart(late: bool, hertz: int, why: str) -> None:
    player = Player(present=0.060)
    player.display.interval = 1 / hertz if hertz else 0.0
    player.play([replace(picture, late=late) for picture in film(48)])
    assert set(player.tally.dropped) == {why}


def test_where_pictures_fail_to_come_film_and_sound_stand_and_go_on() -> None:
    player = Player(speaker_rate=48_000)
    player.play(film(48), ready_at=lambda index: 0.0 if index < 24 else 4.0, seconds_of_sound=2)
    assert player.record.stalls == 1
    assert player.record.shown + sum(player.tally.dropped.values()) == 48
    stood = np.diff(player.display.times).max()
    assert stood == pytest.approx(4 - 1, abs=0.2)
    # From the last picture the film went on for STALL seconds before it stood.
    assert sum(player.tally.dropped.values()) <= STALL * 24 + 1


def test_the_first_picture_is_shown_before_others_are_ready() -> None:
    player = Player()
    player.play(film(24), ready_at=lambda index: 0.0 if index == 0 else 1.0)
    assert player.display.times[0] <= 2 * POLL
    assert player.display.times[1] > 1


def test_after_a_seek_an_early_picture_is_replaced_at_once_and_not_counted() -> None:
    player = Player()
    player.play(film(24, early=True), ready_at=lambda index: 0.05 * index)
    assert player.display.pts[:2] == [0, 0]
    assert player.display.times[1] <= 0.1
    assert player.record.shown == 24


def test_paused_it_shows_where_it_was_sought_to_and_stays() -> None:
    player = Player()
    player.viewer.paused = True
    player.world.press(5.0, "q")
    assert player.play(film(24, early=True)) == Quit()
    assert len(player.display.shown) == 2
    assert player.loop.position == 0


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("q", Quit()),
        ("escape", Quit()),
        ("n", OtherFilm(1)),
        ("p", OtherFilm(-1)),
        ("home", SeekTo(0.0)),
        ("end", SeekTo(10.0)),
    ],
)
def test_the_viewer_leaves(key: str, wanted: Leave) -> None:
    player = Player()
    player.viewer.place = 1, 3
    player.world.press(2.0, key)
    assert player.play(film(240)) == wanted
    assert player.world.now < 2.1


@pytest.mark.parametrize(("key", "by"), [("left", -5), ("right", 5), ("down", -60), ("up", 60)])
def test_arrows_seek_from_where_the_film_is(key: str, by: float) -> None:
    player = Player()
    player.world.press(2.0, key)
    leave = player.play(film(240))
    assert isinstance(leave, SeekTo)
    assert leave.time == pytest.approx(2 + by, abs=0.05)


def test_keys_pressed_at_once_are_all_obeyed() -> None:
    player = Player()
    player.world.press(2.0, "right", "right", "m", "left", "right")
    leave = player.play(film(24 * 30))
    assert isinstance(leave, SeekTo)
    assert leave.time == pytest.approx(12, abs=0.05)
    assert player.viewer.muted


@pytest.mark.parametrize(
    ("keys", "loop", "wanted"),
    [
        ("nn", False, OtherFilm(2)),
        ("nnnnn", False, OtherFilm(3)),
        ("np", False, None),
        ("ppn", False, None),
        ("pp", True, OtherFilm(-2)),
        ("nnnnn", True, OtherFilm(5)),
    ],
)
def test_steps_from_film_to_film_add_up_as_far_as_there_are_films(
    keys: str, loop: bool, wanted: Leave | None
) -> None:
    player = Player()
    player.viewer.place, player.viewer.loop = (1, 5), loop
    player.world.press(2.0, *keys)
    assert player.play(film(72)) == wanted


def test_films_dropped_together_are_played_one_after_the_other() -> None:
    player = Player()
    player.world.keys = [(2.0, Dropped(name)) for name in ("a.mp4", "b.mp4", "c.mp4")]
    assert player.play(film(240)) == Open("a.mp4", then=("b.mp4", "c.mp4"))


@pytest.mark.parametrize(
    ("keys", "step", "at"),
    [
        (("a", "a"), 2, 2),
        (("a", "right"), 1, 7),
        (("right", "a", "right", "a", "a"), 3, 12),
    ],
    ids=str,
)
def test_steps_from_sound_to_sound_add_up_and_no_seek_undoes_them(
    keys: tuple[str, ...], step: int, at: float
) -> None:
    player = Player()
    player.viewer.sounds = 5
    player.world.press(2.0, *keys)
    assert player.play(film(24 * 30)) == OtherSound(step)
    assert player.loop.position == pytest.approx(at, abs=0.05)


def test_nothing_is_heeded_after_quitting() -> None:
    player = Player()
    player.world.press(2.0, "q", "right")
    assert player.play(film(240)) == Quit()


def test_seeks_at_the_end_of_the_film_do_not_add_up() -> None:
    player = Player()
    player.world.press(2.0, "up", "up", "left")
    leave = player.play(film(240))
    assert isinstance(leave, SeekTo)
    assert leave.time == pytest.approx(5, abs=0.05)


def test_before_its_first_picture_a_seek_goes_on_from_the_one_before() -> None:
    player = Player()
    player.world.press(0.5, "right")
    pictures = film(240, start=100)
    assert player.play(pictures, ready_at=lambda _index: 1.0, at=105.0) == SeekTo(110.0)


def test_after_a_seek_beyond_the_end_another_goes_on_from_the_end() -> None:
    player = Player()
    player.world.press(0.5, "left")
    pictures = film(240, start=100)
    assert player.play(pictures, ready_at=lambda _index: 1.0, at=114.0) == SeekTo(105.0)


def test_a_stop_ends_it() -> None:
    player = Player(speaker_rate=48_000)
    player.play(film(24), seconds_of_sound=60, stop=1.0)
    assert player.world.now < 1.2


def test_a_film_without_pictures_ends_at_once() -> None:
    player = Player()
    pictures = film(1)
    world = player.world
    loop = Loop(
        player.display,
        player.viewer,
        player.record,
        span=Span(start=0, end=1),
        tally=player.tally,
        meter=Meter(),
        monotonic=world.monotonic,
    )
    assert loop.run(FakePictures(world, pictures[:0], lambda _index: 0.0), None) is None


def test_keys_reach_the_window_and_the_loudspeaker() -> None:
    player = Player(speaker_rate=48_000)
    player.world.press(0.5, "f", "m")
    player.play(film(48), seconds_of_sound=2)
    assert player.speaker is not None
    heard = np.concatenate(player.speaker.taken)[:, 0]
    quiet = np.flatnonzero(heard[:90_000] != 0).max()
    assert player.display.full_screen
    assert quiet / 48_000 == pytest.approx(0.5, abs=0.06)


def test_what_lies_over_a_paused_film_is_drawn_anew() -> None:
    player = Player()
    player.world.press(0.5, "space")
    player.world.press(2.0, "h")
    player.world.press(6.0, "q")
    player.play(film(240))
    assert player.display.refreshed >= 2, "the bar went, the list came"
    assert len(player.display.sprites) == 1
