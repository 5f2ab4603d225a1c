"""How the program ends where nobody reads what it writes, and when the system tells it to go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from threading import Event

import av
import pytest

from support.clips import make_clip
from support.servers import Asked, part_of, scripted

PROGRAM = f"{sys.executable} -m vidlift"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line in which ``vidlift`` is the program; its exit code is that of ``vidlift``."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.replace("vidlift", PROGRAM)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


class TestStreams:
    @pytest.mark.parametrize("command", ["--help", "probe CLIP", "probe CLIP --json"])
    @pytest.mark.parametrize(
        ("after", "code", "said"),
        [
            ("<&- >&- 2>&-", 0, ""),
            ("| true", 141, ""),
            (
                ">/dev/full",
                4,
                "vidlift: cannot write to standard output: No space left on device\n",
            ),
        ],
    )
    def test_nobody_reads_the_results(
        self, command: str, after: str, code: int, said: str, clip: Path
    ) -> None:
        ended = shell(f"vidlift {command.replace('CLIP', str(clip))} {after}")
        assert ended.stderr == said
        assert ended.returncode == code

    @pytest.mark.parametrize("after", ["2>&-", "2>/dev/full", "2>&1 >/dev/null | true"])
    def test_nobody_reads_the_complaint(self, after: str) -> None:
        assert shell(f"vidlift probe /none.mp4 {after}").returncode == 3

    @pytest.mark.parametrize("after", ["2>/dev/full", "<&- >&- 2>&-", "2> >(true)"])
    def test_a_job_goes_on_where_nobody_reads_of_it(
        self, after: str, clip: Path, tmp_path: Path
    ) -> None:
        ended = shell(f"vidlift upscale {clip} {tmp_path}/out.mp4 -m bicubic-x2 {after}")
        assert ended.returncode == 0
        assert shell(f"vidlift verify {clip} {tmp_path}/out.mp4 --no-progress").returncode == 0

    def test_finished_work_stays_where_its_receipt_cannot_be_told(
        self, clip: Path, tmp_path: Path
    ) -> None:
        line = f"vidlift upscale {clip} {tmp_path}/out.mp4 -m bicubic-x2 --report {tmp_path}/r.json"
        assert shell(f"{line} >/dev/full").returncode == 4
        assert {path.name for path in tmp_path.iterdir()} == {"out.mp4", "r.json"}


class TestHome:
    """Without a folder of one's own nothing is kept, and nothing is said of it."""

    @pytest.mark.parametrize(
        "home", ["HOME=/dev/null", "HOME=/sys", "HOME="], ids=lambda home: home
    )
    def test_there_is_none(self, home: str, clip: Path, tmp_path: Path) -> None:
        line = f"cd {tmp_path}; env -u XDG_CACHE_HOME {home} vidlift play {clip} -s 2 --dry-run"
        ended = shell(line)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert not list(tmp_path.iterdir()), "least of all where one happens to be"

    def test_nobody_knows_of_one(self, clip: Path) -> None:
        """As for a user that a container was given by number."""
        code = (
            "import pwd; pwd.getpwuid = {}.__getitem__; "
            "import os; os.environ.pop('HOME'); os.environ.pop('XDG_CACHE_HOME'); "
            "from vidlift.cli import run; run()"
        )
        command = [sys.executable, "-c", code, "play", str(clip), "-s", "2", "--dry-run"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, "")


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A film of several blocks."""
    folder = tmp_path_factory.mktemp("long")
    return make_clip(folder / "film.mkv", frames=200, width=320, height=240).read_bytes()


GONE = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


class TestSignals:
    @pytest.mark.parametrize("number", GONE)
    def test_what_the_player_received_is_kept(self, number: signal.Signals, tmp_path: Path) -> None:
        content = make_clip(tmp_path / "film.mkv", frames=48).read_bytes()
        target = tmp_path / "kept" / "film.mkv"
        target.parent.mkdir()
        with scripted(lambda asked: [part_of(content, asked)]) as (url, _):
            line = ["play", f"{url}/film.mkv", "--display", "none", "-s", "2", "-m", "bicubic-x2"]
            ended = subprocess.run(
                [sys.executable, "-c", _PLAYING, number.name, *line, "--save", str(target)],
                capture_output=True,
                text=True,
                check=False,
            )
        assert ended.returncode == 128 + number, ended.stderr
        assert ended.stderr.splitlines()[-1] == f"vidlift: {_SAID[number]}"
        assert f"what was received is in {target}" in ended.stderr
        assert [path.name for path in target.parent.iterdir()] == [target.name]
        with av.open(str(target)) as entry:
            assert sum(1 for _ in entry.decode(video=0)) > 12

    @pytest.mark.parametrize("number", GONE)
    def test_what_upscale_receives_is_not(self, number: signal.Signals, tmp_path: Path) -> None:
        stalled = Event()

        def silent(asked: Asked) -> Iterable[bytes]:
            yield b""
            stalled.set()
            asked.gone.wait(60)

        with scripted(silent) as (url, _):
            line = ["upscale", f"{url}/film.mkv", str(tmp_path / "big.mkv"), "--no-progress"]
            ended = _told_to_go([*line, "--save", str(tmp_path / "film.mkv")], number, stalled)
        assert ended.returncode == 128 + number, ended.stderr
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("number", GONE)
    def test_what_upscale_received_half_of_is_not(
        self, number: signal.Signals, long: bytes, tmp_path: Path
    ) -> None:
        stalled = Event()

        def half(asked: Asked) -> Iterable[bytes]:
            yield part_of(long, asked)[: len(long) // 2]
            stalled.set()
            asked.gone.wait(60)

        with scripted(half) as (url, _):
            line = ["upscale", f"{url}/film.mkv", str(tmp_path / "big.mkv"), "--no-progress"]
            ended = _told_to_go([*line, "--save", str(tmp_path / "film.mkv")], number, stalled)
        assert ended.stderr.splitlines()[-1] == f"vidlift: {_SAID[number]}"
        assert ended.returncode == 128 + number
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("number", GONE)
    def test_what_came_is_kept_where_only_its_rest_was_fetched(
        self, number: signal.Signals, long: bytes, tmp_path: Path
    ) -> None:
        target = tmp_path / "film.mkv"
        with scripted(lambda asked: [part_of(long, asked)]) as (url, _):
            line = [f"{url}/film.mkv", number.name, str(target)]
            ended = subprocess.run(
                [sys.executable, "-c", _FETCHING_THE_REST, *line],
                capture_output=True,
                text=True,
                check=False,
            )
        assert ended.stderr.splitlines()[-1] == f"vidlift: {_SAID[number]}"
        assert ended.returncode == 128 + number
        assert [path.name for path in tmp_path.iterdir()] == [target.name]

    @pytest.mark.parametrize("number", GONE)
    def test_finished_segments_are_kept(self, number: signal.Signals, tmp_path: Path) -> None:
        clip, big = make_clip(tmp_path / "clip.mp4", frames=250), tmp_path / "big.mp4"
        command = [sys.executable, "-c", _UPSCALING, number.name, "upscale", str(clip), str(big)]
        ended = subprocess.run(
            [*command, "-m", "bicubic-x2"], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 128 + number, ended.stderr
        assert "what is finished is kept" in ended.stderr
        assert ended.stderr.splitlines()[-1] == f"vidlift: {_SAID[number]}"
        assert not big.exists()
        assert len(list((tmp_path / "big.mp4.vidlift-job").glob("*.nut"))) == 1

    @pytest.mark.parametrize("way", ["listen", "only_once"])
    def test_several_that_come_together_are_one(self, way: str) -> None:
        ended = subprocess.run(
            [sys.executable, "-c", _TOGETHER, way], capture_output=True, text=True, check=False
        )
        assert (ended.stdout, ended.stderr) == ("('ended by SIGHUP', 129)\n", "")

    @pytest.mark.parametrize(
        ("way", "number"),
        [("listen", number) for number in GONE[1:]] + [("only_once", number) for number in GONE],
    )
    def test_one_whose_exception_was_lost_comes_again(
        self, way: str, number: signal.Signals
    ) -> None:
        ended = subprocess.run(
            [sys.executable, "-c", _LOST, way, number.name],
            capture_output=True,
            text=True,
            check=False,
        )
        told = (_SAID[number], 128 + number)
        assert (ended.stdout, ended.stderr) == (f"{told}\n", "")

    def test_one_that_comes_while_the_exception_of_another_is_made_is_passed_over(self) -> None:
        ended = subprocess.run(
            [sys.executable, "-c", _MEANWHILE], capture_output=True, text=True, check=False
        )
        assert (ended.stdout, ended.stderr) == ("('ended by SIGTERM', 143)\n", "")

    def test_who_ignores_a_closed_terminal_is_not_ended_by_it(self, tmp_path: Path) -> None:
        clip, big = make_clip(tmp_path / "clip.mp4", frames=250), tmp_path / "big.mp4"
        line = [sys.executable, "-c", _UPSCALING, "SIGHUP", "upscale", str(clip), str(big)]
        ended = subprocess.run(
            ["nohup", *line, "-m", "bicubic-x2"], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        assert big.exists()


_SAID = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "ended by SIGTERM",
    signal.SIGHUP: "ended by SIGHUP",
}

_PLAYING = """
import os, signal, sys
from vidlift.cli import run
from vidlift.player.film import Film
given = Film.frames
def frames(film, *, stop):
    for count, frame in enumerate(given(film, stop=stop)):
        if count == 12:
            os.kill(os.getpid(), number)
        yield frame
