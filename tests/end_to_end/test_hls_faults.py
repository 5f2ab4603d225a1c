"""What may go wrong while a film is received: it goes on, or ends with one clear line."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Lock

import pytest

from support.cli import vidlift
from support.clips import make_clip
from support.films import EXPECTED, faulty, files_of, library, opened, publish_film, take
from support.networks import plain_network
from support.servers import RESET, Asked, Script, answer, part_of, scripted
from vidlift.client import segments, web
from vidlift.client.adapt import best
from vidlift.client.download import Patience
from vidlift.client.hls import HlsFilm
from vidlift.client.hosts import Hosts
from vidlift.client.web import Web
from vidlift.cloud.library import Title
from vidlift.cloud.serve import serving
from vidlift.frame import Frame
from vidlift.sources.hls import SILENT, HlsSplit
from vidlift.sources.split import Split


@pytest.fixture(scope="module")
def title(tmp_path_factory: pytest.TempPathFactory) -> Title:
    return publish_film(tmp_path_factory.mktemp("faults"))


def once(title: Title, wrong: Iterable[bytes]) -> Script:
    """Each segment of pictures goes wrong the first time that it is asked for."""
    files, seen = files_of(title), set[str]()

    def script(asked: Asked) -> Iterable[bytes]:
        if asked.path.endswith(".m4s") and "p/" in asked.path and asked.path not in seen:
            seen.add(asked.path)
            return wrong
        content = files.get(asked.path)
        return [part_of(content, asked) if content else answer("404 Not Found")]

    return script


@pytest.mark.parametrize(
    "wrong",
    [
        [RESET],
        [answer(content_length="9999"), RESET],
        [b""],
        [answer("500 Oops")],
        [answer("502 Bad Gateway")],
        [answer("503 Busy", retry_after="1")],
        [answer("504 Gateway Timeout")],
        [b"HTTP/1.1 what\r\n\r\n"],
        [answer(body=b"short", content_length="5000")],
        [answer("206 Partial Content", b"lie", content_range="bytes 7-9/10")],
        [answer(body=b"<html>please log in</html>")],
        [answer(body=gzip.compress(bytes(5_000_000)), content_encoding="gzip")],
    ],
    ids=[
        "reset",
        "reset in the midst",
        "closed",
        "500",
        "502",
        "503",
        "504",
        "no HTTP",
        "shorter than it says",
        "another part",
        "a page",
        "a gzip bomb",
    ],
)
def test_what_goes_wrong_once_costs_no_frame(title: Title, wrong: list[bytes]) -> None:
    with (
        scripted(once(title, wrong)) as (url, _),
        opened(f"{url}/master.m3u8", patience=Patience()) as (_, split),
    ):
        got = take(split)
    assert got.times == EXPECTED
    assert got.lost == {}


def test_a_silent_server_is_asked_again(title: Title, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "READ_SECONDS", 0.3)
    stubborn = Patience(tries=20, first_tries=20, first=0.001, longest=0.001)
    files, silent = files_of(title), set[str]()

    def script(asked: Asked) -> Iterator[bytes]:
        content = files.get(asked.path)
        if asked.path.endswith("p/00001.m4s") and asked.path not in silent:
            silent.add(asked.path)
            asked.gone.wait(1)
            return
        yield part_of(content, asked) if content else answer("404 Not Found")

    with (
        scripted(script) as (url, _),
        opened(f"{url}/master.m3u8", patience=stubborn) as (film, split),
    ):
        assert take(split).times == EXPECTED
        assert film.retries >= 1
    assert silent


@pytest.mark.parametrize("too_large", [True, False])
def test_a_segment_that_never_ends_is_given_up(
    title: Title, monkeypatch: pytest.MonkeyPatch, too_large: bool
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_MAX", 100_000 if too_large else 10**12)
    files, passed = files_of(title), [0.0]

    def script(asked: Asked) -> Iterator[bytes]:
        if asked.path.endswith("p/00002.m4s"):
            yield b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
            while True:
                passed[0] += 1
                yield bytes(1000)
        content = files.get(asked.path)
        yield part_of(content, asked) if content else answer("404 Not Found")

    with (
        scripted(script) as (url, _),
        opened(f"{url}/master.m3u8", clock=lambda: passed[0]) as (_, split),
    ):
        split.mute()
        times = [frame.pts - split.pictures.begins for frame in split.pictures]
        assert split.pictures.lost == {"a segment could not be received": 1}
    assert times == EXPECTED[:24] + EXPECTED[36:]


def test_a_segment_that_one_rung_lacks_comes_from_another(title: Title) -> None:
    def fault(asked: Asked, _: bytes) -> bytes | None:
        lost = asked.path.endswith(("48p/00001.m4s", "48p/00003.m4s"))
        return answer("404 Not Found") if lost else None

    with (
        scripted(faulty(title, fault)) as (url, _),
        opened(f"{url}/master.m3u8", choose=best) as (film, split),
    ):
        got = take(split)
        assert film.report()["rungs"] == {"48p": 8.0, "32p": 6.0}
    assert got.times == EXPECTED
    assert got.lost == {}
    assert [frame.height for frame in got.frames] == 12 * [48] + 12 * [32] + 12 * [48] + 6 * [32]


@pytest.mark.parametrize("rung", ["32p", "48p"])
def test_a_rung_without_a_list_is_done_without(title: Title, rung: str) -> None:
    def fault(asked: Asked, _: bytes) -> bytes | None:
        return answer("500 Oops") if asked.path.endswith(f"{rung}/index.m3u8") else None

    with (
        scripted(faulty(title, fault)) as (url, _),
        opened(f"{url}/master.m3u8", choose=best) as (film, split),
    ):
        assert take(split).times == EXPECTED
        assert set(film.report()["rungs"]) == {"32p", "48p"} - {rung}


@pytest.mark.parametrize(
    ("where", "wrong", "said"),
    [
        ("sound-0/index.m3u8", answer("404 Not Found"), "404"),
        ("sound-0/index.m3u8", answer(body=b"<html>"), "no playlist"),
        ("sound-0/init.mp4", answer("404 Not Found"), "404"),
        ("sound-0/init.mp4", answer(body=bytes(500)), "could not be decoded"),
        (".m4s", answer("404 Not Found"), "404"),
        (".m4s", answer(body=b"<html>"), "no segment"),
    ],
)  # fmt: skip
def test_a_film_goes_on_without_its_sound(
    title: Title, where: str, wrong: bytes, said: str, tmp_path: Path
) -> None:
    def fault(asked: Asked, _: bytes) -> bytes | None:
        path = asked.path
        first = path.endswith("00000.m4s")  # of the segments it alone is there
        return wrong if "sound-0/" in path and path.endswith(where) and not first else None

    with (
        scripted(faulty(title, fault)) as (url, _),
        opened(f"{url}/master.m3u8") as (_, split),
    ):
        got = take(split)
        assert split.sound is not None
        (lost,) = split.sound.lost
    assert got.times == EXPECTED
    assert said in lost
    assert bool(got.chunks) == (where == ".m4s")
    report = tmp_path / "report.json"
    with scripted(faulty(title, fault)) as (url, _):
        if where == ".m4s":
            return  # it is missed too late to wait for it
        line = ["--display", "none", "-s", "2", "-m", "bicubic-x2", "--duration", "1"]
        ended = vidlift("play", f"{url}/master.m3u8", *line, "--report", report)
    assert ended.code == 0, ended.err
    (warning,) = json.loads(report.read_text())["warnings"]
    assert said in warning


EMPTY = b"\0\0\0\x08moof\0\0\0\x0cmdat\xff\xfb\x13\x37"
NOT_TS = 20 * (b"\x47" + bytes(range(187)))


@pytest.mark.parametrize("wrong", [EMPTY, NOT_TS], ids=["no samples", "no packets"])
@pytest.mark.parametrize("every", [True, False])
def test_sound_that_looks_well_and_holds_nothing_is_missed_with_a_line(
    title: Title, every: bool, wrong: bytes, tmp_path: Path
) -> None:
    def fault(asked: Asked, _: bytes) -> bytes | None:
        good = "sound-0/" not in asked.path or not asked.path.endswith(".m4s")
        return (
            None if good or (asked.path.endswith("00000.m4s") and not every) else answer(body=wrong)
        )

    with (
        scripted(faulty(title, fault)) as (url, _),
        opened(f"{url}/master.m3u8") as (_, split),
    ):
        got = take(split)
        assert split.sound is not None
        assert split.sound.lost == {SILENT: 4 if every else 3}
    assert got.times == EXPECTED
    assert bool(got.chunks) != every
    if not every:
        return  # it is missed too late to wait for it
    report = tmp_path / "report.json"
    with scripted(faulty(title, fault)) as (url, _):
        line = ["--display", "none", "-s", "2", "-m", "bicubic-x2", "--duration", "1"]
        ended = vidlift("play", f"{url}/master.m3u8", *line, "--report", report)
    assert ended.code == 0, ended.err
    assert json.loads(report.read_text())["warnings"] == [f"4 x {SILENT}"]
    assert ended.err == f"vidlift: warning: 4 x {SILENT}\n"


@pytest.mark.parametrize("lost", ["sound", None])
def test_so_is_sound_that_is_missing_beside_the_pictures(lost: str | None, tmp_path: Path) -> None:
    content = make_clip(tmp_path / "film.ts", frames=96).read_bytes()
    packets = [content[at : at + 188] for at in range(0, len(content), 188)]
    if lost:
        packets = [p if p[1] & 31 != 1 or p[2] != 1 else p[:4] + bytes(184) for p in packets]
    files = {
        "/film.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n",
        "/a.ts": b"".join(packets),
    }
    with (
        scripted(library(files, lambda _: None)) as (url, _),
        opened(f"{url}/film.m3u8") as (_, split),
    ):
        got = take(split)
    assert len(got.frames) == 96
    assert got.lost == ({SILENT: 1} if lost else {})


def test_a_server_that_restarts_is_waited_for(title: Title) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    lock, waited = Lock(), list[float]()
    with ExitStack() as servers, ExitStack() as viewer:
        base = servers.enter_context(serving(title.folder.parent, port=port))

        def pause(seconds: float) -> None:
            """It is up again after four seconds."""
            with lock:
                waited.append(seconds)
                if sum(waited) >= 4 > sum(waited[:-1]):
                    servers.enter_context(serving(title.folder.parent, port=port))

        film = viewer.enter_context(
            closing(HlsFilm(f"{base}/{title.path('master.m3u8')}", pause=pause))
        )
        servers.close()
        split = viewer.enter_context(closing(HlsSplit(film)))
        frames: list[Frame] = list(split.pictures)
        assert [frame.pts - frames[0].pts for frame in frames] == EXPECTED
        assert split.pictures.lost == {}
        assert film.retries > 1
        assert sum(waited) >= 4


def test_the_addresses_that_are_connected_to_are_those_that_were_judged(title: Title) -> None:
    """A name that changes its address after it was judged is not followed there."""
    answers = iter([["127.0.0.1"], ["192.0.2.1"], ["192.0.2.1"]])
    asked: list[str] = []

    def resolve(name: str) -> list[str]:
        asked.append(name)
        return next(answers)

    with scripted(library(files_of(title), lambda _: None)) as (url, _):
        named = url.replace("127.0.0.1", "film.example")
        with opened(f"{named}/master.m3u8", web=Web(Hosts(resolve))) as (_, split):
            assert take(split).times == EXPECTED
    assert asked == ["film.example"]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", 5, "only http"),
        (b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nfilm.m3u8\n", 3, "a list of renditions"),
        (b"#EXTM3U\n#EXT-X-ENDLIST\n", 3, "without segments"),
        (b"#EXTM3U\n#EXTINF:1,\ngone.ts\n#EXT-X-ENDLIST\n", 5, "gone.ts: the server says 404"),
        (b"#EXTM3U\n#EXTINF:1,\nnoise.ts\n#EXT-X-ENDLIST\n", 3, "noise.ts is no segment"),
        (b"#EXTM3U\n#EXTINF:1,\nempty.mp4\n#EXT-X-ENDLIST\n", 3, "not a video"),
        (b"#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n#EXTINF:1,\na.ts\n", 3, "AES-128"),
        (b"<html>", 3, "is no playlist"),
        (b"", 3, "is no playlist: it is empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_played_is_one_line_for_the_viewer(
    text: bytes, code: int, said: str
) -> None:
    def script(asked: Asked) -> Iterable[bytes]:
        if not asked.path.startswith("/film.m3u8"):
            other = {"/noise.ts": b"noise", "/empty.mp4": b"\0\0\0\x0amdat??"}.get(asked.path)
            return [part_of(other, asked) if other else answer("404 Not Found")]
        if not text:
            return [answer("416 Range Not Satisfiable", content_range="bytes */0")]
        return [part_of(text, asked)]

    with scripted(script) as (url, _):
        ended = vidlift("play", f"{url}/film.m3u8?token=hush", "--display", "none")
    assert ended.code == code
    assert said in ended.complaint
    assert "hush" not in ended.err


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ended = vidlift("play", f"http://127.0.0.1:{port}/film.m3u8", "--display", "none")
    assert ended.code == 5
    assert "tried 3 times" in ended.complaint
    unknown = vidlift("play", "http://no-such-host.invalid/film.m3u8", "--display", "none")
    assert unknown.code == 5
    assert "name is not known" in unknown.complaint


def test_the_player_goes_on_where_the_size_changes(title: Title, tmp_path: Path) -> None:
    """The first four seconds come from the least rung, what follows from the best."""
    network, report = tmp_path / "s-x2.onnx", tmp_path / "report.json"
    network.write_bytes(plain_network(scale=2, channels=2, layers=1).data)

    def fault(asked: Asked, _: bytes) -> bytes | None:
        return answer("404 Not Found") if asked.path.endswith("48p/00000.m4s") else None

    with scripted(faulty(title, fault)) as (url, _):
        ended = vidlift(
            "play", f"{url}/master.m3u8", "--display", "none", "-m", network,
            "--duration", "4.9", "--report", report,
        )  # fmt: skip
    assert ended.code == 0, ended.err
    found = json.loads(report.read_text())
    assert found["frames_in"] == 15
    assert found["frames_out"] + sum(found["dropped"].values()) == 15
    (received,) = found["extra"]["network"]
    assert received["rungs"]["32p"] == 4
    assert received["rungs"]["48p"] >= 4
    chosen = [round(change["time"]) for change in found["extra"]["changes"]]
    assert chosen[0] == 0
    assert 4 in chosen, "anew for the other size"


def test_what_came_before_a_server_failed_is_saved(title: Title, tmp_path: Path) -> None:
    def fault(asked: Asked, _: bytes) -> bytes | None:
        late = asked.path.endswith(("1.m4s", "2.m4s", "3.m4s"))
        return answer("404 Not Found") if late else None

    kept = tmp_path / "kept.mp4"
    with scripted(faulty(title, fault)) as (url, _):
        ended = vidlift(
            "play", f"{url}/master.m3u8", "--display", "none", "-s", "2", "--save", kept
        )
    assert ended.code == 5
    assert "3 segments in a row failed" in ended.err
    assert "kept.mp4 has what was received" in ended.err
    with closing(Split(kept)) as saved:
        assert len(list(saved.pictures)) == 12
