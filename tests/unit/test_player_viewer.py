"""What the viewer asks for, and what is drawn over the film."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from support.player import World
from vidlift.player import overlay
from vidlift.player.controls import CONTROLS, Control, key_list
from vidlift.player.leave import Leave, Open, OtherSound, Quit, SeekTo
from vidlift.player.viewer import BAR_FOR, INFO_EVERY, MESSAGE_FOR, READ_IN, Span, Viewer
from vidlift.sinks.events import Closed, Dropped, Event, Key, Pointer, Resized
from vidlift.sinks.window import Sprite
from vidlift.sources.labels import Label

AREA = (1280, 720)
FILM = Span(start=10.0, end=110.0)


class Said:
    """Subtitles that always say the same, at fifty seconds."""

    def __init__(self, text: str, *, language: str | None = None, wanted: bool = False) -> None:
        self.label = Label(language=language, wanted=wanted)
        self.asked = False
        self._text = text

    def at(self, time: float) -> str:
        self.asked = True
        return self._text if time == 50 else ""


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def viewer(world: World) -> Viewer:
    return Viewer(monotonic=world.monotonic)


def tell(viewer: Viewer, *events: Event | str, span: Span = FILM) -> Leave | None:
    found = None
    for event in events:
        told = Key(event) if isinstance(event, str) else event
        found = viewer.obey(told, time=50.0, span=span, area=AREA)
    return found


def drawn(viewer: Viewer, time: float = 50.0) -> list[Sprite]:
    return viewer.sprites(time=time, span=FILM, area=AREA)


def test_every_control_has_a_key_and_a_line_in_the_list() -> None:
    assert set(CONTROLS.values()) == set(Control)
    assert [text for _, text in key_list()] == [control.value for control in Control]
    assert all(keys for keys, _ in key_list())


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        (Closed(), Quit()),
        (Dropped("a.mp4"), Open("a.mp4")),
        (Key("q"), Quit()),
        (Key("home"), SeekTo(10.0)),
        (Key("end"), SeekTo(110.0)),
        (Key("left"), SeekTo(45.0)),
        (Key("up"), SeekTo(110.0)),
        (Key("x"), None),
        (Resized(), None),
        (Pointer(640, 10, True), None),
    ],
    ids=str,
)
def test_events_that_leave_the_film(viewer: Viewer, event: Event, wanted: Leave | None) -> None:
    assert tell(viewer, event) == wanted


@pytest.mark.parametrize("key", ["c", "v"])
def test_in_a_pause_the_picture_is_made_anew_as_it_is_wanted(viewer: Viewer, key: str) -> None:
    assert tell(viewer, key) is None, "the next pictures come soon"
    assert tell(viewer, "space", key) == SeekTo(50.0)


@pytest.mark.parametrize("key", ["c", "v"])
@pytest.mark.parametrize("more", [{"live": True}, {"seekable": False}], ids=str)
def test_where_nothing_can_be_sought_it_stays_and_what_follows_is_made_so(
    viewer: Viewer, key: str, more: dict[str, bool]
) -> None:
    assert tell(viewer, "space", key, span=Span(start=10.0, end=None, **more)) is None
    assert viewer.wish.side_by_side == (key == "v")
    assert viewer.super_resolve == (key != "c")


def test_a_key_held_down_seeks_and_does_nothing_else_twice(viewer: Viewer) -> None:
    assert tell(viewer, Key("left", held=True)) == SeekTo(45.0)
    tell(viewer, Key("9"), Key("9", held=True))
    assert viewer.volume == 90
    tell(viewer, Key("space"), Key("space", held=True))
    assert viewer.paused
    assert tell(viewer, Key("n", held=True)) is None


def test_a_film_of_no_length_has_a_bar(viewer: Viewer) -> None:
    tell(viewer, "space", span=Span(start=0, end=0))
    assert viewer.sprites(time=0, span=Span(start=0, end=0), area=AREA)


def test_end_means_nothing_where_nobody_knows_the_end(viewer: Viewer) -> None:
    assert tell(viewer, "end", span=Span(start=0, end=None)) is None


@pytest.mark.parametrize("key", ["left", "right", "up", "down", "home"])
def test_a_live_film_is_sought_in_only_for_what_happens_now(viewer: Viewer, key: str) -> None:
    live = Span(start=10.0, end=None, live=True)
    assert tell(viewer, key, span=live) is None
    assert drawn(viewer), "it says why"
    assert tell(viewer, "end", span=live) == SeekTo(50.0)
    assert tell(viewer, "space", "c", span=live) is None, "a pause stays where it is"


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_the_bar_seeks_where_it_is_clicked_once_it_is_seen(viewer: Viewer, share: float) -> None:
    left, right = overlay.bar_track(AREA)
    y = overlay.bar_box(AREA)[1] + 5
    x = round(left + share * (right - left))
    assert tell(viewer, Pointer(x, y, True)) is None, "it was not there"
    leave = tell(viewer, Pointer(x, y, True))
    assert isinstance(leave, SeekTo)
    assert leave.time == pytest.approx(10 + 100 * share, abs=0.1)


def test_the_bar_goes_when_the_mouse_rests(viewer: Viewer, world: World) -> None:
    assert not drawn(viewer)
    tell(viewer, Pointer(3, 3, False))
    assert len(drawn(viewer)) == 1
    world.now = BAR_FOR + 0.01
    assert not drawn(viewer)


def test_volume_has_steps_and_bounds_and_mute_remembers_it(viewer: Viewer) -> None:
    assert viewer.loudness == 1
    tell(viewer, "0")
    assert viewer.volume == 100
    tell(viewer, "9", "9")
    assert viewer.volume == 90
    tell(viewer, "m")
    assert viewer.loudness == 0
    tell(viewer, "m")
    assert viewer.loudness == pytest.approx(0.81)
    tell(viewer, *["9"] * 30)
    assert viewer.volume == 0
    tell(viewer, "m", "0")
    assert not viewer.muted, "louder means to be heard"


def test_a_message_stays_for_a_moment(viewer: Viewer, world: World) -> None:
    tell(viewer, "9")
    assert len(drawn(viewer)) == 1
    world.now = MESSAGE_FOR + 0.01
    assert not drawn(viewer)


def test_a_message_is_there_until_it_can_have_been_read(viewer: Viewer, world: World) -> None:
    viewer.say("a" * 100)
    world.now = 60  # the window was not open yet, or nothing was drawn
    assert len(drawn(viewer)) == 1
    world.now += 100 * READ_IN - 0.01
    assert len(drawn(viewer)) == 1
    world.now += 0.02
    assert not drawn(viewer)


def test_messages_that_nobody_has_seen_yet_stand_below_one_another(viewer: Viewer) -> None:
    for name in "abcd":
        viewer.say(f"no file {name}.mp4", too=True)
    (together,) = drawn(viewer)
    viewer.say("no file e.mp4", too=True)
    (alone,) = drawn(viewer)
    assert together.pixels.shape[0] == overlay.panel([("", "a")] * 3, size=20).shape[0]
    assert alone.pixels.shape[0] == overlay.label("a", size=20).shape[0]


def test_side_by_side_follows_the_mouse(viewer: Viewer) -> None:
    tell(viewer, Pointer(100, 5, False))
    assert viewer.divider == 0.5
    tell(viewer, "v", Pointer(320, 5, False))
    assert viewer.wish.side_by_side
    assert viewer.divider == 0.25
    assert len(drawn(viewer)) == 1, "the picture on the screen is not yet one of two"
    viewer.split = "m-x4"
    bicubic, vidlift, _bar = drawn(viewer)
    assert bicubic.x + bicubic.pixels.shape[1] < 320 < vidlift.x
    viewer.split = "bicubic-x4"
    bicubic, right, _bar = drawn(viewer)
    assert np.array_equal(right.pixels, bicubic.pixels), "what is no better is not called so"


def test_figures_are_asked_for_now_and_then_and_else_kept(viewer: Viewer, world: World) -> None:
    asked = count(1)
    viewer.status = lambda: [("asked", str(next(asked)))]
    tell(viewer, "i")
    first = drawn(viewer)
    assert drawn(viewer) == first
    world.now = INFO_EVERY + 0.01
    assert drawn(viewer) != first
    assert next(asked) == 3


def test_what_did_not_change_is_the_same_object(viewer: Viewer) -> None:
    tell(viewer, "h", "v")
    assert drawn(viewer) == drawn(viewer)
    assert all(a is b for a, b in zip(drawn(viewer), drawn(viewer), strict=True))


def test_subtitles_lie_in_the_middle_above_the_bar(viewer: Viewer) -> None:
    viewer.offer([Said("Said\nat fifty", wanted=True)])
    (said,) = drawn(viewer)
    height, width, _ = said.pixels.shape
    assert said.x + width / 2 == pytest.approx(AREA[0] / 2, abs=1)
    assert said.y + height < AREA[1]
    tell(viewer, Pointer(3, 3, False))
    above, _bar = drawn(viewer)
    assert above.y < said.y
    assert not drawn(viewer, time=51.0)[1:]


def test_subtitles_are_as_each_film_asks_until_the_viewer_chooses(viewer: Viewer) -> None:
    viewer.offer([Said("a")])
    assert not viewer.subtitled
    viewer.offer([Said("a", wanted=True)])
    assert viewer.subtitled
    tell(viewer, "t")
    viewer.offer([Said("a", wanted=True)])  # the same film again, or another
    assert not viewer.subtitled


def shown(viewer: Viewer) -> str | None:
    """The language of the subtitles on the screen."""
    asked: list[Said] = [text for text in viewer._texts if isinstance(text, Said)]
    for text in asked:
        text.asked = False
    drawn(viewer)
    return next((text.label.language for text in asked if text.asked), None)


def test_one_key_leads_through_all_subtitles_and_to_none(viewer: Viewer) -> None:
    viewer.offer([Said("a", language="eng"), Said("b", language="deu", wanted=True)])
    seen = [shown(viewer)]
    for _ in range(4):
        tell(viewer, "t")
        seen.append(shown(viewer))
    assert seen == ["deu", None, "eng", "deu", None]


def test_the_next_film_has_the_language_that_was_chosen(viewer: Viewer) -> None:
    viewer.offer([Said("a", language="eng"), Said("b", language="deu")])
    tell(viewer, "t", "t")
    assert shown(viewer) == "deu"
    viewer.offer([Said("a", language="deu"), Said("b", language="eng", wanted=True)])
    assert shown(viewer) == "deu"
    viewer.offer([])
    assert shown(viewer) is None
    tell(viewer, "t", "t")


@pytest.mark.parametrize(
    ("wanted", "language"), [("deu", "deu"), (0, "eng"), ("fra", "eng"), ("none", None)]
)
def test_subtitles_may_be_chosen_before(
    world: World, wanted: int | str, language: str | None
) -> None:
    viewer = Viewer(monotonic=world.monotonic, subtitles=wanted)
    viewer.offer([Said("a", language="eng", wanted=True), Said("b", language="deu")])
    assert shown(viewer) == language


def test_another_sound_is_asked_for_where_there_is_one(viewer: Viewer) -> None:
    assert tell(viewer, "a") is None
    assert drawn(viewer), "it says so"
    viewer.sounds = 2
    assert tell(viewer, "a") == OtherSound(1)


@pytest.mark.parametrize(("enlarged", "said"), [(True, 0), (False, 1)])
def test_two_halves_that_cannot_be_seen_are_said_to_be_none(
    viewer: Viewer, enlarged: bool, said: int
) -> None:
    viewer.enlarged = enlarged
    tell(viewer, "v")
    assert len(drawn(viewer)) == said
    assert viewer.wish.side_by_side, "for when the window is larger"
    tell(viewer, "v")
    assert len(drawn(viewer)) == said, "nothing more is said"


@pytest.mark.parametrize("area", [(320, 180), (480, 270), (640, 360)])
@pytest.mark.parametrize(("first", "then"), [("i", "h"), ("h", "i")])
def test_of_figures_and_keys_the_one_replaces_the_other_where_both_do_not_fit(
    viewer: Viewer, area: tuple[int, int], first: str, then: str
) -> None:
    viewer.status = lambda: [(f"figure {n}", "some of this and some of that") for n in range(14)]

    def lying() -> list[Sprite]:
        return viewer.sprites(time=20, span=FILM, area=area)

    tell(viewer, first)
    (alone,) = lying()
    tell(viewer, then)
    (other,) = lying()
    assert other.pixels.shape != alone.pixels.shape
    assert lying() == [other]
    tell(viewer, first)
    assert lying()[0].pixels.shape == alone.pixels.shape
    tell(viewer, first)
    assert not lying()


def test_figures_and_keys_lie_side_by_side_where_both_fit(viewer: Viewer) -> None:
    viewer.status = lambda: [("figure", "some of this and some of that")]
    tell(viewer, "i", "h")
    left, right = sorted(drawn(viewer), key=lambda sprite: sprite.x)
    assert left.x + left.pixels.shape[1] < right.x


LONG = "There is a great deal to be said about this, and most of it in one breath. " * 3


@pytest.mark.parametrize(
    "area", [(64, 64), (320, 180), (640, 360), (854, 480), (1280, 720), (3840, 2160), (400, 1200)]
)
@pytest.mark.parametrize(
    "text", [LONG, "字" * 120, "One line.\nAnother.", "a" * 200], ids=["words", "chinese", "2", "a"]
)
@pytest.mark.parametrize("panel", ["i", "h"])
def test_everything_fits_any_window(
    viewer: Viewer, area: tuple[int, int], text: str, panel: str
) -> None:
    viewer.offer([Said(text, wanted=True)])
    viewer.status = lambda: [(f"figure {n}", "some of this and some of that") for n in range(14)]
    tell(viewer, panel, Pointer(30, 30, False))
    viewer.split = "m-x4"
    viewer.say(text)
    sprites = viewer.sprites(time=50, span=FILM, area=area)
    assert len(sprites) == 6
    _, label, _, below, *_ = sprites
    assert label.y + label.pixels.shape[0] <= below.y, "which half is which is to be read"
    for sprite in sprites:
        height, width, depth = sprite.pixels.shape
        assert depth == 4
        assert sprite.x >= 0
        assert sprite.y >= 0
        if area[0] >= 400:
            assert sprite.x + width <= area[0]
            assert sprite.y + height <= area[1]


def test_a_subtitle_too_long_for_a_line_is_broken(viewer: Viewer) -> None:
    viewer.offer([Said("short", wanted=True)])
    (short,) = drawn(viewer)
    viewer.offer([Said(LONG[:100], wanted=True)])
    (broken,) = drawn(viewer)
    assert 1.8 <= broken.pixels.shape[0] / short.pixels.shape[0] <= 3
    assert broken.y + broken.pixels.shape[0] < AREA[1]
    viewer.offer([Said(LONG * 2, wanted=True)])
    (smaller,) = drawn(viewer)
    assert smaller.pixels.shape[0] < AREA[1] / 2


def test_a_window_too_small_for_words_has_none(viewer: Viewer) -> None:
    tell(viewer, "h")
    assert viewer.sprites(time=20, span=FILM, area=(40, 30)) == []
