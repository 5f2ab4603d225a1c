"""A server that does exactly what a test says, down to the bytes and the broken connection."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

Script = Callable[["Asked"], Iterable[bytes]]
"""From a request to what is sent, after which the connection is closed."""


RESET = bytes(bytearray(b"reset"))
"""Sent by a script in the place of bytes: the connection is reset, not closed."""


@dataclass(frozen=True)
class Asked:
    path: str
    headers: dict[str, str]
    number: int
    """How many requests came before."""

    body: bytes
    gone: Event = field(repr=False)
    """Set when the test ends: what a silent server waits for."""

    @property
    def start(self) -> int | None:
        """First byte of the range asked for, None without one."""
        found = re.match(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(found[1]) if found else None


@contextmanager
def scripted(script: Script) -> Iterator[tuple[str, list[Asked]]]:
    """Serve on loopback by ``script``; gives the base URL and the requests as they come."""
    asked: list[Asked] = []
    gone = Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(10)
                head = b""
                while b"\r\n\r\n" not in head:
                    more = connection.recv(65536)
                    if not more:
                        break
                    head += more
                if not head:
                    continue
                head, _, body = head.partition(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").split("\r\n")
                fields = (line.partition(":") for line in lines if line)
                headers = {name.lower(): value.strip() for name, _, value in fields}
                length = int(headers.get("content-length", 0))
                while len(body) < length:
                    body += connection.recv(65536)
                request = Asked(first.split(" ")[1], headers, len(asked), body, gone)
                asked.append(request)
                for part in script(request):
                    if part is RESET:
                        connection.setsockopt(
                            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                        )
                        break
                    connection.sendall(part)

    thread = Thread(target=work, name="test-server", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        gone.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=5)


def answer(status: str = "200 OK", body: bytes = b"", **headers: str) -> bytes:
    """An answer with its length, unless ``content_length`` says another."""
    fields = {"content_length": str(len(body)), "connection": "close", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def part_of(content: bytes, asked: Asked, **headers: str) -> bytes:
    """The honest answer to a range request for ``content``."""
    start = asked.start
    if start is None:
        return answer(body=content, **headers)
    found = re.match(r"bytes=\d+-(\d*)", asked.headers["range"])
    assert found is not None
    end = min(int(found[1]) + 1, len(content)) if found[1] else len(content)
    extent = f"bytes {start}-{end - 1}/{len(content)}"
    body = content[start:end]
    return answer("206 Partial Content", body, content_range=extent, **headers)


def raw(base: str, request: bytes) -> bytes:
    """What the server at that URL answers to these very bytes, until it ends the connection."""
    with connected(base) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def connected(base: str) -> socket.socket:
    """A connection to the server at that URL."""
    host, port = base.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)
