"""A live title when things go wrong: a pipe that stalls, a disk that is full, times that jump."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import m3u8
import pytest

from support.clips import make_clip
from vidlift.client.hls import HlsFilm
from vidlift.cloud.live import LiveOptions, go_live
from vidlift.cloud.publish import PublishOptions, publish
from vidlift.cloud.serve import serving
from vidlift.errors import InputError, OutputError, UsageError
from vidlift.sources.hls import HlsSplit

PROGRAM = [sys.executable, "-m", "vidlift"]
OPTIONS = LiveOptions(rungs=(32,), window=3, pace=False)
WHOLE = LiveOptions(rungs=(32,), window=1000, pace=False)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Twelve seconds as a pipe carries them."""
    folder = tmp_path_factory.mktemp("pipe")
    clip = make_clip(folder / "clip.ts", frames=36, rate=Fraction(3), width=64, height=48)
    return clip.read_bytes()


def lists(title: Path) -> dict[str, m3u8.M3U8]:
    """What viewers of the one broadcast of a title find, by rendition."""
    (folder,) = title.glob("live-*")
    return {each.parent.name: m3u8.load(str(each)) for each in folder.glob("*/index.m3u8")}


SAID = {
    signal.SIGINT: b"interrupted",
    signal.SIGTERM: b"ended by SIGTERM",
    signal.SIGHUP: b"ended by SIGHUP",
}


