"""Several films in a row, some of which cannot be played, and the keys that lead between them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from support.clips import make_clip
from support.hands import Hands
from support.networks import plain_network
from support.servers import part_of, scripted
from vidlift.cli.main import app
from vidlift.errors import InputError, NetworkError, UsageError
from vidlift.frame import Frame
from vidlift.player.film import Film
from vidlift.player.options import PlayOptions
from vidlift.player.play import play
from vidlift.player.viewer import Viewer
from vidlift.sinks.events import Dropped, Event, Key
from vidlift.sinks.window import Window

STARTS = {"a": 1, "b": 11, "c": 21}
"""Where the time of each film begins, in seconds: by it they are known."""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Films that are there, one that is missing and one that is damaged, by name."""
    folder = tmp_path_factory.mktemp("films")
    found = {"missing": str(folder / "missing.mkv"), "damaged": str(folder / "damaged.mkv")}
    for name, start in STARTS.items():
        clip = make_clip(folder / f"{name}.mkv", frames=12, start=Fraction(start), sounds=0)
        found[name] = str(clip)
    Path(found["damaged"]).write_bytes(Path(found["a"]).read_bytes()[:300])
    return found


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> PlayOptions:
    where = tmp_path_factory.mktemp("net") / "s-x2.onnx"
    where.write_bytes(plain_network(scale=2, channels=2, layers=1).data)
    return PlayOptions(model=str(where))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the window says."""
    heard: list[str] = []
    say = Viewer.say

    def saying(viewer: Viewer, message: str, *, too: bool = False) -> None:
        heard.append(message)
        say(viewer, message, too=too)

    monkeypatch.setattr(Viewer, "say", saying)
    return heard


def seen(hands: Hands) -> str:
    """The films in the order in which they were shown."""
    names = [
        next(name for name, start in STARTS.items() if start <= at < start + 10)
        for at in hands.shown
    ]
    return "".join(name for at, name in enumerate(names) if at == 0 or names[at - 1] != name)


def times(hands: Hands) -> list[Fraction]:
    """Of the pictures shown, one that is shown again at once, made better, counted once."""
    return [at for at, _ in groupby(hands.shown)]


@pytest.mark.parametrize("broken", ["missing", "damaged"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_film_that_cannot_be_opened_does_not_end_the_rest(
    place: int,
    broken: str,
    films: dict[str, str],
    options: PlayOptions,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hands = Hands(monkeypatch)
    wanted = [films["a"], films["c"]]
    wanted.insert(place, films[broken])
    receipt = play(wanted, options)
    assert seen(hands) == "ac"
    (warning,) = receipt.warnings
    assert warning.startswith("not played: ")
    assert broken in warning
    assert len(said) == 1
    assert broken in said[0]


def test_a_film_that_breaks_off_is_followed_by_the_next(
    films: dict[str, str], options: PlayOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = Film.frames

    def breaking(film: Film, *, stop: float | None) -> Iterator[Frame]:
        for count, frame in enumerate(frames(film, stop=stop)):
            if film.where == films["b"] and count == 6:
                raise NetworkError("the server is gone")
            yield frame

    monkeypatch.setattr(Film, "frames", breaking)
    hands = Hands(monkeypatch)
    receipt = play([films[name] for name in "abc"], options)
    assert seen(hands) in ("abc", "ac"), "what was made before may be shown"
    assert receipt.warnings == ("not played to its end: the server is gone",)
    with pytest.raises(NetworkError, match="gone"):
        play(films["b"], options)


def test_where_no_film_can_be_played_the_first_error_is_raised(
    films: dict[str, str], options: PlayOptions
) -> None:
    with pytest.raises(InputError, match="missing"):
        play([films["missing"], films["damaged"]], options)
    with pytest.raises(InputError, match="missing"):
        play([films["missing"]] * 2, PlayOptions(model=options.model, loop=True))


@pytest.mark.parametrize("name", ["ftp://here/a.mkv", "http://a b/c.mkv"])
def test_a_name_that_is_none_is_refused_before_anything_is_played(
    name: str, films: dict[str, str], options: PlayOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands(monkeypatch)
    with pytest.raises(UsageError):
        play([films["a"], name], options)
    assert not hands.shown


def test_a_name_that_is_none_among_those_dropped_is_passed_over(
    films: dict[str, str], options: PlayOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = [films["b"], "ftp://here/a.mkv", films["c"]]
    hands = Hands(monkeypatch, *((3, Dropped(name)) for name in dropped), at_once=True)
    receipt = play(films["a"], options)
    assert seen(hands) == "abc"
    (warning,) = receipt.warnings
    assert warning.startswith("not played: ftp://here/a.mkv")


def test_over_and_over_what_fails_is_said_once(
    films: dict[str, str], options: PlayOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands(monkeypatch, (30, Key("q")))
    receipt = play([films["a"], films["missing"]], PlayOptions(model=options.model, loop=True))
    assert len(hands.shown) >= 30
    assert len(receipt.warnings) == 1


def test_the_command_plays_the_others_reports_and_ends_with_the_code_of_the_first_failure(
    films: dict[str, str], options: PlayOptions, tmp_path: Path
) -> None:
    report = tmp_path / "receipt.json"
    line = ["play", films["a"], films["missing"], films["c"], "--display", "none"]
    ended = CliRunner().invoke(app, [*line, "-m", str(options.model), "--report", str(report)])
    assert ended.exit_code == 3, ended.output
    receipt = json.loads(report.read_text())
    assert receipt["frames_out"] + sum(receipt["dropped"].values()) == 24
    assert "missing.mkv" in receipt["warnings"][0]
    assert ended.output.splitlines()[-1].startswith("vidlift: ")


@pytest.mark.parametrize(
    ("keys", "loop", "wanted"),
    [
        (["n"], False, "abc"),
        (["n", "n"], False, "ac"),
        (["n", "p"], False, "abc"),
        (["n", "n", "n", "n"], False, "ac"),
        (["p"], False, "abc"),
        (["p"], True, "acabc"),
        (["n", "n", "n", "n"], True, "abcabc"),
    ],
    ids=str,
)
def test_n_and_p_lead_from_film_to_film_and_count_each(
    keys: list[str],
    loop: bool,
    wanted: str,
    films: dict[str, str],
    options: PlayOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hands = Hands(monkeypatch, *((3, Key(key)) for key in keys), at_once=True)
    if loop:  # till each was shown once more
        hands.script.append((12 * len(wanted) - 12, Key("q")))
    play([films[name] for name in "abc"], PlayOptions(model=options.model, loop=loop))
    assert seen(hands).startswith(wanted) if loop else seen(hands) == wanted


@pytest.mark.parametrize(("key", "line"), [("n", "the last film"), ("p", "the first film")])
def test_beyond_the_ends_of_the_list_it_says_so_and_plays_on(
    key: str,
    line: str,
    films: dict[str, str],
    options: PlayOptions,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hands = Hands(monkeypatch, (6, Key(key)))
    play(films["a"], options)
    assert said == [line]
    assert hands.shown == sorted(hands.shown), "not from the beginning again"


def test_going_back_over_a_film_that_fails_leads_to_the_one_before_it(
    films: dict[str, str], options: PlayOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands(monkeypatch, (15, Key("p")), (20, Key("q")))
    play([films["a"], films["missing"], films["c"]], options)
    assert seen(hands) == "aca"


class Slow:
    """Opens one film only once the viewer has done something, or gave up waiting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, where: str, *deeds: Event) -> None:
        self.opening, self.done, self.closed = (threading.Event() for _ in range(3))
        self.viewers: list[Viewer] = []
        made, closing, events = Film.__init__, Film.close, Window.events
        left = list(deeds)

        def slowly(film: Film, name: str, **more: Any) -> None:
            if name == where and not self.done.is_set():
                self.opening.set()
                assert self.done.wait(20)
            made(film, name, **more)

        def closed(film: Film) -> None:
            closing(film)
            if film.where == where:
                self.closed.set()

        def happening(window: Window, wait: float) -> Iterator[Event]:
            yield from events(window, wait)
            if self.opening.is_set():
                if left:
                    yield left.pop(0)
                else:
                    self.done.set()

        monkeypatch.setattr(Film, "__init__", slowly)
        monkeypatch.setattr(Film, "close", closed)
        monkeypatch.setattr(Window, "events", happening)


