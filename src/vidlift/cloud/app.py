"""The server as an ASGI application: the files of a library, a catalogue, figures.

    /                    the catalogue for people      /healthz   whether it is alive
    /catalogue.json      the catalogue for programs    /metrics   figures for Prometheus
    /TITLE/…             files                         /auth      for a proxy: is this path signed

With keys everything but /healthz, /metrics and /auth wants a signed path (``tokens.py``).
"""

from __future__ import annotations

import errno
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from urllib.parse import unquote

from anyio import to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from vidlift.cloud.answer import answer, answer_made
from vidlift.cloud.catalogue import catalogue, page
from vidlift.cloud.library import check_library, plain_parts, served_file
from vidlift.cloud.observe import Observed
from vidlift.cloud.tokens import KeyFile
from vidlift.errors import UsageError

HEADERS_MAX = 16 << 10
"""Bytes of a request's head, about."""

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")

_WHOLE = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
"""What comes before the path where a request names the whole address (RFC 9112, 3.2.2)."""

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ESTALE)
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Why a file that was there a moment ago cannot be opened: it is not to be had, or not now."""

_POLICY = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppOptions:
    """How a library is served."""

    cors: tuple[str, ...] = ("*",)
    """Origins whose pages may read what is served; ``*`` is any."""

    secret_file: Path | None = None
    """Keys of signed paths; None: everybody may have everything."""

    log: TextIO | None = None
    """Where each request is noted, as a line of JSON; None: nowhere."""

    def __post_init__(self) -> None:
        for origin in self.cors:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise UsageError(f"an origin is like https://example.org or *, got {origin!r}")


def make_app(
    library: Path,
    options: AppOptions | None = None,
    *,
    now: Callable[[], float] = time.time,
) -> ASGIApp:
    """The application that serves ``library``. Raises ``InputError`` where there is none."""
    options = options or AppOptions()
    root = check_library(library)
    keys = KeyFile(options.secret_file) if options.secret_file else None

    def allowed(path: str) -> str | None:
        return path if keys is None else keys.keys.allow(path, now=now())

    def respond(request: Request) -> Response:
        path = allowed(_raw_path(request))
        if path is None:
            return _refusal(403, "this link is not signed, or has expired")
        if path == "/":
            more = {"content-security-policy": _POLICY}
            return answer_made(page(root), request, kind="text/html", more=more)
        if path == "/catalogue.json":
            text = json.dumps(catalogue(root), allow_nan=False)
            return answer_made(text, request, kind="application/json", more={})
        found = served_file(root, path)
        if found is None:
            return _refusal(404, "not found")
        # A title's own files may be replaced; those of a version of it never change.
        forever = len(found.relative_to(root).parts) > 2
        return answer(found, request, forever=forever)

    def respond_always(request: Request) -> Response:
        try:
            return respond(request)
        except OSError as error:
            if error.errno in _GONE:
                return _refusal(404, "not found")
            if error.errno in _FULL:
                return _refusal(503, "too much at a time")
            raise

    async def everything(request: Request) -> Response:
        response = await to_thread.run_sync(respond_always, request)
        response.headers["x-content-type-options"] = "nosniff"
        return response

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers={"cache-control": "no-store"})

    async def figures(_: Request) -> Response:
        return Response(observed.figures(), media_type="text/plain; version=0.0.4")

    async def auth(request: Request) -> Response:
        """A proxy asks for each request, the path as it came in X-Original-URI.

        It will decode the path itself, so one that could be read in two ways is refused.
        """
        path = allowed(request.headers.get("x-original-uri", "").partition("?")[0])
        return Response(status_code=204 if path is not None and plain_parts(path) else 403)

    middleware = [
        Middleware(
            CORSMiddleware,
            allow_origins=list(options.cors),
            allow_methods=["GET", "HEAD"],
            allow_headers=["range"],
            expose_headers=["content-range", "content-length", "etag"],
            max_age=86400,
        )
    ]
    app = Starlette(
        routes=[
            Route("/healthz", health),
            Route("/metrics", figures),
            Route("/auth", auth),
            Route("/{path:path}", everything, methods=["GET", "HEAD"]),
        ],
        middleware=middleware if options.cors else [],
    )
    observed = Observed(_Bounded(app), log=options.log)
    return _ByPath(observed)


def _refusal(status: int, why: str) -> Response:
    """Kept by no cache: what is not there may be published the next moment."""
    return PlainTextResponse(f"{why}\n", status_code=status, headers={"cache-control": "no-store"})


class _ByPath:
    """An application that is asked for paths alone, also where a client names a whole address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole = _WHOLE.match(scope.get("raw_path") or b"")
        if scope["type"] == "http" and whole:
            raw = scope["raw_path"][whole.end() :] or b"/"
            scope = {**scope, "raw_path": raw, "path": unquote(raw.decode("ascii"))}
        await self._app(scope, receive, send)


class _Bounded:
    """An application that is spared heads of requests that are too large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _head_bytes(scope) > HEADERS_MAX:
            refusal = _refusal(431, "the head of the request is too large")
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _head_bytes(scope: Scope) -> int:
    fields = sum(len(name) + len(value) for name, value in scope["headers"])
    return fields + len(scope.get("raw_path") or b"") + len(scope["query_string"])


def _raw_path(request: Request) -> str:
    """The path as it came: percent signs and all."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    return raw.partition(b"?")[0].decode("latin-1")
