"""Bytes arrive whole and in order whatever the server does, or there is one clear line."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from threading import Event, Thread

import pytest

from support.servers import Asked, answer, part_of, scripted
from vidlift.client.download import BLOCK, Download, Limits, Patience
from vidlift.client.hosts import Hosts
from vidlift.client.web import Web
from vidlift.errors import NetworkError

PATIENCE = 5.0
"""Seconds after which what should have ended has hung: a silent server is given longer."""

CONTENT = bytes(range(256)) * (5 * BLOCK // 256) + b"the end"


def fetch(url: str, **options: object) -> bytes:
    waited: list[float] = []
    with closing(Web()) as web:
        download = Download(web, url, pause=waited.append, **options)  # type: ignore[arg-type]
        return b"".join(download)


def broken_off(asked: Asked) -> Iterator[bytes]:
    """Gives 100,000 bytes a request and hangs up."""
    whole = part_of(CONTENT, asked, etag='"a"')
    yield whole[:100_000]


def test_a_connection_that_breaks_is_resumed_by_range() -> None:
    with scripted(broken_off) as (url, asked):
        assert fetch(url) == CONTENT
    assert len(asked) > 2
    assert asked[1].start is not None
    assert asked[1].start > 0
    assert asked[1].headers["if-range"] == '"a"'


def test_without_ranges_it_starts_over_and_skips() -> None:
    def script(asked: Asked) -> Iterable[bytes]:
        whole = answer(body=CONTENT)
        return [whole if asked.number else whole[:100_000]]

    with scripted(script) as (url, asked):
        assert fetch(url) == CONTENT
    assert len(asked) == 2


@pytest.mark.parametrize("status", ["500 Oops", "503 Busy", "429 Slow down", "408 Late"])
def test_not_now_is_asked_again(status: str) -> None:
    def script(asked: Asked) -> Iterable[bytes]:
        return [part_of(CONTENT, asked) if asked.number == 2 else answer(status)]

    with scripted(script) as (url, _):
        assert fetch(url) == CONTENT


def test_no_is_final() -> None:
    with (
        scripted(lambda _: [answer("404 Not Found")]) as (url, asked),
        pytest.raises(NetworkError, match="404 Not Found"),
    ):
        fetch(f"{url}/film.mp4?token=secret")
    assert len(asked) == 1


def test_patience_ends_with_one_line_and_without_secrets() -> None:
    with (
        scripted(lambda _: [b""]) as (url, asked),
        pytest.raises(NetworkError, match="tried 3 times") as caught,
    ):
        fetch(f"{url}/film.mp4?token=secret")
    assert len(asked) == 3
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_gives_a_little_each_time_is_given_up() -> None:
    def script(asked: Asked) -> Iterable[bytes]:
        return [part_of(CONTENT, asked, etag='"a"')[:200]]

    with scripted(script) as (url, _), pytest.raises(NetworkError, match="tried 8 times"):
        fetch(url)


def test_a_file_that_changed_meanwhile_is_refused() -> None:
    def script(asked: Asked) -> Iterable[bytes]:
        whole = part_of(CONTENT, asked, etag=f'"{asked.number}"')
        return [whole[:100_000]]

    with scripted(script) as (url, _), pytest.raises(NetworkError, match="changed"):
        fetch(url)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"content_range": "bytes 5-9/10"}, "got from 5"),
        ({"content_range": "bytes x-y/z"}, "does not say which"),
        ({"content_range": f"bytes 0-9/{'9' * 30}"}, "does not say which"),
        ({}, "does not say which"),
    ],
)
def test_a_part_that_is_not_the_one_asked_for(headers: dict[str, str], message: str) -> None:
    lie = answer("206 Partial Content", b"12345", **headers)
    with scripted(lambda _: [lie]) as (url, _), pytest.raises(NetworkError, match=message):
        fetch(url)


def test_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = answer(body=gzip.compress(bytes(10_000_000)), content_encoding="gzip")
    with scripted(lambda _: [bomb]) as (url, _), pytest.raises(NetworkError, match="compressed"):
        fetch(url)


def endless(_: Asked) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
    while True:
        yield bytes(BLOCK)


def test_a_resource_that_never_ends() -> None:
    with scripted(endless) as (url, _), pytest.raises(NetworkError, match="larger than"):
        fetch(url, limits=Limits(bytes=10 * BLOCK))


def test_a_resource_that_trickles() -> None:
    ticks = iter(range(10_000))
    with scripted(endless) as (url, _), pytest.raises(NetworkError, match="took longer than 5 s"):
        fetch(url, limits=Limits(seconds=5), clock=lambda: float(next(ticks)))


def test_a_part_is_all_that_is_taken() -> None:
    with scripted(lambda asked: [part_of(CONTENT, asked)]) as (url, asked):
        assert fetch(url, start=1000, end=3000) == CONTENT[1000:3000]
    assert asked[0].headers["range"] == "bytes=1000-2999"


@contextmanager
def deaf() -> Iterator[str]:
    """The address of a server that takes no connection: as many wait as it lets wait."""
    with ExitStack() as waiting:
        listener = waiting.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            each = waiting.enter_context(socket.socket())
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


class Phase:
    """Where in an exchange a server falls silent, and the URL that leads there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reached, self.over = Event(), Event()

    def resolve(self, name: str) -> list[str]:
        if self.name in ("name", "connection", "encryption", "pause"):
            self.reached.set()
        if self.name == "name":
            self.over.wait(60)
        return [name]

    def script(self, asked: Asked) -> Iterator[bytes]:
        if self.name == "body":
            yield answer(content_length="1000")
        elif self.name == "midst":
            yield answer(body=bytes(10), content_length="1000")
        self.reached.set()
        asked.gone.wait(60)

    @contextmanager
    def url(self) -> Iterator[str]:
        with scripted(self.script) as (url, _), deaf() as nobody:
            yield {
                "name": "http://film.example",
                "connection": nobody,
                "encryption": url.replace("http", "https"),
                "pause": "http://127.0.0.1:9",
            }.get(self.name, url)
        self.over.set()
        for thread in threading.enumerate():
            if thread.name == "vidlift-aside":
                thread.join(PATIENCE)


