"""The server and clients that are slow, many, large, gone or hostile; and how it stops."""

from __future__ import annotations

import json
import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from support.cli import vidlift
from support.logs import Log
from support.servers import connected, raw
from vidlift.cloud import serve
from vidlift.cloud.app import HEADERS_MAX, AppOptions
from vidlift.cloud.serve import serving
from vidlift.cloud.tokens import read_keys

FILM = 24 << 20
"""Bytes of a file that no buffer between server and client holds."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("limits") / "library"
    (root / "film").mkdir(parents=True)
    with (root / "film" / "270p.mp4").open("wb") as film:
        film.truncate(FILM)
    return root


def ask(connection: socket.socket, path: str = "/film/270p.mp4", more: str = "") -> None:
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\n{more}\r\n".encode())


def test_a_client_that_does_not_take_what_it_asked_for_is_cut_off(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "SLOWEST", 0.1)
    log = Log()
    with serving(library, options=AppOptions(log=log)) as base, connected(base) as connection:
        ask(connection)
        line = log.line_of("/film/270p.mp4", status=499)
        assert 0 < line["bytes"] < FILM
        assert sum(map(len, iter(lambda: connection.recv(1 << 20), b""))) < FILM


def test_what_waits_for_a_slow_client_is_little(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client is judged by when it makes room: kernels would let it wait for megabytes."""
    monkeypatch.setattr(serve, "SLOWEST", 0.5)
    log = Log()
    with serving(library, options=AppOptions(log=log)) as base, slow(base) as connection:
        ask(connection)
        assert log.line_of("/film/270p.mp4", status=499)["bytes"] < 1 << 20


@contextmanager
def slow(base: str) -> Iterator[socket.socket]:
    """A connection of a client that has room for little."""
    host, port = base.removeprefix("http://").split(":")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        connection.settimeout(10)
        connection.connect((host, int(port)))
        yield connection


