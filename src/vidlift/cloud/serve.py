"""Serve a library: as a program until it is stopped, or inside another one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import uvicorn
from starlette.applications import Starlette

from vidlift.cloud.app import make_app
from vidlift.errors import NetworkError

LOOPBACK = "127.0.0.1"


def serve(library: str | Path, *, host: str = LOOPBACK, port: int = 8080) -> None:
    """Serve until interrupted. Raises ``InputError``, ``NetworkError``."""
    listener = _listen(host, port)
    with listener:
        _server(make_app(Path(library))).run(sockets=[listener])


@contextmanager
def serving(library: str | Path, *, port: int = 0) -> Iterator[str]:
    """Serve on loopback, from a thread, as long as the context lasts; gives the base URL.

    ``port`` 0 means a free one. The URL has no slash at its end. Connections are accepted from
    the moment this returns.
    """
    app = make_app(Path(library))
    with _listen(LOOPBACK, port) as listener:
        server = _server(app)
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


def _server(app: Starlette) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)
