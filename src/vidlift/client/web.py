"""One GET under the rules: redirects judged hop by hop, addresses pinned, failures told apart."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from urllib.parse import urljoin

import httpcore2
import httpx2

from vidlift import __version__
from vidlift.client.hosts import Hosts, shown
from vidlift.client.sockets import PinnedBackend
from vidlift.client.waits import Left, leaving
from vidlift.errors import NetworkError, UsageError

REDIRECTS_MAX = 8
CONNECT_SECONDS = 10.0
READ_SECONDS = 15.0
"""Longest silence of a server that is meant to be sending."""

NOT_MODIFIED = 304
NO_SUCH_PART = 416

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
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        came_from: str | None = None,
        left: Left = lambda: False,
    ) -> Iterator[httpx2.Response]:
        """The answer to one GET, its body not yet read; ``came_from``: who named the URL.

        Follows redirects. Raises ``UsageError`` for what is no URL, ``TransientError`` where
        another try may help, else ``NetworkError``; so does reading the body inside the context,
        and both soon, whatever they wait for, once ``left`` says that the answer is not wanted.
        """
        for _ in range(REDIRECTS_MAX + 1):
            with self._one(url, headers or {}, came_from, left) as response:
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
        self, url: str, headers: Mapping[str, str], came_from: str | None, left: Left
    ) -> Iterator[httpx2.Response]:
        with _failures(url), leaving(left):
            self._hosts.check(url, came_from=came_from)
            try:
                more = {"left": left}
                request = self._client.build_request("GET", url, headers=headers, extensions=more)
            except (httpx2.InvalidURL, ValueError) as error:
                kind = UsageError if came_from is None else NetworkError
                raise kind(f"{shown(url)} is not a URL: {error}") from error
            try:
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
            connection.shutdown(socket.SHUT_RD)


def _check_status(response: httpx2.Response, url: str, *, asked: Mapping[str, str]) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    if status == NOT_MODIFIED and {"if-none-match", "if-modified-since"} & set(asked):
        return
    if status == NO_SUCH_PART and response.headers.get("content-range") == "bytes */0":
        return  # of nothing there is no part
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
            network_backend=PinnedBackend(hosts),
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
            stream=_Stream(answer, left=request.extensions["left"]),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._pool.close()


class _Stream(httpx2.SyncByteStream):
    def __init__(self, answer: httpcore2.Response, *, left: Left) -> None:
        self._answer = answer
        self._left = left

    def __iter__(self) -> Iterator[bytes]:
        chunks = self._answer.iter_stream()
        with _translated():
            while True:
                with leaving(self._left):
                    chunk = next(chunks, None)
                if chunk is None:
                    return
                yield chunk

    def close(self) -> None:
        self._answer.close()


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
