"""Films played to their end by the real player, with SDL's dummy drivers and small networks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from support.clips import make_clip
from support.hands import Hands
from support.servers import Asked, scripted
from vidlift.cli.main import app
from vidlift.client.download import BLOCK
from vidlift.errors import InputError, UsageError
from vidlift.player import precision, session
from vidlift.player.choose import Chooser, plan
from vidlift.player.film import Film
from vidlift.player.governor import Governor
from vidlift.player.ladder import AS_IT_IS
from vidlift.player.options import PlayOptions
from vidlift.player.play import play
from vidlift.player.schedule import Picture
from vidlift.sinks.events import Closed, Event, Key
from vidlift.sinks.window import Window
from vidlift.stages.pair import Pair

FRAMES = 24


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("play") / "film.mp4", frames=FRAMES)


def test_every_frame_is_shown_or_accounted_for(clip: Path, network: Path) -> None:
    receipt = play(str(clip), PlayOptions(model=str(network)))
    assert receipt.frames_in == FRAMES
    assert receipt.frames_out + sum(receipt.dropped.values()) == FRAMES
    assert receipt.frames_out <= sum(receipt.extra["made_by"].values()) <= FRAMES
    assert receipt.size_out == (128, 96)
    assert receipt.extra["clock"] == "audio"
    assert receipt.extra["changes"][0]["reason"] == "begin"
    json.loads(receipt.to_json())


def test_the_first_super_resolved_picture_may_be_an_early_one(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = PlayOptions(model="bicubic-x2")
    assert play(str(clip), options).extra["first_super_resolved_s"] is None

    def trial(_chooser: Chooser, pair: Pair, _governor: Governor) -> Iterator[Picture]:
        yield Picture(frame=pair.first, by="s-x2", early=True)

    monkeypatch.setattr(Chooser, "trial", trial)
    seen = play(str(clip), options).extra
    assert seen["first_super_resolved_s"] == seen["first_picture_s"] > 0


def test_a_film_without_sound_runs_on_the_wall_clock(tmp_path: Path, network: Path) -> None:
    silent = make_clip(tmp_path / "silent.mkv", frames=12, sounds=0)
    receipt = play(str(silent), PlayOptions(model=str(network)))
    assert receipt.extra["clock"] == "wall"
    assert receipt.frames_out + sum(receipt.dropped.values()) == 12


def test_several_films_in_a_row_of_other_sizes(clip: Path, tmp_path: Path) -> None:
    other = make_clip(tmp_path / "other.mkv", frames=12, width=48, height=80)
    receipt = play([str(clip), str(other)], PlayOptions(scale=2, duration=0.4))
    assert receipt.frames_out + sum(receipt.dropped.values()) == 20
    assert receipt.input == f"{clip}, {other}"


def test_the_receipt_of_several_films_says_what_made_most_of_them(
    clip: Path, tmp_path: Path
) -> None:
    large = make_clip(tmp_path / "large.mkv", frames=3, width=1600, height=900)
    receipt = play([str(clip), str(large)], PlayOptions())
    assert receipt.model in receipt.extra["made_by"]
    assert receipt.engine == receipt.extra["engines"][receipt.model]
    assert (receipt.size_in, receipt.scale, receipt.size_out) == ((64, 48), 4, (256, 192))


def test_pictures_shown_as_they_are_are_of_scale_1(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Governor, "_fits", lambda _governor, _rung: False)
    receipt = play(str(clip), PlayOptions(scale=2))
    assert set(receipt.extra["made_by"]) == {AS_IT_IS}
    assert (receipt.model, receipt.scale) == (None, 1)
    assert receipt.size_out == receipt.size_in == (64, 48)


def test_over_and_over(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands(monkeypatch, (FRAMES + 6, Key("q")))
    play(str(clip), PlayOptions(scale=2, loop=True))
    assert len(hands.shown) >= FRAMES + 6
    assert hands.shown.count(hands.shown[0]) >= 2


def test_a_film_begins_at_the_scale_of_the_window_that_is_open(
    clip: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The screen has room for more, and the viewer made the window smaller."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    rooms: list[tuple[int, int]] = []
    governor = Chooser.governor

    def governing(chooser: Chooser, now: Callable[[], float], room: tuple[int, int]) -> Governor:
        rooms.append(room)
        return governor(chooser, now, room)

    monkeypatch.setattr(Chooser, "governor", governing)
    options = PlayOptions(model=str(network), display="window", duration=0.2)
    play([str(clip)] * 2, options)
    screen, window = rooms
    assert window == (128, 96) < screen


@pytest.mark.parametrize("measured", [False, True])
def test_nobody_measures_where_the_window_is_minded(
    measured: bool, clip: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a rung of a network's film is chosen by may not be known: the window has changed."""
    weighed: list[Film] = []
    monkeypatch.setattr(session, "POWER_EVERY", 0.0)
    monkeypatch.setattr(Chooser, "measured", measured)
    monkeypatch.setattr(Film, "has_rungs", True)
    monkeypatch.setattr(Film, "weigh", lambda film, _runs: weighed.append(film))
    play(str(clip), PlayOptions(model=str(network), duration=0.2))
    assert bool(weighed) is measured


def test_a_film_without_rungs_waits_for_nothing_that_they_are_chosen_by(
    clip: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "POWER_EVERY", 0.0)
    monkeypatch.setattr(Chooser, "measured", property(lambda _: pytest.fail("it was asked")))
    play(str(clip), PlayOptions(model=str(network), duration=0.2))


