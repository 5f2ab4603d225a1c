"""A live title: what a viewer finds at each moment, and at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from threading import Lock, Thread

import m3u8
import pytest

from support.cli import vidlift
from support.clips import make_clip
from vidlift.client.hls import HlsFilm
from vidlift.cloud.live import LiveOptions, go_live
from vidlift.cloud.serve import serving
from vidlift.errors import OutputError, UsageError
from vidlift.sources.hls import HlsSplit

PROGRAM = [sys.executable, "-m", "vidlift"]
OPTIONS = LiveOptions(rungs=(32,), window=3)


class Clock:
    """Time that passes only while somebody waits for it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("live")
    return make_clip(folder / "clip.mkv", frames=60, rate=Fraction(3), width=64, height=48)


def test_the_window_slides_and_ends(clip: Path, tmp_path: Path) -> None:
    clock = Clock()
    seen: list[tuple[int, int, int, bool]] = []

    def look(count: int, end: Fraction) -> None:
        (folder,) = (tmp_path / "live").glob("live-*")
        listed = m3u8.load(str(folder / "32p" / "index.m3u8"))
        assert [s.uri for s in listed.segments] == [
            f"{n:05d}.m4s" for n in range(max(0, count - 3), count)
        ]
        for segment in listed.segments:
            assert (folder / "32p" / segment.uri).is_file()
            assert (folder / "sound-0" / segment.uri).is_file()
        assert end == 2 * count
        assert clock.now >= float(end) - 0.4, "a file is not faster than its own time"
        seen.append((count, listed.media_sequence, listed.target_duration, listed.is_endlist))

    title = go_live(clip, tmp_path, OPTIONS, tell=look, clock=clock, pause=clock.pause)
    assert [row[0] for row in seen] == list(range(1, 11))
    assert [row[1] for row in seen] == [0, 0, 0, 1, 2, 3, 4, 5, 6, 7]
    assert {row[2:] for row in seen} == {(3, False)}
    assert title.card["live"] is False
    (folder,) = title.folder.glob("live-*")
    assert m3u8.load(str(folder / "32p" / "index.m3u8")).is_endlist
    assert len(list((folder / "32p").glob("*.m4s"))) <= 3 + 4 + 1


def test_what_was_live_can_be_received(clip: Path, tmp_path: Path) -> None:
    options = LiveOptions(rungs=(32,), window=20, pace=False)
    go_live(BytesIO(clip.read_bytes()), tmp_path, options)
    with (
        serving(tmp_path) as base,
        closing(HlsFilm(f"{base}/live/master.m3u8")) as film,
        closing(HlsSplit(film)) as split,
    ):
        times = [frame.pts for frame in split.pictures]
        assert len(times) == 60
        rounding = Fraction(1, 1000)  # Matroska's
        for number, time in enumerate(times):
            assert abs(time - times[0] - Fraction(number, 3)) <= rounding
        assert split.sound is not None
        chunks = list(split.sound)
        assert abs(chunks[0].pts - times[0]) < Fraction(1, 10)
        last = chunks[-1]
        assert abs(last.pts + Fraction(len(last.samples), 48000) - times[0] - 20) < Fraction(1, 5)
        assert split.pictures.lost == {}


def test_a_stream_of_others_is_told_the_way(tmp_path: Path) -> None:
    source = Path("https://example.org/live/master.m3u8")
    with pytest.raises(UsageError, match=r"https://example\.org/live/master\.m3u8 is .* a pipe"):
        go_live(source, tmp_path / "library", OPTIONS)
    assert not (tmp_path / "library").exists()


def test_no_library_at_all(tmp_path: Path) -> None:
    ended = vidlift("cloud", "live", tmp_path / "film.ts", "")
    assert ended.code == 2
    assert "a folder is wanted as the library, got ''" in ended.complaint


