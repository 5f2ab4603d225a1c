"""Several films in a row, some of which cannot be played, and the keys that lead between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner

from support.clips import make_clip
from support.hands import Hands
from support.reel import seen, times
from support.servers import part_of, scripted
from vidlift.cli.main import app
from vidlift.errors import InputError, NetworkError, UsageError
from vidlift.frame import Frame
from vidlift.player.film import Film
from vidlift.player.options import PlayOptions
from vidlift.player.play import play
from vidlift.sinks.events import Dropped, Event, Key


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
