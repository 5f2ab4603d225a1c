"""Connections to pinned addresses: what the HTTP library below ``Web`` speaks through.

Its own, but that whoever waits for a server can be told to leave (``waits.py``).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from threading import Event
from typing import Any

import httpcore2

from vidlift.client.hosts import Hosts
from vidlift.client.waits import LeftError, in_steps, waited_for


class PinnedBackend(httpcore2.NetworkBackend):
    """Connects to no other addresses than those of ``hosts``."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        failed: Exception | None = None
        for address in self._hosts.addresses(host):
            where = str(address), port, timeout, local_address, socket_options
            try:
                return _connected(partial(self._sockets.connect_tcp, *where))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                if isinstance(error.__cause__, LeftError):
                    raise
                failed = error
        raise failed or httpcore2.ConnectError(f"{host} has no address")


class Connection(httpcore2.NetworkStream):
    """A stream of the library's, read a little at a time. One thread at a time."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        def step(seconds: float) -> bytes:
            try:
                return self._stream.read(max_bytes, seconds)
            except httpcore2.ReadTimeout as late:
                raise TimeoutError from late

        try:
            return in_steps(step, timeout)
        except TimeoutError as error:
            raise httpcore2.ReadTimeout("timed out") from error
        except LeftError as error:
            raise httpcore2.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)  # requests are short: nobody waits here

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        with self._stream.get_extra_info("socket").dup() as same:  # it takes ours away
            try:
                return _connected(
                    lambda: self._stream.start_tls(ssl_context, server_hostname, timeout)
                )
            except httpcore2.ConnectError:
                with suppress(OSError):  # it has ended by itself
                    same.shutdown(socket.SHUT_RDWR)
                raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _connected(connect: Callable[[], httpcore2.NetworkStream]) -> Connection:
    """What ``connect`` gives, which waits for as long as it likes; closed where nobody does."""
    left, made = Event(), list[httpcore2.NetworkStream]()

    def work() -> None:
        made.append(connect())
        if left.is_set():
            made[0].close()

    try:
        waited_for(work)
    except LeftError as error:
        left.set()
        for stream in made:
            stream.close()
        raise httpcore2.ConnectError(str(error)) from error
    return Connection(made[0])