@pytest.mark.parametrize("together", [list(SAID), *([each] for each in SAID)])
def test_a_stalled_pipe_can_be_stopped_and_viewers_are_told(
    stream: bytes, tmp_path: Path, together: list[signal.Signals]
) -> None:
    """Of signals that come together any may be the first: threads share them out among each
    other. It is the one that is told of."""
    command = [*PROGRAM, "cloud", "live", "-", str(tmp_path), "--rungs", "32"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdin is not None
        program.stdin.write(stream[: len(stream) * 3 // 4])
        program.stdin.flush()
        assert program.stderr is not None
        assert b"live in" in program.stderr.readline(), "from here on nothing more comes"
        for number in together * 2:
            program.send_signal(number)
        try:
            first = signal.Signals(program.wait(10) - 128)
        finally:
            program.kill()
        assert first in together
        assert program.stderr.read().splitlines()[-1] == b"vidlift: " + SAID[first]
    found = lists(tmp_path / "live")
    assert set(found) == {"32p", "sound-0"}
    assert all(listed.is_endlist for listed in found.values())


def test_a_pipe_is_stopped_before_anything_came(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with os.fdopen(reader, "rb", buffering=0) as pipe, pytest.raises(KeyboardInterrupt):
            go_live(pipe, tmp_path / "library", OPTIONS)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        os.close(writer)
    assert not (tmp_path / "library").exists()
    assert capfd.readouterr().err == ""


def interrupt() -> float:
    raise KeyboardInterrupt


def test_a_name_is_free_after_a_stop_before_the_first_segment(
    stream: bytes, tmp_path: Path
) -> None:
    paced = LiveOptions(rungs=(32,))
    with pytest.raises(KeyboardInterrupt):
        go_live(BytesIO(stream), tmp_path, paced, clock=interrupt)
    assert list(tmp_path.iterdir()) == []
    go_live(BytesIO(stream), tmp_path, OPTIONS)


def test_what_a_killed_broadcast_left_is_no_title_of_somebody_else(
    stream: bytes, tmp_path: Path
) -> None:
    """Killed before its first segment, or between the list of rungs and the card."""
    (tmp_path / "live" / "live-18eb" / "32p").mkdir(parents=True)
    (tmp_path / "live" / ".vidlift.json.part").touch()
    (tmp_path / "live" / "master.m3u8").touch()
    go_live(BytesIO(stream), tmp_path, OPTIONS)
    assert lists(tmp_path / "live")["32p"].is_endlist


def test_a_folder_with_anything_else_is_left_alone(stream: bytes, tmp_path: Path) -> None:
    (tmp_path / "live" / "live-18eb").mkdir(parents=True)
    (tmp_path / "live" / "thesis.tex").touch()
    with pytest.raises(OutputError, match="no live title"):
        go_live(BytesIO(stream), tmp_path, OPTIONS)
    assert (tmp_path / "live" / "live-18eb").is_dir()


def test_a_broadcast_keeps_the_last_one_that_was_watched(stream: bytes, tmp_path: Path) -> None:
    first = go_live(BytesIO(stream), tmp_path, OPTIONS)
    paced = LiveOptions(rungs=(32,))
    with pytest.raises(KeyboardInterrupt):
        go_live(BytesIO(stream), tmp_path, paced, clock=interrupt)
    second = go_live(BytesIO(stream), tmp_path, OPTIONS)
    kept = {path.name for path in second.folder.glob("live-*")}
    assert kept == {first.card["version"], second.card["version"]}


def test_one_name_is_broadcast_once_at_a_time(stream: bytes, tmp_path: Path) -> None:
    refused: list[str] = []

    def another(_count: int, _end: Fraction) -> None:
        with pytest.raises(UsageError) as caught:
            go_live(BytesIO(stream), tmp_path, OPTIONS)
        refused.append(str(caught.value))

    title = go_live(BytesIO(stream), tmp_path, OPTIONS, tell=another)
    assert len(refused) == 6
    assert "another vidlift" in refused[0]
    assert lists(title.folder)["32p"].is_endlist


def spoil(folder: Path, name: str) -> None:
    """Have a file refuse to be written, as on a full disk."""
    (folder / f".{name}.part").mkdir()


def test_a_disk_that_is_full_is_one_line_and_viewers_are_told(
    stream: bytes, tmp_path: Path
) -> None:
    def fill(count: int, _end: Fraction) -> None:
        if count == 5:
            (folder,) = (tmp_path / "live").glob("live-*")
            spoil(folder / "sound-0", "00005.m4s")

    with pytest.raises(OutputError, match=r"cannot write .*live.*directory"):
        go_live(BytesIO(stream), tmp_path, OPTIONS, tell=fill)
    for name, listed in lists(tmp_path / "live").items():
        assert listed.is_endlist, name
        assert [s.uri for s in listed.segments] == ["00002.m4s", "00003.m4s", "00004.m4s"]
    (folder,) = (tmp_path / "live").glob("live-*")
    files = [path.name for path in folder.rglob("*") if path.is_file()]
    assert not [name for name in files if name == "00005.m4s" or name.endswith(".part")]


def test_each_list_ends_by_itself(stream: bytes, tmp_path: Path) -> None:
    def fill(count: int, _end: Fraction) -> None:
        if count == 5:
            (folder,) = (tmp_path / "live").glob("live-*")
            spoil(folder / "32p", "index.m3u8")

    with pytest.raises(OutputError):
        go_live(BytesIO(stream), tmp_path, OPTIONS, tell=fill)
    found = lists(tmp_path / "live")
    assert not found["32p"].is_endlist
    assert found["sound-0"].is_endlist
    (folder,) = (tmp_path / "live").glob("live-*")
    names = [file.name for file in sorted(folder.glob("sound-0/0*.m4s"))]
    assert names == ["00003.m4s", "00004.m4s", "00005.m4s"], "the others make room"


def test_a_title_that_is_removed_meanwhile_is_one_line(stream: bytes, tmp_path: Path) -> None:
    def remove(_count: int, _end: Fraction) -> None:
        shutil.rmtree(tmp_path / "live")

    with pytest.raises(OutputError, match="cannot write"):
        go_live(BytesIO(stream), tmp_path, OPTIONS, tell=remove)


def received(library: Path) -> tuple[list[Fraction], list[tuple[Fraction, Fraction]]]:
    """Times of the pictures, beginnings and ends of the chunks of sound."""
    with (
        serving(library) as base,
        closing(HlsFilm(f"{base}/live/master.m3u8")) as film,
        closing(HlsSplit(film)) as split,
    ):
        times = [frame.pts for frame in split.pictures]
        sound = [(c.pts, c.pts + Fraction(len(c.samples), 48000)) for c in split.sound or ()]
    return times, sound


def test_an_encoder_that_starts_again_goes_on(stream: bytes, tmp_path: Path) -> None:
    title = go_live(BytesIO(stream * 3), tmp_path, WHOLE)
    times, sound = received(tmp_path)
    assert len(times) >= 3 * 36 - 2
    assert all(0 < b - a < Fraction(1, 2) for a, b in pairwise(times))
    assert 35 < times[-1] - times[0] < 38
    assert abs(sound[-1][1] - times[-1] - Fraction(1, 3)) < Fraction(1, 2)
    assert all(abs(b[0] - a[1]) < Fraction(1, 2) for a, b in pairwise(sound))
    (folder,) = title.folder.glob("live-*")
    sizes = [file.stat().st_size for file in sorted((folder / "sound-0").glob("*.m4s"))]
    assert max(sizes[:-1]) < 2 * sorted(sizes)[len(sizes) // 2], "sound stays with its pictures"


def shown(title: Path, name: str) -> tuple[list[Fraction], list[Fraction]]:
    """When the packets of a rendition are decoded, and when its pictures are shown."""
    (folder,) = title.glob(f"*/{name}")
    files = [folder / "init.mp4", *sorted(folder.glob("0*.m4s"))]
    with av.open(BytesIO(b"".join(file.read_bytes() for file in files)), "r") as container:
        packets: list[Any] = list(container.demux(video=0))
        pictures = [picture for packet in packets for picture in packet.decode()]
        decoded = [p.dts * p.time_base for p in packets if p.dts is not None]
    return decoded, [p.pts * p.time_base for p in pictures if p.pts is not None]


def publish_one(clip: Path, library: Path) -> Path:
    options = PublishOptions(rungs=(32,), whole_file=False, name="live")
    return publish(clip, library, options).folder


def go_live_one(clip: Path, library: Path) -> Path:
    return go_live(clip, library, WHOLE).folder


@pytest.mark.parametrize("offer", [publish_one, go_live_one])
@pytest.mark.parametrize("gap", [Fraction(5, 2), Fraction(3), Fraction(9)])
def test_segments_of_a_picture_or_two_lose_none(
    tmp_path: Path, offer: Callable[[Path, Path], Path], gap: Fraction
) -> None:
    times = [index * gap for index in range(6)]
    clip = make_clip(tmp_path / "slides.mp4", times=times, rate=Fraction(1), sounds=0)
    decoded, pictures = shown(offer(clip, tmp_path / "library"), "32p")
    assert all(a < b for a, b in pairwise(decoded)), decoded
    assert [time - pictures[0] for time in pictures] == times


@pytest.fixture(scope="module")
def torn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with nine hours in its middle in which nothing is shown."""
    times = [Fraction(index, 3) + (9 * 3600 if index >= 12 else 0) for index in range(24)]
    where = tmp_path_factory.mktemp("torn") / "torn.ts"
    options = {"preset": "fast", "bf": "0"}  # none of before is decoded after it
    return make_clip(where, times=times, rate=Fraction(3), sounds=0, options=options)


def test_hours_without_a_picture_are_one_line(torn: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a gap of 9\.0 hours .* 6\.6 hours are the most"):
        publish_one(torn, tmp_path)


def test_a_live_film_leaves_out_hours_without_anything(torn: Path, tmp_path: Path) -> None:
    _, pictures = shown(go_live_one(torn, tmp_path), "32p")
    assert len(pictures) >= 23
    assert all(0 < b - a <= 1 for a, b in pairwise(pictures))


def test_it_says_where_it_is_live_once_it_is(stream: bytes, tmp_path: Path) -> None:
    command = [*PROGRAM, "cloud", "live", "-", str(tmp_path), "--rungs", "32", "--name", "My Name"]
    ended = subprocess.run(command, input=stream, capture_output=True, check=True)
    assert str(tmp_path / "my-name").encode() in ended.stderr
    refused = subprocess.run(command, input=b"", capture_output=True, check=False)
    assert refused.returncode == 3
    assert len(refused.stderr.splitlines()) == 1


def test_a_standard_input_that_is_closed_is_one_line(tmp_path: Path) -> None:
    command = 'exec "$0" "$@" <&-'
    ended = subprocess.run(
        ["sh", "-c", command, *PROGRAM, "cloud", "live", "-", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 3
    assert b"standard input is closed" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