def test_the_machine_is_measured_once(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("BUDGET", "HOPELESS"):  # however busy it is
        monkeypatch.setattr(f"vidlift.player.calibration.{limit}", 1e6)
    first = plan(str(clip), PlayOptions(scale=2))
    monkeypatch.setattr("vidlift.player.calibration.measure", lambda *_, **__: pytest.fail("again"))
    again = plan(str(clip), PlayOptions(scale=2))
    assert [row[:2] for row in again.rows] == [row[:2] for row in first.rows]
    assert first.rows[0][0] == "bicubic-x2"
    assert all(engine for _, engine, _, _ in first.rows), "each tier has its engine"


@pytest.mark.parametrize(
    "options",
    [{"scale": 5}, {"display": "moon"}, {"duration": 0}, {"engine": "moon"}, {"threads": 0}],
    ids=str,
)
def test_wrong_use_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        PlayOptions(**options)  # type: ignore[arg-type]


def test_a_model_of_another_scale_is_refused(clip: Path, network: Path) -> None:
    with pytest.raises(UsageError, match="scale 2, not 4"):
        play(str(clip), PlayOptions(model=str(network), scale=4))


def test_a_file_that_is_none_leaves_nothing_behind(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no film")
    with pytest.raises(InputError, match=r"text\.mp4"):
        play(str(text), PlayOptions())


def test_an_error_in_the_midst_ends_threads_too(
    clip: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object, **_more: object) -> Iterator[Picture]:
        raise InputError("the film broke")
        yield

    monkeypatch.setattr(session, "enlarge", broken)
    with pytest.raises(InputError, match="broke"):
        play(str(clip), PlayOptions(model=str(network)))


def test_dry_run_doctor_and_bench_speak(clip: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    dry = run(app, ["play", str(clip), "-s", "2", "--dry-run"])
    assert dry.exit_code == 0, dry.output
    assert "64x48" in dry.output
    assert "bicubic-x2" in dry.output
    assert any(verdict in dry.output for verdict in ("to spare", "too slow"))
    report = tmp_path / "doctor.json"
    tried = run(app, ["doctor", "--report", str(report)])
    assert tried.exit_code == 0, tried.output
    engines = {each["engine"]: each for each in json.loads(report.read_text())["engines"]}
    assert sum(each["chosen"] for each in engines.values()) == 1
    assert engines["onnxruntime"]["works"]
    figures = tmp_path / "bench.json"
    line = ["bench", "-s", "2", "--size", "32x24", "--rounds", "1", "--seconds", "0.2"]
    timed = run(app, [*line, "--report", str(figures)])
    assert timed.exit_code == 0, timed.output
    found = json.loads(figures.read_text())
    assert found["networks"][0]["network"] == "bicubic-x2"
    assert found["networks"][0]["network_ms"] > 0
    (played,) = found["play"]
    assert played["size"] == [32, 24]
    assert sum(played["made_by"].values()) + sum(played["dropped"].values()) == 5
    assert played["start_s"] is None or played["start_s"] > 0


def test_bench_times_what_the_player_would_choose_beside_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "MIXED", "null")
    monkeypatch.setattr(precision, "allowed", lambda model: model.descriptor.name == "s-x2")
    monkeypatch.setattr(precision, "worth", lambda *_args, **_more: (precision.MIXED,))
    report = tmp_path / "bench.json"
    line = ["bench", "-s", "2", "--size", "32x24", "--rounds", "1", "--seconds", "0"]
    assert CliRunner().invoke(app, [*line, "--report", str(report)]).exit_code == 0
    timed = json.loads(report.read_text())["networks"]
    engines = [(each["network"], each["engine"].startswith("null")) for each in timed]
    assert engines[:7] == [
        ("bicubic-x2", False),
        ("xs-x2", False),
        ("s-x2", False),
        ("s-x2", True),
        ("s-x2-int8", False),
        ("m-x2", False),
        ("m-x2-int8", False),
    ]


@pytest.mark.parametrize("size", ["32", "32x", "axb", "0x5"])
def test_a_size_that_is_none_is_refused(size: str) -> None:
    refused = CliRunner().invoke(app, ["bench", "--size", size])
    assert refused.exit_code == 2
    assert "480x270" in refused.output


@pytest.mark.parametrize("end", [Key("q"), Closed()])
def test_a_server_that_falls_silent_holds_nobody_up(
    end: Event, tmp_path: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(
        tmp_path / "film.ts", frames=96, width=320, height=240, options={"qp": "0"}, sounds=0
    )
    content, waited = clip.read_bytes(), threading.Event()
    assert len(content) > 8 * BLOCK

    def script(asked: Asked) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + content[: len(content) // 3]
        if not asked.gone.wait(30):
            waited.set()

    hands, looks = Hands(monkeypatch), [0, 0]
    events = Window.events

    def happening(window: Window, wait: float) -> Iterator[Event]:
        yield from events(window, wait)
        looks[:] = (
            (looks[0] + 1, looks[1]) if len(hands.shown) == looks[1] else (0, len(hands.shown))
        )
        if looks[0] == 100 and looks[1]:  # for a second nothing has come
            yield end

    monkeypatch.setattr(Window, "events", happening)
    with scripted(script) as (url, _):
        play(f"{url}/film.ts", PlayOptions(model=str(network), cached=False))
    assert len(hands.shown) > 1
    assert not waited.is_set()