def test_for_a_client_that_has_gone_nothing_more_is_read(library: Path) -> None:
    log = Log()
    with serving(library, options=AppOptions(log=log)) as base:
        with connected(base) as connection:
            ask(connection)
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        assert log.line_of("/film/270p.mp4", status=499)["bytes"] < FILM
        figures = httpx2.get(f"{base}/metrics").text
        assert 'vidlift_requests_total{kind="file",status="499"} 1.0' in figures
        assert "vidlift_requests_under_way 1.0" in figures, "that of this question alone"


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: "])
def test_a_head_that_does_not_come_is_not_waited_for(
    library: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(serve, "HEADERS_SECONDS", 0.1)
    with serving(library) as base:
        assert raw(base, begun) == b""


def test_a_second_head_is_not_waited_for_either(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "HEADERS_SECONDS", 0.1)
    with serving(library) as base, connected(base) as connection:
        ask(connection, "/healthz")
        answer = b""
        while not answer.endswith(b"ok\n"):
            answer += connection.recv(1000)
        connection.sendall(b"GET /healthz HT")
        assert connection.recv(1000) == b""


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_follows_a_head_is_not_read(library: Path, method: str) -> None:
    with serving(library) as base:
        head = f"{method} /nothing.mp4 HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n"
        answer = raw(base, head.encode())
    assert answer.split(b" ")[1] in (b"404", b"405")


def test_connections_that_are_too_many(library: Path) -> None:
    with serving(library, connections=2) as base, ExitStack() as held:
        two = [held.enter_context(connected(base)) for _ in range(2)]
        for connection in two:
            ask(connection, "/healthz")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert httpx2.get(f"{base}/healthz").status_code == 503
        two[0].close()
        # It is known to be closed a moment later: asked again and again until then.
        statuses = (httpx2.get(f"{base}/healthz").status_code for _ in range(1000))
        assert 200 in statuses


def ended(connection: socket.socket) -> bool:
    """Whether the server ends it; waits for that."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_connections_far_too_many_are_not_held(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "REFUSED", 1)
    with serving(library, connections=1) as base, ExitStack() as held:
        first, second, third = (held.enter_context(connected(base)) for _ in range(3))
        assert ended(third), "though it said nothing"
        for connection, status in ((first, b"200"), (second, b"503")):
            ask(connection, "/healthz", "connection: close\r\n")
            assert connection.recv(1000).split(b" ")[1] == status


def test_many_idle_connections_do_not_use_up_the_files(library: Path) -> None:
    few = ["sh", "-c", 'ulimit -n 256; exec "$0" "$@"']
    with served(library, few) as (base, server), ExitStack() as held:
        opened = [held.enter_context(connected(base)) for _ in range(300)]
        assert all(ended(connection) for connection in opened[200:])
        ask(opened[0], "/healthz")
        assert opened[0].recv(100).startswith(b"HTTP/1.1 200 ")
        assert server.stderr is not None
        server.terminate()
        assert "Too many open files" not in server.stderr.read()


def test_too_few_files_to_serve_at_all(library: Path) -> None:
    few = ["sh", "-c", 'ulimit -n 64; exec "$0" "$@"']
    with served(library, few) as (said, server):
        assert server.wait(timeout=10) == 2
        assert said == "64", "the end of what it said"


def test_the_limit_of_files_is_raised_as_far_as_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(wanted: int, *limits: int) -> tuple[int, list[tuple[int, int]]]:
        made: list[tuple[int, int]] = []
        monkeypatch.setattr(resource, "getrlimit", lambda _: made[-1] if made else limits)
        monkeypatch.setattr(resource, "setrlimit", lambda _, new: made.append(new))
        return serve.raise_files(wanted), made

    assert fit(1000, 1024, 524288) == (1000, [(2192, 524288)])
    assert fit(1000, 1024, resource.RLIM_INFINITY) == (1000, [(2192, resource.RLIM_INFINITY)])
    assert fit(1000, 1024, 1024) == (416, [])
    assert fit(100, 1024, 1024) == (100, [])
    assert fit(1000, 4096, 4096) == (1000, [])


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("x: " + "a" * (HEADERS_MAX // 2), b"200"),
        ("x: " + "a" * HEADERS_MAX, b"431"),
        ("\r\n".join(f"x{n}: y" for n in range(4000)), b"431"),
        ("x: " + "a" * 40 * HEADERS_MAX, b"400"),
        ("x: \x00", b"400"),
        ("transfer-encoding: chunked\r\ncontent-length: 3", b"200"),
        ("connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13", b"200"),
        ("expect: 100-continue", b"200"),
    ],
    ids=["half", "whole", "many", "without-end", "nul", "two-lengths", "upgrade", "expect"],
)
def test_heads(library: Path, head: str, status: bytes) -> None:
    request = f"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n\r\n"
    with serving(library) as base, connected(base) as connection:
        connection.sendall(request.encode())
        assert connection.recv(100).split(b" ")[1] == status


def test_a_path_that_is_too_long(library: Path) -> None:
    with serving(library) as base, connected(base) as connection:
        ask(connection, "/film/" + "a" * HEADERS_MAX + ".mp4")
        assert connection.recv(100).startswith(b"HTTP/1.1 431 ")


def test_a_card_that_is_none_does_not_take_the_catalogue_down(tmp_path: Path) -> None:
    for name, text in {
        "a": "{}",
        "b": "[]",
        "c": '{"playlist": "x.m3u8", "renditions": [{}]}',
        "d": "\xff",
        "e": '{"playlist": "x.m3u8", "renditions": [{"width": 1, "height": 1}]}',
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "vidlift.json").write_bytes(text.encode("latin-1"))
    with serving(tmp_path) as base:
        listed = httpx2.get(f"{base}/catalogue.json").json()["titles"]
        page = httpx2.get(base + "/")
    assert [title["name"] for title in listed] == ["e"]
    assert page.status_code == 200


def test_keys_are_rotated_while_it_serves(library: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    old, new = "k1:the-old-secret-of-all", "k2:another-secret-newer"

    def links() -> list[int]:
        return [httpx2.head(f"{base}{link}/270p.mp4").status_code for link in made]

    def sign() -> str:
        return read_keys(secrets).sign("/film", expires=4_000_000_000)

    secrets.write_text(old)
    with serving(library, options=AppOptions(secret_file=secrets)) as base:
        made = [sign()]
        secrets.write_text(f"{new}\n{old}\n")
        made.append(sign())
        assert links() == [200, 200]
        secrets.write_text(f"{new}\n")
        assert links() == [403, 200]


def test_no_way_of_writing_a_link_brings_it_into_the_log(library: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text("k1:a-secret-for-this-test")
    link = read_keys(secrets).sign("/film", expires=4_000_000_000)
    proof = link.split(".")[3].partition("/")[0]
    log = Log()
    ways = [
        link + "/270p.mp4",
        link.replace("~", "%7e") + "/270p.mp4",
        link.replace("~", "%257E") + "/270p.mp4",
        link.replace("~", "%25257e") + "/270p.mp4",
        link.replace("/film", "%2ffilm"),
        "/x" + link + "/270p.mp4",
        "/film/270p.mp4?" + link,
        "/" + link + "/../270p.mp4",
    ]
    with serving(library, options=AppOptions(secret_file=secrets, log=log)) as base:
        for way in ways:
            raw(base, f"HEAD {way} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        asked = {"x-original-uri": link + "/270p.mp4", "referer": base + link}
        assert httpx2.get(f"{base}/auth", headers=asked).status_code == 204
        log.line_of("/auth", status=204)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert len(lines) == len(ways) + 1
    assert proof not in log.getvalue()
    assert [line["status"] for line in lines[:-1]] == [200] + 6 * [403] + [404]


class Full(Log):
    """A log on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_stops_nothing(library: Path) -> None:
    with serving(library, options=AppOptions(log=Full())) as base:
        assert httpx2.get(f"{base}/healthz").text == "ok\n"
        assert httpx2.get(f"{base}/film/270p.mp4").status_code == 200
        figures = httpx2.get(f"{base}/metrics").text
    (lost,) = re.findall(r"^vidlift_log_lines_lost_total (.*)$", figures, re.MULTILINE)
    assert float(lost) >= 1, "that of the first answer"


@contextmanager
def served(library: Path, under: Sequence[str] = ()) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """``vidlift cloud serve`` as a program of its own, and its address."""
    program = [*under, sys.executable, "-m", "vidlift"]
    command = [*program, "cloud", "serve", str(library), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stderr is not None
            yield server.stderr.readline().split()[-1].rstrip("/"), server
        finally:
            server.kill()


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)]
)
def test_what_is_under_way_is_finished_when_it_stops(
    library: Path, sent: signal.Signals, code: int
) -> None:
    with served(library) as (base, server), connected(base) as connection:
        ask(connection)
        received = len(connection.recv(1 << 16).partition(b"\r\n\r\n")[2])
        server.send_signal(sent)
        while True:  # until nobody listens any longer
            try:
                connected(base).close()
            except ConnectionRefusedError:
                break
            except ConnectionResetError:  # it stopped listening while this one was waiting
                continue
        while part := connection.recv(1 << 20):
            received += len(part)
        assert received == FILM
        out, _ = server.communicate(timeout=10)
        assert server.returncode == code
    (line,) = (json.loads(line) for line in out.splitlines())
    assert (line["path"], line["status"], line["bytes"]) == ("/film/270p.mp4", 200, FILM)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["/nosuch"], 3, "no library"),
        (["LIBRARY", "--secret-file", "/nosuch"], 3, "secret file"),
        (["LIBRARY", "--host", "203.0.113.1"], 5, "cannot serve on 203.0.113.1:"),
        (["LIBRARY", "--cors", "example.org"], 2, "https://example.org"),
        (["LIBRARY", "--host", ""], 2, "--host 0.0.0.0"),
        (["LIBRARY", "--host", "\u00fc..x"], 2, "no address"),
        (["LIBRARY", "--host", "nosuch.invalid"], 5, "cannot serve on nosuch.invalid:"),
        (["", "--port", "0"], 3, "no library"),
        (["LIBRARY", "--connections", "0"], 2, "--connections"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    library: Path, arguments: list[str], code: int, says: str
) -> None:
    wanted = [str(library) if a == "LIBRARY" else a for a in arguments]
    ended = vidlift("cloud", "serve", *wanted)
    assert ended.code == code
    assert says in ended.complaint


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([""], "a path in a library"),
        (["../film"], "a path in a library"),
        (["https://x.example/film"], "a path in a library"),
        (["film", "--depth", "3"], "'film' has 1 folders, 3 cannot be covered"),
        (["film", "--hours", "inf"], "--hours"),
        (["film", "--hours", "0"], "--hours"),
        (["film", "--hours", "nan"], "--hours"),
    ],
)
def test_what_cannot_be_signed_is_one_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text("k1:a-secret-for-this-test")
    ended = vidlift("cloud", "sign", *arguments, "--secret-file", secrets)
    assert ended.code == 2
    assert says in ended.complaint
