"""One GET under the rules: redirects judged hop by hop, addresses pinned, failures told apart."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any
from urllib.parse import urljoin

import httpcore2
import httpx2

from vidlift import __version__
from vidlift.client.hosts import Hosts, shown
from vidlift.errors import NetworkError

REDIRECTS_MAX = 8
CONNECT_SECONDS = 10.0
READ_SECONDS = 15.0
"""Longest silence of a server that is meant to be sending."""

NOT_MODIFIED = 304

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that say "not now" rather than "no"."""

RETRY_AFTER_MAX = 30.0


class TransientError(NetworkError):
    """A failure that may pass: worth trying again."""

    def __init__(self, message: str, *, after: float | None = None, reached: bool = True) -> None:
        super().__init__(message)
        self.reached = reached
        """Whether the server was there at all."""

        self.after = after
        """Seconds that the server asked to wait."""


class Web:
    """Asks servers for one film: connections are kept, names pinned. Threads may share it."""

    def __init__(self, hosts: Hosts | None = None) -> None:
        self._hosts = hosts or Hosts()
        self._client = httpx2.Client(
            transport=_Pinned(self._hosts),
            timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            headers={"user-agent": f"vidlift/{__version__}"},
            trust_env=False,  # a proxy would resolve names anew, where nobody judges them
        )

    @contextmanager
    def get(
        self, url: str, *, headers: Mapping[str, str] | None = None, came_from: str | None = None
    ) -> Iterator[httpx2.Response]:
        """The answer to one GET, its body not yet read; ``came_from``: who named the URL.

        Follows redirects. Raises ``TransientError`` where another try may help, else
        ``NetworkError``; so does reading the body inside the context.
        """
        for _ in range(REDIRECTS_MAX + 1):
            with self._one(url, headers or {}, came_from) as response:
                if not response.has_redirect_location:
                    _check_status(response, url, asked=headers or {})
                    yield response
                    return
                target = urljoin(url, response.headers["location"])
            url, came_from = target, url
        raise NetworkError(f"{shown(url)}: redirected more than {REDIRECTS_MAX} times")

    def check(self, url: str, *, came_from: str | None) -> None:
        """Judge a URL as ``get`` would, where nothing needs to be asked of it."""
        with _failures(url):
            self._hosts.check(url, came_from=came_from)

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def _one(
        self, url: str, headers: Mapping[str, str], came_from: str | None
    ) -> Iterator[httpx2.Response]:
        with _failures(url):
            self._hosts.check(url, came_from=came_from)
            try:
                request = self._client.build_request("GET", url, headers=headers)
                response = self._client.send(request, stream=True)
            except (httpx2.InvalidURL, ValueError) as error:
                raise NetworkError(f"{shown(url)} leads to no URL: {error}") from error
        with closing(response), _failures(url):
            yield response


@contextmanager
def _failures(url: str) -> Iterator[None]:
    """What goes wrong on the way, as ``TransientError``."""
    try:
        yield
    except httpx2.TimeoutException as error:
        raise TransientError(
            f"{shown(url)}: the server does not answer in time", reached=False
        ) from error
    except socket.gaierror as error:
        raise TransientError(
            f"{shown(url)}: the server's name is not known", reached=False
        ) from error
    except (httpx2.HTTPError, OSError) as error:
        reason = str(error) or type(error).__name__
        raise TransientError(
            f"{shown(url)}: the connection failed ({reason})", reached=False
        ) from error


def interrupt(response: httpx2.Response) -> None:
    """End the reading of a body, from another thread: the reader meets an error at once."""
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream is not None else None
    if connection is not None:
        with suppress(OSError):  # it has ended by itself
            connection.shutdown(socket.SHUT_RDWR)


def _check_status(response: httpx2.Response, url: str, *, asked: Mapping[str, str]) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    if status == NOT_MODIFIED and {"if-none-match", "if-modified-since"} & set(asked):
        return
    message = f"{shown(url)}: the server says {status} {response.reason_phrase}".rstrip()
    if status in _PASSING:
        raise TransientError(message, after=_retry_after(response.headers.get("retry-after")))
    raise NetworkError(message)


def _retry_after(text: str | None) -> float | None:
    """Seconds, where the server gives a number of them."""
    return min(float(text), RETRY_AFTER_MAX) if text and text.isdecimal() else None


class _Pinned(httpx2.BaseTransport):
    """Connections to pinned addresses only. The name still is what certificates are held to."""

    def __init__(self, hosts: Hosts) -> None:
        self._pool = httpcore2.ConnectionPool(
            max_connections=16,
            keepalive_expiry=30.0,
            network_backend=_PinnedBackend(hosts),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        with _translated():
            answer = self._pool.handle_request(
                httpcore2.Request(
                    request.method,
                    url,
                    headers=request.headers.raw,
                    content=b"",
                    extensions=request.extensions,
                )
            )
        return httpx2.Response(
            answer.status,
            headers=answer.headers,
            stream=_Stream(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._pool.close()


class _Stream(httpx2.SyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _PinnedBackend(httpcore2.NetworkBackend):
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
            try:
                return self._sockets.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed or httpcore2.ConnectError(f"{host} has no address")


@contextmanager
def _translated() -> Iterator[None]:
    """httpcore's errors as httpx's, which are the ones ``Web`` knows."""
    try:
        yield
    except httpcore2.TimeoutException as error:
        raise httpx2.ReadTimeout(str(error)) from error
    except (
        httpcore2.NetworkError,
        httpcore2.ProtocolError,
        httpcore2.ProxyError,
        httpcore2.UnsupportedProtocol,
    ) as error:
        raise httpx2.TransportError(str(error)) from error
