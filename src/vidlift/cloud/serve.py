"""Serve a library: as a program until it is stopped, or inside another one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from vidlift.cloud.app import HEADERS_MAX, AppOptions, make_app
from vidlift.errors import NetworkError

LOOPBACK = "127.0.0.1"

HEADERS_SECONDS = 10.0
"""From the first moment of waiting for a request to the end of its head."""

SLOWEST = 30.0
"""Seconds that a client may take for a chunk (``answer.CHUNK``) before it is cut off."""

CONNECTIONS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    host: str = LOOPBACK
    port: int = 8080
    connections: int = CONNECTIONS
    """Connections at a time; further ones are told to come back later (503)."""

    app: AppOptions = field(default_factory=AppOptions)


def serve(
    library: str | Path,
    options: ServeOptions | None = None,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is under way, some seconds at most.

    ``tell`` is given the base URL, which has no slash at its end, once connections are accepted.
    The signal then takes its usual course. Raises ``InputError``, ``NetworkError``.
    """
    options = options or ServeOptions()
    app = make_app(Path(library), options.app)
    with _listen(options.host, options.port) as listener:
        host = f"[{options.host}]" if ":" in options.host else options.host
        tell(f"http://{host}:{listener.getsockname()[1]}")
        _server(app, options.connections).run(sockets=[listener])


@contextmanager
def serving(
    library: str | Path,
    *,
    port: int = 0,
    options: AppOptions | None = None,
    connections: int = CONNECTIONS,
) -> Iterator[str]:
    """Serve on loopback, from a thread, as long as the context lasts; gives the base URL.

    ``port`` 0 means a free one. The URL has no slash at its end. Connections are accepted from
    the moment this returns.
    """
    app = make_app(Path(library), options)
    with _listen(LOOPBACK, port) as listener:
        server = _server(app, connections)
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
        ws="none",
        log_config=None,
        log_level="error",  # what clients do wrong is no news
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=connections + 1,  # the first that is one too many
        h11_max_incomplete_event_size=HEADERS_MAX,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


class _Impatient(H11Protocol):
    """A connection that is ended where its client lets it wait.

    For the head of a request, or for taking what was sent. What follows a head is of no use here:
    the connection ends with the answer.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._head, self._taking = _Alarm(), _Alarm()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._head.set(self.loop, HEADERS_SECONDS, self.transport.close)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._head.set(self.loop, HEADERS_SECONDS, self.transport.close)
        else:
            self._head.drop()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taking.set(self.loop, SLOWEST, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._taking.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head.drop()
        self._taking.drop()
        super().connection_lost(exc)


class _Alarm:
    """Something that is done after a time unless it is dropped before; once set it stays so."""

    _waiting: asyncio.TimerHandle | None = None

    def set(self, loop: asyncio.AbstractEventLoop, seconds: float, act: Callable[[], None]) -> None:
        if self._waiting is None:
            self._waiting = loop.call_later(seconds, act)

    def drop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
