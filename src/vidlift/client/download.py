"""The bytes of one resource, in order, whatever happens to the connection on the way."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from threading import Event

import httpx2

from vidlift.client.freshness import lasts
from vidlift.client.hosts import shown
from vidlift.client.waits import rest
from vidlift.client.web import NO_SUCH_PART, NOT_MODIFIED, TransientError, Web, interrupt
from vidlift.errors import NetworkError

BLOCK = 1 << 16
"""Bytes handed on at a time; only the last block of a resource is shorter."""

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often a failing server is asked again, and after how long."""

    tries: int = 8
    """Failures in a row, without a block received in between, before it is given up."""

    first_tries: int = 3
    """The same for a resource of which nothing has come yet: it may not be there at all."""

    first: float = 0.5
    """Seconds before the second try; doubled each time."""

    longest: float = 8.0

    def delay(self, failures: int, *, asked: float | None, chance: float) -> float:
        """Seconds to wait after so many failures; ``chance`` in [0, 1) spreads the clients."""
        grown = min(self.first * 2.0 ** (failures - 1), self.longest)
        return max(grown * (0.5 + chance / 2), asked or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a resource may not exceed: none of it is believed from the server."""

    bytes: int | None = None
    seconds: float | None = None


class _ChangedError(TransientError):
    """What comes now does not belong to what came before."""


class Download:
    """Iterate once, in one thread; ``cancel`` from any. What is known comes with ``open``."""

    def __init__(
        self,
        web: Web,
        url: str,
        *,
        start: int = 0,
        end: int | None = None,
        in_parts: bool = True,
        came_from: str | None = None,
        like: Download | None = None,
        known: str | None = None,
        text: bool = False,
        patience: Patience | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """Bytes ``start`` to ``end`` (exclusive; None: the last) of what ``url`` names.

        ``in_parts``: learn whether the server gives parts; else a range is asked for only where
        one is needed, which caches on the way like better. ``came_from`` is who named the URL,
        None where the viewer did. ``like``: an earlier download of the same resource, which must
        not have changed since. ``known``: the version of a copy at hand; where that is what there
        still is, nothing comes and ``unchanged`` says so. ``text``: it may come compressed, as some
        servers keep it, and ``packed`` says so. ``pause`` waits.
        """
        self.url = url
        self._web = web
        self._start, self._end = start, end
        self._in_parts = in_parts
        self._came_from = came_from
        self._patience = patience or Patience()
        self._limits = limits or Limits()
        self._clock = clock
        self._cancelled = Event()
        self._pause = pause or partial(rest, self._cancelled)
        self._response: httpx2.Response | None = None
        self.found = url
        """Where it was in the end, after redirects."""

        self.total: int | None = like.total if like else None
        """Bytes of the whole resource, None where the server does not say."""

        self.ranges: bool = like.ranges if like else False
        """Whether the server gives parts of it."""

        self._like = like
        self.version: str | None = like.version if like else None
        """Its strong ETag, else the date of its last change, None where neither is told."""

        self.lasts: float | None = like.lasts if like else None
        """Seconds for which a copy is good, 0: it is to be asked about; None: none may be kept."""

        self._known = known
        self.unchanged = False
        self._text = text
        self.packed = False
        """Whether the bytes are those of a gzip file."""

        self.retries = 0
        """How often the server had to be asked again."""

    def __iter__(self) -> Iterator[bytes]:
        """Blocks of ``BLOCK`` bytes. Raises ``NetworkError`` when patience or a limit ends."""
        failures, at = 0, self._start
        began = self._clock()
        pending = bytearray()
        while not self._cancelled.is_set():
            try:
                for chunk in self._attempt(at + len(pending)):
                    pending += chunk
                    self._check_limits(at + len(pending) - self._start, self._clock() - began)
                    while len(pending) >= BLOCK:
                        block = bytes(pending[:BLOCK])
                        del pending[:BLOCK]
                        failures, at = 0, at + BLOCK
                        yield block
                break
            except TransientError as error:
                failures += 1
                self.retries += 1
                if self._cancelled.is_set():
                    break
                if isinstance(error, _ChangedError):
                    if at > self._start or self._like is not None:
                        raise NetworkError(str(error)) from error
                    pending.clear()  # nothing of it was handed on: it may begin anew
                    self.total = self.version = None
                begun = at > self._start or pending
                if failures >= (self._patience.tries if begun else self._patience.first_tries):
                    raise NetworkError(f"{error}; tried {failures} times") from error
                delay = self._patience.delay(failures, asked=error.after, chance=random.random())
                self._pause(delay)
        if self._cancelled.is_set():
            raise NetworkError(f"{shown(self.url)}: stopped")
        if pending:
            yield bytes(pending)

    def cancel(self) -> None:
        """End it soon, from any thread: the iteration raises ``NetworkError``."""
        self._cancelled.set()
        response = self._response
        if response is not None:
            interrupt(response)

    def _attempt(self, at: int) -> Iterator[bytes]:
        """What one request gives from ``at`` on. Raises ``TransientError`` where it breaks off."""
        if self._end is not None and at >= self._end:
            return
        until = "" if self._end is None else str(self._end - 1)
        headers = {"accept-encoding": "identity"}
        if self._in_parts or at or self._end is not None:
            headers["range"] = f"bytes={at}-{until}"
        if at > self._start and self.version:
            headers["if-range"] = self.version
        elif at == self._start and self._known:
            dated = not self._known.startswith('"')
            headers["if-modified-since" if dated else "if-none-match"] = self._known
        with self._web.get(
            self.url, headers=headers, came_from=self._came_from, left=self._cancelled.is_set
        ) as response:
            self._response = response
            try:
                self.lasts = lasts(response.headers, now=time.time())
                if response.status_code == NOT_MODIFIED:
                    self.unchanged = True
                    return
                if response.status_code == NO_SUCH_PART:
                    if at:
                        raise _ChangedError(f"{shown(self.url)} is empty on the server by now")
                    self.total = 0
                    return
                begins = self._learn(response, at)
                left = self._left(response, at)
                skip = at - begins
                for chunk in response.iter_raw():
                    if self._cancelled.is_set():
                        return
                    if skip:
                        skip, chunk = max(0, skip - len(chunk)), chunk[skip:]
                    if left is not None:
                        chunk = chunk[:left]
                        left -= len(chunk)
                    yield chunk
                    if left == 0:
                        return
            finally:
                self._response = None
        if left:
            raise TransientError(f"{shown(self.url)}: broke off {left} bytes before the end")

    def _learn(self, response: httpx2.Response, at: int) -> int:
        """Note what the answer tells of the resource; returns where its body begins."""
        coding = response.headers.get("content-encoding", "identity").lower()
        self.packed = self._text and coding in ("gzip", "x-gzip")
        if coding != "identity" and not self.packed:
            raise TransientError(f"{shown(self.url)}: came compressed although asked not to")
        self.found = str(response.url)
        begins, total = _extent(response, self.url)
        if response.status_code == 206 and begins != at:
            raise TransientError(f"{shown(self.url)}: asked from byte {at}, got from {begins}")
        version = _version(response)
        changed = self.version is not None and version is not None and version != self.version
        if changed or (self.total is not None and total is not None and total != self.total):
            raise _ChangedError(f"{shown(self.url)} changed on the server while it was being read")
        self.total = total if total is not None else self.total
        self.version = self.version or version
        self.ranges = response.status_code == 206
        return begins

    def _left(self, response: httpx2.Response, at: int) -> int | None:
        """Bytes to come from ``at``, None where nobody knows."""
        ends = [end for end in (self._end, self.total) if end is not None]
        return max(0, min(ends) - at) if ends else None

    def _check_limits(self, got: int, seconds: float) -> None:
        limits = self._limits
        if limits.bytes is not None and got > limits.bytes:
            raise NetworkError(f"{shown(self.url)} is larger than {limits.bytes} bytes")
        if limits.seconds is not None and seconds > limits.seconds:
            raise NetworkError(f"{shown(self.url)} took longer than {limits.seconds:.0f} s")


def _extent(response: httpx2.Response, url: str) -> tuple[int, int | None]:
    """Where the body begins in the resource, and how long the resource is."""
    if response.status_code == 206:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if found is None:
            raise NetworkError(f"{shown(url)}: the server sent a part and does not say which")
        return int(found[1]), None if found[3] == "*" else int(found[3])
    length = response.headers.get("content-length", "")
    return 0, int(length) if length.isdecimal() and len(length) <= 18 else None


def _version(response: httpx2.Response) -> str | None:
    """What If-Range may be asked with: a strong ETag, else the date of the last change."""
    tag: str | None = response.headers.get("etag")
    if tag is not None and not tag.startswith("W/"):
        return tag
    date: str | None = response.headers.get("last-modified")
    return date