Film.frames = frames
number = signal.Signals[sys.argv.pop(1)]
run()
"""
"""Sends itself a signal in the middle of the film."""

_UPSCALING = """
import signal, sys
from vidlift.cli import run
from vidlift.jobs import upscale
tell = upscale._Job._tell
def told(job, count, size):
    tell(job, count, size)
    if len(job._journal.segments) == 1:
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(number)
upscale._Job._tell = told
number = signal.Signals[sys.argv.pop(1)]
run()
"""
"""Sends itself a signal in the second segment, and would again, as terminals do that are closed."""


_FETCHING_THE_REST = """
import signal, sys
from vidlift.client.fetch import HttpFile
from vidlift.cli import run
from vidlift.player.film import Film
finish = Film.finish
def told(film, *, ended):
    take = HttpFile._take
    def taken(file):
        signal.raise_signal(number)
        return take(file)
    HttpFile._take = taken
    return finish(film, ended=True)
Film.finish = told
_, url, name, target = sys.argv
number = signal.Signals[name]
sys.argv[1:] = ["play", url, "--display", "none", "-s", "2", "-m", "bicubic-x2", "--no-cache",
                "--duration", "0.2", "--save", target]
run()
"""
"""Sends itself a signal when the film is left and a block is missing."""


_TOGETHER = """
import os, signal, sys
from vidlift.cli import ending
ending.listen()
getattr(ending, sys.argv[1])()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGHUP])
os.kill(os.getpid(), signal.SIGTERM)
os.kill(os.getpid(), signal.SIGHUP)
try:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM, signal.SIGHUP])
except KeyboardInterrupt as stop:
    print(ending.told(stop))
