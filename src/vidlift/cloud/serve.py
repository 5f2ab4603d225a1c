"""Serve a library: as a program until it is stopped, or inside another one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from vidlift.cloud.app import AppOptions, make_app
from vidlift.errors import NetworkError

LOOPBACK = "127.0.0.1"

HEADERS_MAX = 16 << 10
"""Bytes of a request's head."""

HEADERS_SECONDS = 10.0
"""From the first moment of waiting for a request to the end of its head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    host: str = LOOPBACK
    port: int = 8080
    connections: int = 1000
    """Connections at a time; further ones are told to come back later (503)."""

    app: AppOptions = field(default_factory=AppOptions)


def serve(library: str | Path, options: ServeOptions | None = None) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is under way, some seconds at most.

    Raises ``InputError``, ``NetworkError``.
    """
    options = options or ServeOptions()
    app = make_app(Path(library), options.app)
    with _listen(options.host, options.port) as listener:
        _server(app, options.connections).run(sockets=[listener])


@contextmanager
def serving(
    library: str | Path, *, port: int = 0, options: AppOptions | None = None
) -> Iterator[str]:
    """Serve on loopback, from a thread, as long as the context lasts; gives the base URL.

    ``port`` 0 means a free one. The URL has no slash at its end. Connections are accepted from
    the moment this returns.
    """
    app = make_app(Path(library), options)
    with _listen(LOOPBACK, port) as listener:
        server = _server(app, ServeOptions().connections)
        thread = Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="vidlift-server", daemon=True
        )
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _listen(host: str, port: int) -> socket.socket:
    """A socket that already takes connections, so that nobody waits for the server to start."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise NetworkError(f"cannot serve on {host}:{port}: {error.strerror}") from error
    return listener


def _server(app: ASGIApp, connections: int) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=_Impatient,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=connections,
        h11_max_incomplete_event_size=HEADERS_MAX,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


class _Impatient(H11Protocol):
    """A connection that is closed when the head of a request does not come in time."""

    _alarm: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._set_alarm()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            if self._alarm is None:
                self._set_alarm()
        else:
            self._unset_alarm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_alarm()
        super().connection_lost(exc)

    def _set_alarm(self) -> None:
        self._alarm = self.loop.call_later(HEADERS_SECONDS, self.transport.close)

    def _unset_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
