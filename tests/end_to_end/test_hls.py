"""HLS films, received from servers good and bad, ours and others'."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import count
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from support.clips import make_clip
from support.films import EXPECTED, HASTY, faulty, files_of, library, opened, publish_film, take, up
from support.lifetime import no_collector
from support.networks import plain_network
from support.servers import Asked, answer, part_of, scripted
from vidlift.client.adapt import BUFFER
from vidlift.client.hls import HlsFilm
from vidlift.client.hosts import Hosts
from vidlift.client.web import Web
from vidlift.cloud.library import Title
from vidlift.cloud.serve import serving
from vidlift.errors import InputError, NetworkError
from vidlift.sources import open_bytes
from vidlift.sources.split import Split


@pytest.fixture(scope="module")
def title(tmp_path_factory: pytest.TempPathFactory) -> Title:
    return publish_film(tmp_path_factory.mktemp("hls"))


def test_a_film_of_ours_comes_whole(title: Title) -> None:
    with (
        serving(title.folder.parent) as base,
        opened(f"{base}/{title.path('master.m3u8')}", choose=up) as (film, split),
    ):
        assert not film.live
        assert split.end is not None
        assert split.end - split.pictures.begins == 14
        got = take(split)
        assert got.times == EXPECTED
        assert got.lost == {}
        assert got.frames[0].size == (42, 32)
        assert got.frames[-1].size == (64, 48)
        begin, last = got.chunks[0].pts, got.chunks[-1]
        assert abs(begin - got.frames[0].pts) < Fraction(1, 10)
        assert abs(last.pts + Fraction(len(last.samples), 48000) - begin - 14) < Fraction(1, 10)
        assert film.received > 0


@pytest.mark.parametrize(
    "to", [Fraction(0), Fraction(5), Fraction(29, 4), Fraction(25, 2), Fraction(139, 10)]
)
def test_seeking(title: Title, to: Fraction) -> None:
    with (
        serving(title.folder.parent) as base,
        opened(f"{base}/{title.path('master.m3u8')}") as (_, split),
    ):
        next(iter(split.pictures))
        start = split.pictures.begins
        split.stop()
        split.seek(start + to)
        first = next(iter(split.pictures))
        assert first.pts <= start + to < first.pts + first.duration
        assert split.sound is not None
        assert next(iter(split.sound)).pts - start - to < Fraction(1, 10)


def test_what_was_closed_is_gone_with_its_decoders(title: Title) -> None:
    with serving(title.folder.parent) as base, no_collector():
        with opened(f"{base}/{title.path('master.m3u8')}") as (film, split):
            left: list[weakref.ref[Any]] = [*map(weakref.ref, (split, split.pictures, film))]
            next(iter(split.pictures))
            split.stop()
            split.seek(split.pictures.begins + 5)
            assert left[1]() is None, "of before the seek"
            next(iter(split.pictures))
            split.stop()
        del film, split
        assert [each() for each in left] == [None] * 3


@pytest.mark.parametrize(("step", "size"), [(0.0, (64, 48)), (10.0, (42, 32))])
def test_the_first_rung_is_what_the_lists_show_to_be_carried(
    title: Title, step: float, size: tuple[int, int]
) -> None:
    looks = count()
    with (
        serving(title.folder.parent) as base,
        opened(f"{base}/{title.path('master.m3u8')}", clock=lambda: step * next(looks)) as (
            _,
            split,
        ),
    ):
        assert next(iter(split.pictures)).size == size


def test_the_next_segments_come_before_they_are_asked_for(title: Title) -> None:
    arrived = Event()
    files = files_of(title)

    def note(request: Asked) -> None:
        if request.path.endswith("p/00003.m4s"):
            arrived.set()

    with (
        scripted(library(files, note)) as (url, _),
        opened(f"{url}/master.m3u8") as (film, split),
    ):
        assert next(iter(split.pictures)).pts == split.pictures.begins
        assert arrived.wait(10), "the last segment is fetched while the first is on the screen"
        assert film.pictures.buffer <= BUFFER


def noise(count: int) -> bytes:
    return Random(1).randbytes(count)


SECOND = "p/00001.m4s"
"""The second segment of pictures, of either rung."""


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("cut short", lambda content: answer(body=content[:-100])),
        ("another thing", lambda _: answer(body=b"<html>moved</html>")),
        ("empty", lambda _: answer()),
        ("noise", lambda content: answer(body=noise(len(content)))),
        (
            "noise like packed audio",
            lambda content: answer(body=b"\xff" + noise(len(content))),
        ),
        ("noise like MPEG-TS", lambda content: answer(body=b"\x47" + noise(len(content)))),
        ("gone", lambda _: answer("404 Not Found")),
        ("broken off", lambda content: answer(body=content)[:-50]),
        ("failing", lambda _: answer("500 Oops")),
        ("damaged inside", lambda content: answer(body=content[:200] + bytes(len(content) - 200))),
    ],
)
def test_a_bad_segment_is_passed_over_and_times_are_kept(
    title: Title, name: str, damage: Callable[[bytes], bytes]
) -> None:
    def fault(asked: Asked, content: bytes) -> bytes | None:
        return damage(content) if asked.path.endswith(SECOND) else None

    with (
        scripted(faulty(title, fault)) as (url, _),
        opened(f"{url}/master.m3u8") as (_, split),
    ):
        got = take(split)
    assert sum(got.lost.values()) >= 1, name
    assert set(EXPECTED[:12] + EXPECTED[24:]) <= set(got.times)
    assert got.times == sorted(set(got.times))
    assert got.chunks[-1].pts - got.chunks[0].pts > 13


def test_what_fails_for_a_moment_is_asked_again(title: Title) -> None:
    failed: set[str] = set()

    def fault(asked: Asked, content: bytes) -> bytes | None:
        if asked.path in failed:
            return None
        failed.add(asked.path)
        return [answer("503 Busy"), answer(body=content)[:-10], b""][len(failed) % 3]

    with (
        scripted(faulty(title, fault)) as (url, _),
        opened(f"{url}/master.m3u8") as (film, split),
    ):
        got = take(split)
        assert film.retries > 5
    assert got.times == EXPECTED
    assert got.lost == {}


def test_a_server_that_is_gone_for_good_ends_the_film(title: Title) -> None:
    def fault(asked: Asked, _: bytes) -> bytes | None:
        gone = asked.path.endswith(".m4s") and not asked.path.endswith("00000.m4s")
        return b"" if gone else None

    with (
        scripted(faulty(title, fault)) as (url, _),
        pytest.raises(NetworkError, match="3 segments in a row") as caught,
        opened(f"{url}/master.m3u8?token=secret") as (_, split),
    ):
        take(split)
    assert "secret" not in str(caught.value)


def encrypted(content: bytes, key: bytes, iv: bytes) -> bytes:
    padder = PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return cipher.update(padder.update(content) + padder.finalize()) + cipher.finalize()


@pytest.fixture(scope="module")
def transport(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    clip = tmp_path_factory.mktemp("ts") / "clip.ts"
    return make_clip(clip, frames=12, rate=Fraction(12), width=64, height=48).read_bytes()


def test_transport_streams_of_others(transport: bytes) -> None:
    key, iv = bytes(range(16)), bytes(range(16, 32))
    files = {
        "/index.m3u8": b"""#EXTM3U
