"""Serve a library: as a program until it is stopped, or inside another one."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from vidlift.cloud.app import HEADERS_MAX, AppOptions, make_app
from vidlift.errors import InputError, NetworkError, UsageError

LOOPBACK = "127.0.0.1"

HEADERS_SECONDS = 10.0
"""From the first moment of waiting for a request to the end of its head."""

SLOWEST = 30.0
"""Seconds that a client may take for a chunk (``answer.CHUNK``) before it is cut off."""

UNSENT = 1 << 17
"""Bytes that a kernel keeps for a client beyond those on their way to it.

Kernels would take megabytes and then, from a slow client, nothing for longer than ``SLOWEST``.
"""

CONNECTIONS = 1000

REFUSED = 32
"""Connections beyond those allowed that are still told so; any further one is closed at once."""

QUEUE = 1024
"""Connections that wait to be taken."""

TAKEN = 32
"""Connections that are taken at a time."""

FILES_MIN = 256
"""Open files without which nothing is served."""

_OTHER_FILES = 32 + REFUSED + 4 * TAKEN
"""Open files besides the two, itself and what is sent, of each connection.

From being taken to being closed again a connection takes four rounds of the event loop.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    host: str = LOOPBACK
    port: int = 8080
    connections: int = CONNECTIONS
    """Connections at a time; further ones are told to come back later (503)."""

    app: AppOptions = field(default_factory=AppOptions)

    def __post_init__(self) -> None:
        if not self.host:
            raise UsageError("an address to listen on is wanted; --host 0.0.0.0 is every one")


def serve(
    library: str | Path,
    options: ServeOptions | None = None,
    *,
    tell: Callable[[str], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is under way, some seconds at most.

    ``tell`` is given the base URL, which has no slash at its end, once connections are accepted;
    ``warn`` what is less than was asked for. The process' limit of open files is raised. The
    signal then takes its usual course. Raises ``InputError``, ``NetworkError``, ``UsageError``.
    """
    options = options or ServeOptions()
    app = make_app(_folder(library), options.app)
    with _listen(options.host, options.port) as listener:
        connections = raise_files(options.connections)
        host = f"[{options.host}]" if ":" in options.host else options.host
        tell(f"http://{host}:{listener.getsockname()[1]}")
        if connections < options.connections:
            warn(f"{connections} connections at a time: more do not fit the limit of open files")
        _server(app, connections).run(sockets=[listener])


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
    the moment this returns, fewer at a time where the limit of open files is low.
    """
    app = make_app(_folder(library), options)
    with _listen(LOOPBACK, port) as listener:
        server = _server(app, _fitting(connections))
        thread = Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="vidlift-server", daemon=True
        )
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def raise_files(connections: int) -> int:
    """Let this process open the files of so many connections; returns how many it then can have.

    The hard limit stays. Raises ``UsageError`` where that is too low to serve at all.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OTHER_FILES + 2 * connections
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):  # some systems have limits that they do not tell
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return _fitting(connections)


def _fitting(connections: int) -> int:
    """As many of these as the limit of open files leaves room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return connections
    if soft < FILES_MIN:
        raise UsageError(f"to serve, {FILES_MIN} open files are wanted (ulimit -n), not {soft}")
    return min(connections, (soft - _OTHER_FILES) // 2)


def _folder(library: str | Path) -> Path:
    if library == "":
        raise InputError("no library '': publish a video into one first")
    return Path(library)


def _listen(host: str, port: int) -> socket.socket:
    """A socket that already takes connections, so that nobody waits for the server to start."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = _Listener(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise NetworkError(f"cannot serve on {host}:{port}: {error.strerror}") from error
    except (TypeError, ValueError, OverflowError) as error:
        listener.close()
        raise UsageError(f"{host!r} and {port} are no address to listen on") from error
    return listener


class _Listener(socket.socket):
    """A socket with a queue of its own length, however many are taken from it at a time."""

    def listen(self, backlog: int = QUEUE, /) -> None:
        super().listen(max(backlog, QUEUE))


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
        backlog=TAKEN,  # asyncio has one number for both; see ``_Listener``
        limit_concurrency=connections,  # as ``_Impatient`` takes it
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
        allowed = self.limit_concurrency
        assert allowed is not None
        # It is judged once: those that came before others were too many are not sent away.
        self.limit_concurrency = None if len(self.connections) <= allowed else 0
        if len(self.connections) > allowed + REFUSED:
            self.transport.abort()
            return
        with suppress(OSError):  # it may have gone already
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
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
