"""What a server tells of itself: figures for Prometheus, a line of JSON for each request."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vidlift.cloud.tokens import without_token

KINDS = {
    ".m4s": "segment",
    ".ts": "segment",
    ".mp4": "file",
    ".m3u8": "playlist",
    ".json": "card",
    ".vtt": "text",
    ".jpg": "picture",
}
"""What a request is counted as, by the ending of its path."""

GONE = 499
"""Noted as the status where the client went, or was cut off, before it had its whole answer."""

PATH_MAX = 300
"""Characters of a path in a log."""


class Observed:
    """An application, and what is counted and noted of every request to it."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        log: TextIO | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._log = log
        self._clock = clock
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "vidlift_requests",
            "Requests answered.",
            ["kind", "status"],
            registry=self._registry,
        )
        self._bytes = Counter(
            "vidlift_sent_bytes", "Bytes of content sent.", ["kind"], registry=self._registry
        )
        self._seconds = Histogram(
            "vidlift_request_seconds",
            "From the request to the last byte handed to the network.",
            ["kind"],
            registry=self._registry,
        )
        self._under_way = Gauge(
            "vidlift_requests_under_way", "Requests being answered.", registry=self._registry
        )

        self._unlogged = Counter(
            "vidlift_log_lines_lost", "Lines of the log not written.", registry=self._registry
        )

    def figures(self) -> bytes:
        """All of it in Prometheus' text form."""
        return generate_latest(self._registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, sent, whole, begun = 500, 0, False, self._clock()

        async def counting(message: Message) -> None:
            nonlocal status, sent, whole
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                if scope["method"] != "HEAD":  # the server leaves the content of its answer out
                    sent += len(message.get("body", b""))
                whole = not message.get("more_body", False)
            await send(message)

        with self._under_way.track_inprogress():
            try:
                await self._app(scope, receive, counting)
            finally:
                if status < 500 and not whole:
                    status = GONE
                self._note(scope, status, sent, self._clock() - begun)

    def _note(self, scope: Scope, status: int, sent: int, seconds: float) -> None:
        path = without_token(scope["path"])
        kind = KINDS.get("." + path.rpartition(".")[2].lower(), "other")
        self._requests.labels(kind, str(status)).inc()
        self._bytes.labels(kind).inc(sent)
        self._seconds.labels(kind).observe(seconds)
        if self._log is not None:
            line = {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "client": (scope.get("client") or ("",))[0],
                "method": scope["method"],
                "path": path[:PATH_MAX],
                "status": status,
                "bytes": sent,
                "ms": round(seconds * 1000, 1),
            }
            try:
                self._log.write(json.dumps(line) + "\n")
                self._log.flush()
            except OSError:  # a full disk, a reader that went: the answers matter more
                self._unlogged.inc()