#EXT-X-TARGETDURATION:1
#EXT-X-BYTERANGE:%d@7
#EXTINF:1,
all.bin
#EXT-X-DISCONTINUITY
#EXT-X-KEY:METHOD=AES-128,URI="key",IV=0x101112131415161718191A1B1C1D1E1F
#EXTINF:1,
second.ts
#EXT-X-DISCONTINUITY
#EXT-X-KEY:METHOD=AES-128,URI="key"
#EXTINF:1,
third.ts
#EXT-X-ENDLIST
"""
        % len(transport),
        "/all.bin": b"nothing" + transport + b"nothing",
        "/second.ts": encrypted(transport, key, iv),
        "/third.ts": encrypted(transport, key, (2).to_bytes(16, "big")),
        "/key": key,
    }
    with (
        scripted(library(files, lambda _: None)) as (url, _),
        opened(f"{url}/index.m3u8") as (film, split),
    ):
        assert film.sound is None
        assert split.sound is not None
        got = take(split)
    assert got.lost == {}
    assert got.times == [Fraction(n, 12) for n in range(36)]
    gaps = [
        b.pts - a.pts - Fraction(len(a.samples), 48000)
        for a, b in zip(got.chunks, got.chunks[1:], strict=False)
    ]
    assert max(map(abs, gaps)) < Fraction(1, 10)


@pytest.mark.parametrize("muted", [False, True])
def test_what_was_played_is_closed(
    muted: bool, transport: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run, as between two discontinuities, has a decoder, which holds megabytes."""
    runs, closed = 5, list[Split]()
    close = Split.close

    def closing(split: Split) -> None:
        closed.append(split)
        close(split)

    monkeypatch.setattr(Split, "close", closing)
    run = "#EXTINF:1,\nall.ts\n"
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n" + "#EXT-X-DISCONTINUITY\n".join([run] * runs)
    files = {"/index.m3u8": f"{text}#EXT-X-ENDLIST\n".encode(), "/all.ts": transport}
    with (
        scripted(library(files, lambda _: None)) as (url, _),
        opened(f"{url}/index.m3u8") as (_, split),
    ):
        if muted:
            split.mute()
        got = take(split)
        assert len(got.frames) == 12 * runs
        assert bool(got.chunks) is not muted
        assert len(set(closed)) == runs, "before the film is"
        assert got.lost == {}


