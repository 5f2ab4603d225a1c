"""Playlists as servers send them: packed, under any name, too large, of ten thousand segments."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from contextlib import closing

import pytest

from support.cli import vidlift
from support.films import EXPECTED, HASTY, faulty, files_of, library, opened, publish_film, take
from support.servers import Asked, Script, answer, part_of, scripted
from vidlift.client.hls import HlsFilm
from vidlift.cloud.library import Title
from vidlift.errors import NetworkError, VidliftError
from vidlift.sources import open_entry
from vidlift.sources.hls import HlsSplit


@pytest.fixture(scope="module")
def title(tmp_path_factory: pytest.TempPathFactory) -> Title:
    return publish_film(tmp_path_factory.mktemp("lists"))


def test_no_list_at_all_is_one_line(title: Title) -> None:
    def fault(asked: Asked, _: bytes) -> bytes | None:
        return answer("500 Oops") if asked.path.endswith("index.m3u8") else None

    with scripted(faulty(title, fault)) as (url, _), pytest.raises(NetworkError, match="500 Oops"):
        HlsFilm(f"{url}/master.m3u8?token=hush", patience=HASTY, pause=lambda _: None)


def packed(title: Title, pack: Callable[[bytes], bytes]) -> Script:
    """A server that keeps its lists compressed, whatever is asked for."""
    files = files_of(title)

    def script(asked: Asked) -> Iterable[bytes]:
        content = files.get(asked.path)
        if content and asked.path.endswith(".m3u8"):
            return [answer(body=pack(content), content_encoding="gzip")]
        return [part_of(content, asked) if content else answer("404 Not Found")]

    return script


def test_lists_that_come_compressed_are_read(title: Title) -> None:
    with (
        scripted(packed(title, gzip.compress)) as (url, _),
        opened(f"{url}/master.m3u8") as (
            _,
            split,
        ),
    ):
        assert take(split).times == EXPECTED
    with scripted(packed(title, gzip.compress)) as (url, _):
        planned = vidlift("play", f"{url}/master.m3u8", "--dry-run", "-s", "2")
    assert planned.code == 0, planned.err


@pytest.mark.parametrize("name", ["film.m3u8", "FILM.M3U8?a=b", "film", "film?list=m3u8"])
def test_a_playlist_is_known_whatever_it_is_called(title: Title, name: str) -> None:
    files = files_of(title)
    files |= {"/" + name.partition("?")[0]: files["/master.m3u8"]}
    with scripted(library(files, lambda _: None)) as (url, _):
        entry = open_entry(f"{url}/{name}")
        assert isinstance(entry, HlsFilm)
        entry.close()


@pytest.mark.parametrize(
    ("pack", "said"),
    [
        (lambda text: gzip.compress(text + bytes(50_000_000)), "larger than 8000000"),
        (lambda text: gzip.compress(text)[:-9], "cut short"),
        (lambda _: b"no gzip at all", "damaged"),
    ],
    ids=["a bomb", "cut short", "none"],
)
def test_a_list_is_not_unpacked_without_end(
    title: Title, pack: Callable[[bytes], bytes], said: str
) -> None:
    with scripted(packed(title, pack)) as (url, _), pytest.raises(VidliftError, match=said):
        HlsFilm(f"{url}/master.m3u8", patience=HASTY, pause=lambda _: None)


def test_ten_thousand_segments_are_played_one_after_another(title: Title) -> None:
    files = files_of(title)
    (header,) = (path for path in files if path.endswith("48p/init.mp4"))
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:4", f'#EXT-X-MAP:URI="{header}"']
    lines += [f"#EXTINF:4,\n{header.replace('init.mp4', f'{n:05d}.m4s')}" for n in range(10_000)]
    files["/long.m3u8"] = "\n".join([*lines, "#EXT-X-ENDLIST"]).encode()
    with (
        scripted(library(files, lambda _: None)) as (url, asked),
        closing(HlsFilm(f"{url}/long.m3u8", patience=HASTY, pause=lambda _: None)) as film,
    ):
        assert film.seconds == 40_000
        with closing(HlsSplit(film)) as split:
            with pytest.raises(NetworkError, match="3 segments in a row"):
                list(split.pictures)
            assert split.pictures.lost["a segment could not be received"] == 3
    assert len(asked) < 30, "nobody asks for all of them"