def test_a_title_on_demand_is_not_overwritten(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    with pytest.raises(OutputError, match="no live title"):
        go_live(clip, tmp_path, OPTIONS)


@pytest.mark.parametrize(
    ("transfer", "expected"), [(16, "PQ"), (18, "HLG"), (1, None)], ids=["pq", "hlg", "sdr"]
)
def test_the_list_says_which_light_a_broadcast_has(
    tmp_path: Path, transfer: int, expected: str | None
) -> None:
    tags = {"color_trc": transfer, "color_primaries": 9, "colorspace": 9, "color_range": 1}
    clip = make_clip(tmp_path / "a.mp4", frames=3, width=96, height=64, sounds=0, tags=tags)
    title = go_live(clip, tmp_path, LiveOptions(rungs=(32,), pace=False))
    (variant,) = m3u8.load(str(title.folder / "master.m3u8")).playlists
    assert variant.stream_info.video_range == expected


def test_a_second_broadcast_takes_the_place_of_the_first(clip: Path, tmp_path: Path) -> None:
    options = LiveOptions(rungs=(32,), window=3, pace=False)
    first = go_live(clip, tmp_path, options)
    second = go_live(clip, tmp_path, options)
    assert second.card["version"] != first.card["version"]
    assert (second.folder / second.card["version"]).is_dir()


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Twenty seconds as a pipe carries them."""
    folder = tmp_path_factory.mktemp("pipe")
    clip = make_clip(folder / "clip.ts", frames=60, rate=Fraction(3), width=64, height=48)
    return clip.read_bytes()


class Viewer:
    """Follows a live title; while it waits for more, more is poured into the pipe."""

    def __init__(self, pour: Callable[[], None]) -> None:
        self._pour = pour
        self.waits = 0

    def pause(self, _seconds: float) -> None:
        self.waits += 1
        self._pour()

    def watch(self, url: str) -> tuple[list[Fraction], list[Fraction], dict[str, int]]:
        """Times of the pictures, ends of the sound, and what was lost."""
        with closing(HlsFilm(url, pause=self.pause)) as film, closing(HlsSplit(film)) as split:
            assert film.live
            ends: list[Fraction] = []

            def listen() -> None:
                for chunk in split.sound or ():
                    ends.append(chunk.pts + Fraction(len(chunk.samples), 48000))

            listener = Thread(target=listen)
            listener.start()
            times = [frame.pts for frame in split.pictures]
            listener.join()
            return times, ends, dict(split.pictures.lost)


def test_a_pipe_goes_live_and_is_followed_by_our_client(stream: bytes, tmp_path: Path) -> None:
    library = tmp_path / "library"
    command = [*PROGRAM, "cloud", "live", "-", str(library), "--rungs", "32", "--window", "20"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as program:
        assert program.stdin is not None
        pipe, left, lock = program.stdin, bytearray(stream), Lock()

        def pour() -> None:
            """An eighth more of the film, and its end after the last."""
            with lock:
                part = bytes(left[: len(stream) // 8 + 1])
                del left[: len(part)]
                if part:
                    pipe.write(part)
                    pipe.flush()
                elif not pipe.closed:
                    pipe.close()

        for _ in range(5):
            pour()
        while not (library / "live" / "master.m3u8").exists():
            assert program.poll() is None

        def more() -> None:
            """Pour until the list is another one."""
            (listed,) = (library / "live").glob("live-*/32p/index.m3u8")
            before = listed.read_bytes()
            while program.poll() is None and listed.read_bytes() == before:
                pour()

        viewer = Viewer(more)
        with serving(library) as base:
            times, ends, lost = viewer.watch(f"{base}/live/master.m3u8")
        assert program.wait(60) == 0
    assert viewer.waits > 0, "it was live while it was watched"
    assert lost == {}
    assert all(b - a == Fraction(1, 3) for a, b in pairwise(times))
    assert len(times) >= 30
    assert abs(ends[-1] - times[-1] - Fraction(1, 3)) < Fraction(1, 4), "sound ends with the film"


def test_a_broadcast_that_is_interrupted_tells_its_viewers(clip: Path, tmp_path: Path) -> None:
    def press(count: int, _end: Fraction) -> None:
        if count == 4:
            raise KeyboardInterrupt

    clock = Clock()
    with pytest.raises(KeyboardInterrupt):
        go_live(clip, tmp_path, OPTIONS, tell=press, clock=clock, pause=clock.pause)
    (folder,) = (tmp_path / "live").glob("live-*")
    for name in ("32p", "sound-0"):
        listed = m3u8.load(str(folder / name / "index.m3u8"))
        assert listed.is_endlist
        assert [segment.uri for segment in listed.segments] == [f"{n:05d}.m4s" for n in (1, 2, 3)]
    assert json.loads((tmp_path / "live" / "vidlift.json").read_text())["live"] is False


def test_a_broadcast_that_a_service_manager_stops_tells_its_viewers(
    stream: bytes, tmp_path: Path
) -> None:
    library = tmp_path / "lib"
    command = [*PROGRAM, "cloud", "live", "-", str(library), "--rungs", "32"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as program:
        assert program.stdin is not None
        program.stdin.write(stream[: len(stream) * 3 // 4])
        program.stdin.flush()
        while not (library / "live" / "master.m3u8").exists():
            assert program.poll() is None
        program.terminate()
        assert program.wait(60) == 143
    (listed,) = (library / "live").glob("live-*/32p/index.m3u8")
    assert m3u8.load(str(listed)).is_endlist


@pytest.mark.parametrize("content", [b"", b"nonsense" * 100])
def test_a_pipe_without_a_film_is_one_line(tmp_path: Path, content: bytes) -> None:
    ended = subprocess.run(
        [*PROGRAM, "cloud", "live", "-", str(tmp_path / "lib")],
        input=content,
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 3
    assert b"what comes from the pipe is not a video" in ended.stderr
    assert not (tmp_path / "lib").exists()