@pytest.mark.parametrize(
    "name", ["name", "connection", "encryption", "headers", "body", "midst", "pause"]
)
def test_cancel_ends_a_silent_download(name: str) -> None:
    phase, patience = Phase(name), Patience(first=1000, longest=1000)
    errors: list[Exception] = []
    with phase.url() as url, closing(Web(Hosts(phase.resolve))) as web:
        download = Download(web, url, patience=patience)

        def receive() -> None:
            try:
                list(download)
            except NetworkError as error:
                errors.append(error)

        receiver = Thread(target=receive, daemon=True)
        receiver.start()
        assert phase.reached.wait(PATIENCE)
        download.cancel()
        receiver.join(PATIENCE)
        assert not receiver.is_alive()
    assert [str(error) for error in errors] == [f"{url}: stopped"]


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://example.org/", "//user@:0/", "data:text/plain,x"],
)
def test_redirects_are_judged(location: str) -> None:
    redirect = answer("302 Found", location=location)
    with (
        scripted(lambda _: [redirect]) as (url, _),
        pytest.raises(NetworkError, match=r"refused|no URL"),
    ):
        fetch(url)


def test_redirects_are_followed_and_counted() -> None:
    def script(asked: Asked) -> Iterable[bytes]:
        if asked.path == "/round":
            return [answer("302 Found", location="/round")]
        if asked.path == "/old":
            return [answer("301 Moved", location="new?x=1")]
        return [part_of(CONTENT, asked)]

    with scripted(script) as (url, _):
        assert fetch(f"{url}/old") == CONTENT
        with pytest.raises(NetworkError, match="redirected more than"):
            fetch(f"{url}/round")


def test_delays_grow_and_are_bounded() -> None:
    patience = Patience(first=1, longest=8)
    delays = [patience.delay(n, asked=None, chance=0.999) for n in range(1, 9)]
    assert delays == sorted(delays)
    assert delays[-1] <= 8
    assert patience.delay(1, asked=20.0, chance=0) == 20
    assert patience.delay(1, asked=None, chance=0) == 0.5
