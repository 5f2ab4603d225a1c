"""The answer to a request for a file: the whole, a part, or that nothing has changed."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import AsyncIterator, Mapping
from email.utils import formatdate
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from anyio import CancelScope, create_task_group, to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vidlift.cloud import ranges
from vidlift.cloud.library import MEDIA_TYPES

CHUNK = 1 << 18
"""Bytes read and sent at a time."""

FOREVER = "public, max-age=31536000, immutable"
ASK = "no-cache"
"""May be kept, and is to be asked about before each use."""

_TEXT = (".m3u8", ".vtt", ".json")
_TEXT_MAX = 1 << 22
"""Bytes of text that are compressed at most."""


def answer(found: Path, request: Request, *, forever: bool) -> Response:
    """For a GET or HEAD of a library's file. ``forever``: it never changes. Raises ``OSError``."""
    content = found.open("rb")
    try:
        status = os.fstat(content.fileno())
        size, tag = status.st_size, f"{status.st_mtime_ns:x}-{status.st_size:x}"
        suffix = found.suffix.lower()
        headers = {
            "cache-control": FOREVER if forever and suffix != ".m3u8" else ASK,
            "last-modified": formatdate(status.st_mtime, usegmt=True),
            "content-type": MEDIA_TYPES[suffix],
        }
        # A range is of what is got: with HEAD it is passed over (RFC 9110, 14.2).
        asked = request.headers.get("range") if request.method == "GET" else None
        if suffix in _TEXT:
            headers["vary"] = "accept-encoding"
            if asked is None and size <= _TEXT_MAX and _takes_gzip(request):
                headers |= {"etag": f'"{tag}-gz"', "content-encoding": "gzip"}
                if _is_known(request, headers):
                    return _close(content, Response(status_code=304, headers=_brief(headers)))
                return _close(content, Response(_compressed(found, tag), headers=headers))
        headers |= {"etag": f'"{tag}"', "accept-ranges": "bytes"}
        if _is_known(request, headers):
            return _close(content, Response(status_code=304, headers=_brief(headers)))
        if request.headers.get("if-range", headers["etag"]) not in (
            headers["etag"],
            headers["last-modified"],
        ):
            asked = None
        try:
            part = ranges.parse(asked, size)
        except ranges.UnsatisfiableError as error:
            beyond = {"content-range": str(error), "cache-control": "no-store"}
            return _close(content, Response(status_code=416, headers=beyond))
        start, end = part or (0, size)
        code = 200 if part is None else 206
        headers["content-length"] = str(end - start)
        if part is not None:
            headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
        if request.method == "HEAD":
            return _close(content, Response(status_code=code, headers=headers))
        if end - start <= CHUNK:
            block = os.pread(content.fileno(), end - start, start)
            return _close(content, Response(block, status_code=code, headers=headers))
        return _Part(content, start, end, status=code, headers=headers)
    except BaseException:
        content.close()
        raise


def answer_made(text: str, request: Request, *, kind: str, more: Mapping[str, str]) -> Response:
    """For a GET or HEAD of text that was made just now; ``kind`` is its media type.

    It is to be asked about before each use, as a list is. ``more`` are further headers.
    """
    body = text.encode()
    tag = hashlib.sha256(body).hexdigest()[:20]
    headers = {"cache-control": ASK, "etag": f'"{tag}"', **more}
    if request.headers.get("if-none-match") is not None and _is_known(request, headers):
        return Response(status_code=304, headers=_brief(headers))
    return Response(body, headers=headers, media_type=kind)


class _Part(Response):
    """A file or a part of it, read as fast as the client takes it."""

    def __init__(
        self, content: BinaryIO, start: int, end: int, *, status: int, headers: dict[str, str]
    ) -> None:
        super().__init__(status_code=status, headers=headers)
        self._content, self._start, self._end = content, start, end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._content:
            head = {"status": self.status_code, "headers": self.raw_headers}
            await send({"type": "http.response.start", **head})
            async with create_task_group() as group:
                group.start_soon(_watch, receive, group.cancel_scope)
                await self._send_rest(send)
                group.cancel_scope.cancel()

    async def _send_rest(self, send: Send) -> None:
        async for block in self._blocks():
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body"})

    async def _blocks(self) -> AsyncIterator[bytes]:
        at = self._start
        while at < self._end:
            wanted = min(CHUNK, self._end - at)
            block = await to_thread.run_sync(os.pread, self._content.fileno(), wanted, at)
            if not block:
                return  # the file was cut meanwhile: the client sees a short body
            at += len(block)
            yield block


async def _watch(receive: Receive, sending: CancelScope) -> None:
    """End the sending when the client has gone: the rest of a film is read for nobody."""
    while (await receive())["type"] != "http.disconnect":
        pass
    sending.cancel()


def _takes_gzip(request: Request) -> bool:
    for coding in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _is_known(request: Request, headers: dict[str, str]) -> bool:
    """Whether the client has this version already (RFC 9110, 13.1)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return "*" in known or headers["etag"] in known
    return request.headers.get("if-modified-since") == headers["last-modified"]


def _brief(headers: dict[str, str]) -> dict[str, str]:
    kept = ("cache-control", "etag", "last-modified", "vary")
    return {name: value for name, value in headers.items() if name in kept}


def _close(content: BinaryIO, response: Response) -> Response:
    content.close()
    return response


@lru_cache(maxsize=256)
def _compressed(found: Path, tag: str) -> bytes:
    del tag  # with the path it says which version
    return gzip.compress(found.read_bytes(), compresslevel=6, mtime=0)