def test_a_wrong_key_is_one_clear_line(transport: bytes) -> None:
    text = b'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n'
    files = {
        "/index.m3u8": text,
        "/a.ts": encrypted(transport, bytes(16), bytes(16)),
        "/key": b"too short",
    }
    with (
        scripted(library(files, lambda _: None)) as (url, _),
        pytest.raises(InputError, match="a key of 9 bytes"),
        opened(f"{url}/index.m3u8"),
    ):
        pass


class Judged(Hosts):
    """Everything is this machine, and only ``localhost`` is known to be private."""

    def __init__(self) -> None:
        super().__init__(resolve=lambda _: ["127.0.0.1"])

    def is_private(self, name: str) -> bool:
        return name == "localhost"


@pytest.mark.parametrize("line", ["segment", "map", "key", "variant", "redirect"])
def test_no_playlist_leads_into_a_private_network(transport: bytes, line: str) -> None:
    def script(asked: Asked) -> Iterable[bytes]:
        port = asked.headers["host"].partition(":")[2]
        there = f"http://localhost:{port}"
        lines = {
            "segment": f"#EXTINF:1,\n{there}/a.ts",
            "map": f'#EXT-X-MAP:URI="{there}/a.ts"\n#EXTINF:1,\na.ts',
            "key": f'#EXT-X-KEY:METHOD=AES-128,URI="{there}/key"\n#EXTINF:1,\na.ts',
            "variant": f"#EXT-X-STREAM-INF:BANDWIDTH=1\n{there}/index.m3u8",
            "redirect": "#EXTINF:1,\nmoved.ts",
        }
        if asked.path == "/top.m3u8":
            return [answer(body=f"#EXTM3U\n{lines[line]}\n#EXT-X-ENDLIST\n".encode())]
        if asked.path == "/moved.ts":
            return [answer("302 Found", location=f"{there}/a.ts")]
        assert "localhost" not in asked.headers["host"], "it was asked"
        return [part_of(transport, asked)]

    with scripted(script) as (url, asked):
        public = url.replace("127.0.0.1", "film.example")
        with (
            pytest.raises(NetworkError, match="not on the public internet"),
            opened(f"{public}/top.m3u8", web=Web(Judged())) as (_, split),
        ):
            take(split)
    assert asked


def test_a_playlist_that_leads_to_itself() -> None:
    loop = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nindex.m3u8\n"
    with (
        scripted(lambda _: [answer(body=loop)]) as (url, asked),
        pytest.raises(InputError, match="a list of renditions where segments should be"),
    ):
        HlsFilm(f"{url}/index.m3u8", patience=HASTY)
    assert len(asked) == 2


def test_only_the_player_takes_a_playlist(title: Title) -> None:
    with (
        serving(title.folder.parent) as base,
        pytest.raises(InputError, match="is a playlist"),
    ):
        open_bytes(f"{base}/{title.path('master.m3u8')}")


def test_a_file_that_lists_others_is_not_opened(tmp_path: Path) -> None:
    make_clip(tmp_path / "private.ts")
    playlist = tmp_path / "film.m3u8"
    playlist.write_text("#EXTM3U\n#EXTINF:1,\nprivate.ts\n#EXT-X-ENDLIST\n")
    from vidlift.sources.file import FileSource

    with pytest.raises(InputError, match="a list of files"):
        FileSource(playlist)


def test_the_receipt_says_what_was_not_worth_the_work(title: Title) -> None:
    from vidlift.player.play import PlayOptions, play

    files = files_of(title)
    card = json.loads(files["/vidlift.json"])
    scores = {"bicubic-x2": [30.0] * 4, "s-x2": [31.0, 30.01, 31.0, 31.0]}
    for rendition in card["renditions"]:
        rendition["psnr_y"] = {"segments": scores, "mean": {"s-x2": 31.0, "bicubic-x2": 30.0}}
    files["/vidlift.json"] = json.dumps(card).encode()
    model = title.folder.parent / "s-x2.onnx"
    model.write_bytes(plain_network(tier="s").data)
    with scripted(library(files, lambda _: None)) as (url, _):
        receipt = play(
            f"{url}/master.m3u8",
            PlayOptions(model=str(model), display="none", duration=8.0),
        )
    assert receipt.bypassed["little to gain"] == 12
    (network,) = receipt.extra["network"]
    assert sum(network["rungs"].values()) >= 8
