"""What keys and the mouse do to a film that is played, with SDL's dummy drivers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from support.clips import make_clip
from support.hands import Hands
from vidlift.frame import Frame
from vidlift.player import snapshot
from vidlift.player.film import Film
from vidlift.player.options import PlayOptions
from vidlift.player.play import play
from vidlift.player.schedule import Picture
from vidlift.player.session import Session
from vidlift.player.viewer import Viewer
from vidlift.sinks.events import Closed, Dropped, Event, Key
from vidlift.sinks.window import Window
from vidlift.sources.split import Split

FRAMES = 24


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("play") / "film.mp4", frames=FRAMES)


def test_keys_seek_pause_and_quit(
    clip: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands(
        monkeypatch,
        (3, Key("v")),
        (6, Key("home")),
        (9, Key("space")),
        (9, Key("end")),
        (10, Key("space")),
        (11, Key("q")),
    )
    play(str(clip), PlayOptions(model=str(network)))
    assert not hands.script
    assert hands.shown[6] == hands.shown[0], "at the beginning again, at once"
    assert hands.shown[-1] > Fraction(4, 5)


@pytest.mark.parametrize("at", [9, FRAMES], ids=["in the midst", "at the end"])
def test_in_a_pause_it_is_the_same_picture_however_it_is_made(
    at: int, clip: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sound comes in chunks that begin before it."""
    shown: list[Fraction] = []
    show, events, keys = Window.show, Window.events, iter("ccvcc")
    rests = 0

    def showing(window: Window, frame: Frame, **more: Any) -> None:
        nonlocal rests
        rests = 0
        shown.append(frame.pts)
        show(window, frame, **more)

    def pressing(window: Window, wait: float) -> Iterator[Event]:
        nonlocal rests
        yield from events(window, wait)
        rests += 1
        if shown and shown[-1] == Fraction(at - 1, 24) and at not in paused:
            paused.append(at)
            yield Key("space")
        elif paused and rests > 20:
            paused.append(shown[-1])
            rests = 0
            yield Key(next(keys, "q"))

    paused: list[Any] = []
    monkeypatch.setattr(Window, "show", showing)
    monkeypatch.setattr(Window, "events", pressing)
    play(str(clip), PlayOptions(model=str(network)))
    assert set(paused[1:]) == {Fraction(at - 1, 24)}


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which track of sound was played after each seek."""
    tracks: list[int] = []
    seek = Split.seek

    def seeking(split: Split, to: Fraction) -> None:
        tracks.append(split.sound_at)
        seek(split, to)

    monkeypatch.setattr(Split, "seek", seeking)
    return tracks


def test_a_plays_the_next_sound_from_here_on(
    tmp_path: Path, network: Path, heard: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "two.mp4", frames=FRAMES, sounds=2)
    hands = Hands(monkeypatch, (6, Key("a")), (10, Key("a")), (14, Key("a")), (18, Key("q")))
    receipt = play(str(clip), PlayOptions(model=str(network), sound=7))
    assert heard == [1, 0, 1]
    assert all(shown >= hands.shown[0] for shown in hands.shown)
    assert receipt.warnings[-1].endswith("two.mp4 has no sound 8; it has 1, 2")


def test_a_pressed_twice_at_once_plays_the_sound_after_the_next(
    tmp_path: Path, network: Path, heard: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "three.mp4", frames=FRAMES, sounds=3)
    Hands(monkeypatch, (6, Key("a")), (6, Key("a")), (10, Key("q")), at_once=True)
    play(str(clip), PlayOptions(model=str(network)))
    assert heard == [2]


def test_a_film_that_cannot_be_sought_in_begins_again(
    tmp_path: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "raw.h264", frames=FRAMES, sounds=0)
    hands = Hands(monkeypatch, (6, Key("right")), (12, Key("q")))
    play(str(clip), PlayOptions(model=str(network)))
    assert not hands.script
    assert hands.shown[6] == hands.shown[0]


@pytest.mark.parametrize("key", ["c", "v"])
def test_in_a_pause_of_a_film_that_cannot_be_sought_in_the_picture_stays(
    key: str, tmp_path: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "raw.h264", frames=FRAMES, sounds=0)
    beside: list[tuple[Fraction, bool]] = []
    show = Window.show

    def showing(window: Window, frame: Frame, **more: Any) -> None:
        beside.append((frame.pts, more["beside"] is not None))
        show(window, frame, **more)

    monkeypatch.setattr(Window, "show", showing)
    script = ((6, Key("space")), (6, Key(key)), (6, Key("space")))
    hands = Hands(monkeypatch, *script)
    receipt = play(str(clip), PlayOptions(model=str(network)))
    assert not hands.script
    assert hands.shown == sorted(hands.shown)
    assert hands.shown[-1] == Fraction(FRAMES - 1, 25)
    assert beside[-1][1] == (key == "v")
    assert any(by.startswith("bicubic") for by in receipt.extra["made_by"]) or key == "v"


@pytest.mark.parametrize("times", [1, 2])
def test_beside_a_picture_as_large_as_the_window_there_is_nothing(
    times: int, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(Viewer, "say", lambda _, message, **_more: said.append(message))
    monkeypatch.setattr(Session, "_area", (64 * times, 48 * times))
    Hands(monkeypatch, (6, Key("v")), (10, Key("q")))
    play(str(clip), PlayOptions())
    assert said == ["nothing to compare: the film is not enlarged"] * (times == 1)


def test_pictures_saved_twice_are_two(
    clip: Path, network: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Hands(monkeypatch, (4, Key("space")), (4, Key("s")), (4, Key("s")), (4, Closed()))
    play(str(clip), PlayOptions(model=str(network)))
    assert len(list(tmp_path.glob("film-*.png"))) == 2


def test_the_film_goes_on_while_a_picture_is_saved(
    clip: Path, network: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    goes_on, saving = threading.Event(), snapshot.save

    def save(picture: Picture | None, film: Film) -> str:
        assert goes_on.wait(10)
        return saving(picture, film)

    monkeypatch.setattr(snapshot, "save", save)
    hands, events = Hands(monkeypatch, (4, Key("s"))), Window.events

    def happening(window: Window, wait: float) -> Iterator[Event]:
        yield from events(window, wait)
        if len(hands.shown) > 12:
            goes_on.set()

    monkeypatch.setattr(Window, "events", happening)
    play(str(clip), PlayOptions(model=str(network)))
    assert len(list(tmp_path.glob("film-0.00-*.png"))) == 1


def test_s_saves_the_picture(
    clip: Path, network: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Hands(monkeypatch, (4, Key("s")), (6, Closed()))
    play(str(clip), PlayOptions(model=str(network)))
    (saved,) = tmp_path.glob("film-*.png")
    # By the network, but on a machine that is busy with other things.
    assert saved.name in ("film-0.00-s-x2.png", "film-0.00-bicubic-x2.png")
    with Image.open(saved) as picture:
        assert picture.size == (128, 96)
        assert np.asarray(picture).std() > 20


def test_what_is_dropped_on_the_window_is_played_or_said_to_be_none(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no film")
    other = make_clip(tmp_path / "other.mkv", frames=12, start=Fraction(7))
    hands = Hands(monkeypatch, (4, Dropped(str(text))), (8, Dropped(str(other))))
    receipt = play(str(clip), PlayOptions(scale=2))
    assert hands.shown[-1] >= 7
    assert receipt.input.endswith("other.mkv")