@pytest.mark.parametrize("name", ["c", "missing"])
@pytest.mark.parametrize("keys", ["m space i f 9 h l t c v", "q"])
def test_the_window_is_minded_while_a_film_is_opened(
    keys: str,
    name: str,
    films: dict[str, str],
    options: PlayOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may come over a network that is slow."""
    quits, again = keys == "q", 1 if keys == "q" else 2
    hands = Hands(monkeypatch)
    slow = Slow(monkeypatch, films[name], *(Key(key) for key in keys.split() for _ in range(again)))
    receipt = play([films["a"], films[name], films["b"]], options)
    slow.done.set()
    assert seen(hands) == "a" + ("" if quits else "cb" if name == "c" else "b")
    assert bool(receipt.warnings) == (not quits and name == "missing")


@pytest.mark.parametrize(
    ("by_key", "deeds", "wanted"),
    [
        (True, [Key("n")], "ac"),
        (True, [Key("p")], "abc"),
        (True, [Key("p"), Key("n")], "abc"),
        (True, [Dropped("a")], "aabc"),
        (False, [Key("n")], "ac"),
        (False, [Key("p")], "aabc"),
        (False, [Dropped("a")], "aac"),
    ],
    ids=str,
)
def test_who_waits_for_a_film_gets_another_at_once(
    by_key: bool,
    deeds: list[Event],
    wanted: str,
    films: dict[str, str],
    options: PlayOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``b`` is slow, whether the viewer asked for it or it came by itself."""
    deeds = [Dropped(films[deed.where]) if isinstance(deed, Dropped) else deed for deed in deeds]
    hands = Hands(monkeypatch, *([(4, Key("n"))] if by_key else []))
    slow = Slow(monkeypatch, films["b"], *deeds)
    play([films["a"], films["b"], films["c"]], options)
    assert seen(hands) == wanted.replace("aa", "a")
    assert times(hands).count(hands.shown[0]) == wanted.count("a")
    assert slow.closed.wait(20), "what was opened in vain is closed"


def test_what_is_opened_in_vain_is_closed_also_where_the_wait_is_interrupted(
    films: dict[str, str], options: PlayOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, events = Slow(monkeypatch, films["b"]), Window.events

    def interrupted(window: Window, wait: float) -> Iterator[Event]:
        if slow.opening.is_set():
            raise KeyboardInterrupt
        yield from events(window, wait)

    monkeypatch.setattr(Window, "events", interrupted)
    with pytest.raises(KeyboardInterrupt):
        play([films["a"], films["b"]], options)
    slow.done.set()
    assert slow.closed.wait(20)


def test_the_pause_set_meanwhile_is_that_of_the_next_film(
    films: dict[str, str], options: PlayOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands(monkeypatch)
    Slow(monkeypatch, films["b"], Key("space"))
    events, rests = Window.events, [0]

    def happening(window: Window, wait: float) -> Iterator[Event]:
        yield from events(window, wait)
        rests[0] += hands.shown[-1:] == [Fraction(11)]
        if rests[0] == 60:
            yield Key("q")

    monkeypatch.setattr(Window, "events", happening)
    play([films["a"], films["b"]], options)
    assert [at for at in hands.shown if at > 10] == [11]


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("deed", [Key("n"), Key("p"), Dropped("damaged")], ids=str)
def test_a_film_goes_on_where_no_other_can_be_played(
    deed: Event,
    loop: bool,
    films: dict[str, str],
    options: PlayOptions,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if isinstance(deed, Dropped):
        deed = Dropped(films[deed.where])
    around = [films["missing"], films["a"], films["damaged"]]
    hands = Hands(monkeypatch, (5, deed), *([(20, Key("q"))] if loop else []))
    receipt = play(around, PlayOptions(model=options.model, loop=loop))
    found = times(hands)
    again = found.index(min(found), 1) if loop else len(found)
    assert found[:again] == sorted(found[:again])
    assert found[again - 1] > 1.45 or (loop and isinstance(deed, Key)), "round to it"
    assert any("missing" in warning for warning in receipt.warnings)
    why = "no film before it can be played" if deed == Key("p") else "no further film can be played"
    assert (why in said) == (isinstance(deed, Key) and not loop)


def test_the_code_is_that_of_the_film_that_could_not_be_gone_to(
    films: dict[str, str], options: PlayOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    Hands(monkeypatch, (5, Key("n")))
    line = ["play", films["a"], films["missing"], "--display", "none", "-m", str(options.model)]
    ended = CliRunner().invoke(app, line)
    assert ended.exit_code == 3, ended.output
    assert "warning: not played: no file" in ended.output


def test_a_film_without_a_way_back_goes_on_too(
    films: dict[str, str], options: PlayOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A raw stream cannot be sought in."""
    clip = make_clip(tmp_path / "raw.h264", frames=24, sounds=0)
    hands = Hands(monkeypatch, (6, Key("n")), (12, Dropped(films["damaged"])))
    play([str(clip), films["missing"]], options)
    assert times(hands) == sorted(set(hands.shown))
    assert hands.shown[-1] == Fraction(23, 25)


def test_leaving_a_film_that_is_saved_says_what_is_kept(
    films: dict[str, str],
    options: PlayOptions,
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Hands(monkeypatch, (4, Dropped(films["c"])))
    target = tmp_path / "kept.mkv"
    content = Path(films["a"]).read_bytes()
    with scripted(lambda asked: [part_of(content, asked)]) as (url, _):
        receipt = play(f"{url}/a.mkv", PlayOptions(model=options.model, save=target, cached=False))
    assert target.exists()
    assert receipt.warnings == ("kept.mkv has what was received until the film was left",)
    assert receipt.warnings[0] in said


def test_a_film_that_is_saved_goes_on_where_it_cannot_be_sought_in(
    options: PlayOptions, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server tells no length, and what is saved cannot begin anew, nor with another sound."""
    content = make_clip(tmp_path / "film.ts", frames=24, sounds=2).read_bytes()
    answered = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + content
    hands = Hands(monkeypatch, *[(6, Key(key)) for key in ("right", "home", "a")])
    target = tmp_path / "kept.ts"
    with scripted(lambda _: [answered]) as (url, _):
        receipt = play(f"{url}/a.ts", PlayOptions(model=options.model, save=target, cached=False))
    assert times(hands) == sorted(set(hands.shown))
    assert len(times(hands)) + sum(receipt.dropped.values()) == 24
    assert not receipt.warnings
    assert target.exists()
    assert len([each for each in said if "saved" in each]) == 3
