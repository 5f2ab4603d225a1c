"""What is received of an HLS film is kept, as long as its server allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from support.films import EXPECTED, files_of, library, opened, publish_film, take
from support.servers import Asked, answer, part_of, scripted
from vidlift.cache import Cache
from vidlift.cloud.library import Title


@pytest.fixture(scope="module")
def title(tmp_path_factory: pytest.TempPathFactory) -> Title:
    return publish_film(tmp_path_factory.mktemp("hls"))


def library_that_says(
    title: Title, asked: list[Asked] | None = None, *, cache_control: str
) -> Callable[[Asked], Iterable[bytes]]:
    """A server of the title, whose files are all of version 1; ``asked`` is what it was asked."""
    files = files_of(title)
    said = {"etag": '"v1"', "cache_control": cache_control}

    def script(request: Asked) -> Iterable[bytes]:
        if asked is not None:
            asked.append(request)
        if request.headers.get("if-none-match") == '"v1"':
            return [answer("304 Not Modified", b"", **said)]
        content = files.get(request.path)
        return [part_of(content, request, **said) if content else answer("404 Not Found")]

    return script


def test_a_seek_back_asks_for_nothing_again(title: Title, tmp_path: Path) -> None:
    asked: list[str] = []
    files = files_of(title)

    def note(request: Asked) -> None:
        asked.append(request.path)

    with (
        scripted(library(files, note)) as (url, _),
        opened(f"{url}/master.m3u8", cache=Cache(tmp_path, most=10**7)) as (film, split),
    ):
        take(split)
        received, before = film.received, list(asked)
        split.seek(split.pictures.begins)
        assert take(split).times == EXPECTED
        assert asked == before
        assert film.received == received
        assert film.report()["bytes_from_cache"] > 0
    with (
        scripted(library(files, note)) as (url, _),
        opened(f"{url}/master.m3u8?token=hush", cache=Cache(tmp_path, most=10**7)) as (film, split),
    ):
        assert take(split).times == EXPECTED, "another address: nothing of it is known"
        assert film.report()["bytes_from_cache"] == 0
    assert not [p for p in tmp_path.iterdir() if b"hush" in p.name.encode() + p.read_bytes()]


def test_a_copy_that_has_expired_is_asked_about(title: Title, tmp_path: Path) -> None:
    asked: list[Asked] = []
    with (
        scripted(library_that_says(title, asked, cache_control="no-cache")) as (url, _),
        opened(f"{url}/master.m3u8", cache=Cache(tmp_path, most=10**7)) as (film, split),
    ):
        take(split)
        received = film.received
        asked.clear()
        split.seek(split.pictures.begins)
        assert take(split).times == EXPECTED
        assert film.received == received
        assert asked
        assert all(request.headers["if-none-match"] == '"v1"' for request in asked)


def test_what_is_not_to_be_stored_is_not(title: Title, tmp_path: Path) -> None:
    with (
        scripted(library_that_says(title, cache_control="private, no-store")) as (url, _),
        opened(f"{url}/master.m3u8", cache=Cache(tmp_path, most=10**7)) as (film, split),
    ):
        take(split)
        received = film.received
        split.seek(split.pictures.begins)
        assert take(split).times == EXPECTED
        assert film.received > received
    assert not list(tmp_path.iterdir())
