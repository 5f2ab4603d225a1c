"""A file behind a URL reads and seeks as one on the disk does."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.servers import Asked, Script, answer, part_of, scripted
from vidlift.cache import Cache
from vidlift.client.download import BLOCK, Patience
from vidlift.client.fetch import FORWARD_BLOCKS, HttpFile
from vidlift.errors import InputError, NetworkError

CONTENT = random.Random(1).randbytes(40 * BLOCK + 123)


def honest(asked: Asked) -> Iterable[bytes]:
    return [part_of(CONTENT, asked, etag='"a"')]


def no_ranges(_: Asked) -> Iterable[bytes]:
    return [answer(body=CONTENT)]


@pytest.mark.parametrize("script", [honest, no_ranges])
def test_reads_as_the_disk_does(script: Script) -> None:
    with scripted(script) as (url, _), closing(HttpFile(url)) as file:
        assert file.read() == CONTENT
        assert file.read(1) == b""
        file.seek(5)
        assert file.read(7) == CONTENT[5:12]
        file.seek(-9, io.SEEK_END)
        assert file.read(99) == CONTENT[-9:]
        assert file.seek(9, io.SEEK_END) == len(CONTENT) + 9
        assert file.read(1) == b""


@settings(max_examples=20)
@given(
    moves=st.lists(st.tuples(st.integers(0, len(CONTENT)), st.integers(0, 2 * BLOCK)), max_size=4),
    ranges=st.booleans(),
)
def test_seeks_as_the_disk_does(moves: list[tuple[int, int]], ranges: bool) -> None:
    with (
        scripted(honest if ranges else no_ranges) as (url, _),
        closing(HttpFile(url, ahead_blocks=2, kept_blocks=3)) as file,
    ):
        for place, size in moves:
            file.seek(place)
            got = b""
            while len(got) < size and (part := file.read(size - len(got))):
                got += part
            assert got == CONTENT[place : place + size]
            assert file.tell() == place + len(got)


def test_memory_is_bounded_and_what_is_kept_is_not_asked_again() -> None:
    with scripted(honest) as (url, asked), closing(HttpFile(url)) as file:
        assert file.read(10) == CONTENT[:10]
        file.seek(2 * BLOCK)
        assert file.read(10) == CONTENT[2 * BLOCK :][:10]
        file.seek(0)
        assert file.read(10) == CONTENT[:10]
        assert len(asked) == 1
        file.seek((FORWARD_BLOCKS + 10) * BLOCK)
        assert file.read(10) == CONTENT[(FORWARD_BLOCKS + 10) * BLOCK :][:10]
        assert len(asked) == 2


def test_what_memory_let_go_of_comes_from_the_disk(tmp_path: Path) -> None:
    with scripted(honest) as (url, asked):
        with closing(HttpFile(url, cache=Cache(tmp_path, most=10**7), kept_blocks=2)) as file:
            assert read_all(file) == CONTENT
            file.seek(BLOCK)
            assert file.read(10) == CONTENT[BLOCK:][:10]
            assert len(asked) == 1
            assert file.saved == BLOCK
        with closing(HttpFile(url, cache=Cache(tmp_path, most=10**7))) as file:
            file.seek(30 * BLOCK)
            assert file.read(10) == CONTENT[30 * BLOCK :][:10]
            assert len(asked) == 2, "it is asked whether the file is still the same"


@pytest.mark.parametrize(
    "said", [{"etag": '"b"'}, {}, {"etag": '"a"', "cache_control": "no-store"}]
)
def test_blocks_of_another_version_are_not_taken(tmp_path: Path, said: dict[str, str]) -> None:
    cache = Cache(tmp_path, most=10**7)
    with scripted(lambda asked: [part_of(CONTENT, asked, **said)]) as (url, _):
        with closing(HttpFile(url, cache=cache, kept_blocks=2)) as file:
            read_all(file)
        said["etag"] = '"c"'
        with closing(HttpFile(url, cache=cache, kept_blocks=2)) as file:
            assert read_all(file) == CONTENT
            assert file.saved == 0


def read_all(file: HttpFile) -> bytes:
    found = bytearray()
    while part := file.read(BLOCK):
        found += part
    return bytes(found)


def test_a_stream_without_a_length_is_read_forward_only() -> None:
    body = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + CONTENT
    with scripted(lambda _: [body]) as (url, _), closing(HttpFile(url)) as file:
        assert not file.seekable()
        with pytest.raises(io.UnsupportedOperation):
            file.seek(5)
        assert file.read() == CONTENT


@pytest.mark.parametrize(
    "said",
    [
        answer("416 Range Not Satisfiable", content_range="bytes */0"),
        answer(),
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
    ],
    ids=["no such part", "no length", "nothing"],
)
def test_an_empty_file(said: bytes) -> None:
    with (
        scripted(lambda _: [said]) as (url, asked),
        pytest.raises(InputError, match=r"film\.mp4 is empty"),
    ):
        HttpFile(f"{url}/film.mp4")
    assert len(asked) == 1


def test_a_file_that_is_emptied_meanwhile() -> None:
    def script(asked: Asked) -> Iterable[bytes]:
        if asked.number == 0:
            return [part_of(CONTENT, asked)[: 2 * BLOCK]]
        return [answer("416 Range Not Satisfiable", content_range="bytes */0")]

    with (
        scripted(script) as (url, _),
        closing(HttpFile(url, patience=Patience(first=0.001, longest=0.001))) as file,
        pytest.raises(NetworkError, match="is empty on the server"),
    ):
        read_all(file)


def test_it_fails_once_and_then_ends() -> None:
    """FFmpeg asks on before it lets an error through, and PyAV prints a second one."""
    with (
        scripted(
            lambda asked: [part_of(CONTENT, asked)[: 2 * BLOCK] if not asked.number else b""]
        ) as (url, _),
        closing(HttpFile(url, patience=Patience(first=0.001, longest=0.001))) as file,
    ):
        with pytest.raises(NetworkError):
            read_all(file)
        assert file.read(1) == b""


def test_ctrl_c_is_not_lost_where_a_library_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    def press(_file: HttpFile, _index: int) -> bytes:
        raise KeyboardInterrupt

    with scripted(honest) as (url, _), closing(HttpFile(url)) as file:
        monkeypatch.setattr(HttpFile, "_block", press)
        with pytest.raises(NetworkError, match="interrupted"):
            file.read(1)
        assert isinstance(file.interrupted, KeyboardInterrupt)


def test_a_server_that_fails_for_good_ends_the_reading() -> None:
    def script(asked: Asked) -> Iterable[bytes]:
        return [part_of(CONTENT, asked)[: 2 * BLOCK] if asked.number == 0 else b""]

    hasty = Patience(first=0.001, longest=0.001)
    with (
        scripted(script) as (url, _),
        closing(HttpFile(url, patience=hasty)) as file,
        pytest.raises(NetworkError, match="tried 8 times"),
    ):
        file.read()


def test_close_wakes_a_reader() -> None:
    def script(asked: Asked) -> Iterable[bytes]:
        yield part_of(CONTENT, asked)[: 2 * BLOCK]
        asked.gone.wait(10)

    errors: list[Exception] = []
    with scripted(script) as (url, _):
        file = HttpFile(url)

        def read() -> None:
            try:
                file.read()
            except Exception as error:
                errors.append(error)

        reader = Thread(target=read)
        reader.start()
        while file.received < BLOCK:
            pass
        file.close()
        reader.join(5)
        assert not reader.is_alive()
    assert errors
