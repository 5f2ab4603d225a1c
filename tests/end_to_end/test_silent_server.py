"""A server that falls silent holds nobody up: who wants to leave does, whatever is waited for."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from threading import Event as Happened
from typing import Any

import pytest

from support.clips import make_clip
from support.films import files_of, publish_film
from support.hands import Hands
from support.servers import Asked, answer, part_of, scripted
from vidlift.client.download import BLOCK
from vidlift.client.fetch import FORWARD_BLOCKS
from vidlift.frame import Frame
from vidlift.player.film import Film
from vidlift.player.options import PlayOptions
from vidlift.player.play import play
from vidlift.sinks.events import Closed, Event, Key
from vidlift.sinks.window import Window

SILENCE = 40
"""Seconds for which the server says nothing, unless the test is over before."""

PATIENCE = 15
"""Seconds after which a program that should have ended waits for the server."""

GIVEN = 160 * BLOCK
"""Bytes of a film that begins to play and then stands."""

STANDS = 100
"""Rests of the loop without a picture after which it does."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("silent")
    options = {"qp": "0", "g": "12", "preset": "ultrafast"}
    shape: Any = {"frames": 96, "width": 640, "height": 480}
    film = make_clip(folder / "lossless.mp4", **shape, options=options)
    assert film.stat().st_size / BLOCK > 4 * FORWARD_BLOCKS, "the end is not at hand"
    in_order = {"movflags": "faststart"}  # one request is enough
    other = make_clip(folder / "o.mp4", **shape, sounds=0, options=options, muxing=in_order)
    assert other.stat().st_size > 2 * GIVEN, "it stands before its end"
    films = {"/film.mp4": film.read_bytes(), "/other.mp4": other.read_bytes()}
    return files_of(publish_film(folder)) | films


class Silent:
    """A server of files that falls silent where it is asked for one that ends so."""

    def __init__(self, files: dict[str, bytes], *ends: str, given: int = 0) -> None:
        """``given``: bytes of its answer that come before."""
        self._files, self.ends, self._given = files, ends, given
        self.reached, self.waited = Happened(), Happened()

    def __call__(self, asked: Asked) -> Iterator[bytes]:
        content = self._files.get(asked.path)
        whole = answer("404 Not Found") if content is None else part_of(content, asked)
        if self.ends and asked.path.endswith(self.ends):
            yield whole[: self._given]
            self.reached.set()
            if not asked.gone.wait(SILENCE):
                self.waited.set()
            return
        yield whole


PLAY = ("play", "--display", "none", "-s", "2", "--no-cache")


@pytest.mark.parametrize(
    ("command", "path", "end", "given", "times"),
    [
        (PLAY, "/film.mp4", "film.mp4", 0, 1),
        (PLAY, "/film.mp4", "film.mp4", 200, 1),
        (PLAY, "/film.mp4", "film.mp4", 2 * BLOCK, 2),
        (PLAY, "/master.m3u8", "master.m3u8", 0, 1),
        (PLAY, "/master.m3u8", "p/index.m3u8", 0, 1),
        (PLAY, "/master.m3u8", "p/00000.m4s", 0, 2),
        (PLAY, "/master.m3u8", "p/00001.m4s", 200, 1),
        (PLAY, "/master.m3u8", "sound-0/index.m3u8", 0, 1),
        (("probe",), "/film.mp4", "film.mp4", 2 * BLOCK, 1),
        (("probe",), "/master.m3u8", "p/00001.m4s", 0, 1),
    ],
)
def test_ctrl_c_ends_it(
    command: tuple[str, ...],
    path: str,
    end: str,
    given: int,
    times: int,
    files: dict[str, bytes],
) -> None:
    server = Silent(files, end, given=given)
    line = [sys.executable, "-m", "vidlift", *command]
    with (
        scripted(server) as (url, _),
        subprocess.Popen(
            [*line, url + path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as program,
    ):
        try:
            assert server.reached.wait(60)
            for _ in range(times):
                program.send_signal(signal.SIGINT)
            _, said = program.communicate(timeout=PATIENCE)
        finally:
            program.kill()
    assert said == "vidlift: interrupted\n"
    assert program.returncode == 130


@pytest.mark.parametrize("path", ["/film.mp4", "/master.m3u8"])
@pytest.mark.parametrize("end", [Key("q"), Closed(), None], ids=["q", "closed", "Ctrl-C"])
def test_who_seeks_may_leave(
    path: str,
    end: Event | None,
    files: dict[str, bytes],
    network: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = Silent(files)
    Hands(monkeypatch, (2, Key("end")))
    seek, events = Film.seek, Window.events

    def begin(film: Film, to: float) -> float:
        server.ends = ("film.mp4", ".m4s")
        return seek(film, to)

    def leaving(window: Window, wait: float) -> Iterator[Event]:
        yield from events(window, wait)
        if server.reached.is_set():
            if end is None:
                raise KeyboardInterrupt
            yield end

    monkeypatch.setattr(Film, "seek", begin)
    monkeypatch.setattr(Window, "events", leaving)
    with scripted(server) as (url, _):
        options = PlayOptions(model=str(network), cached=False)
        if end is None:
            with pytest.raises(KeyboardInterrupt):
                play(url + path, options)
        else:
            play(url + path, options)
    assert server.reached.is_set()
    assert not capsys.readouterr().err
    assert not server.waited.is_set()


@pytest.mark.parametrize("keys", ["left", "space c"])
def test_who_seeks_while_the_film_stands_may_leave(
    keys: str, files: dict[str, bytes], network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reads a file cannot be torn from the server: it may yet be wanted."""
    server = Silent(files, "other.mp4", given=GIVEN)
    show, events = Window.show, Window.events
    pressed = iter([*map(Key, keys.split()), Key("q")])
    rests = 0

    def showing(window: Window, frame: Frame, **more: Any) -> None:
        nonlocal rests
        rests = 0
        show(window, frame, **more)

    def pressing(window: Window, wait: float) -> Iterator[Event]:
        nonlocal rests
        yield from events(window, wait)
        rests += 1
        if server.reached.is_set() and rests > STANDS:
            yield from islice(pressed, 1)

    monkeypatch.setattr(Window, "show", showing)
    monkeypatch.setattr(Window, "events", pressing)
    with scripted(server) as (url, _):
        play(f"{url}/other.mp4", PlayOptions(model=str(network), cached=False))
    assert not list(pressed)
    assert not server.waited.is_set()