"""
"""As when a machine is shut down, and its terminals close."""

_LOST = """
import signal, sys
from contextlib import suppress
from threading import Event
from vidlift.cli import ending
ending.listen()
getattr(ending, sys.argv[1])()
with suppress(KeyboardInterrupt):  # as PyAV does, which makes an error of its own
    signal.raise_signal(signal.Signals[sys.argv[2]])
try:
    Event().wait(60)
except KeyboardInterrupt as stop:
    print(ending.told(stop))
"""
"""Waits for a signal that has come and whose exception is gone."""

_MEANWHILE = """
import signal
from vidlift.cli import ending
ending.listen()
make = ending.Ended.__init__
def interrupted(stop, number):
    ending.Ended.__init__ = make
    signal.raise_signal(signal.SIGHUP)
    make(stop, number)
ending.Ended.__init__ = interrupted
try:
    signal.raise_signal(signal.SIGTERM)
except KeyboardInterrupt as stop:
    print(ending.told(stop))
"""
"""Of a signal that comes while another's exception has not got its number yet."""


def _told_to_go(
    line: list[str], number: signal.Signals, when: Event
) -> subprocess.CompletedProcess[str]:
    """Run the program, and send it a signal when that event has come about."""
    with subprocess.Popen(
        [sys.executable, "-m", "vidlift", *line],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            assert when.wait(60)
            program.send_signal(number)
            out, err = program.communicate(timeout=60)
        finally:
            program.kill()
    return subprocess.CompletedProcess(line, program.returncode, out, err)
