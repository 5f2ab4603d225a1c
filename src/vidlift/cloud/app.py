"""The server as an ASGI application: the files of a library, nothing else."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from typing import BinaryIO

from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from vidlift.cloud import ranges
from vidlift.cloud.library import MEDIA_TYPES, check_library, served_file

CHUNK = 1 << 18
"""Bytes read and sent at a time."""


def make_app(library: Path) -> Starlette:
    """The application that serves ``library``. Raises ``InputError`` where there is none."""
    root = check_library(library)

    async def file(request: Request) -> Response:
        raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
        found = await to_thread.run_sync(served_file, root, raw.decode("latin-1"))
        if found is None:
            return PlainTextResponse("not found\n", status_code=404)
        return await to_thread.run_sync(_answer, found, request)

    return Starlette(routes=[Route("/{path:path}", file, methods=["GET", "HEAD"])])


def _answer(found: Path, request: Request) -> Response:
    """The file or the part of it that was asked for."""
    content = found.open("rb")
    try:
        status = os.fstat(content.fileno())
        headers = {
            "accept-ranges": "bytes",
            "last-modified": formatdate(status.st_mtime, usegmt=True),
            "etag": f'"{status.st_mtime_ns:x}-{status.st_size:x}"',
        }
        asked = request.headers.get("range")
        if request.headers.get("if-range", headers["etag"]) not in (
            headers["etag"],
            headers["last-modified"],
        ):
            asked = None
        part = ranges.parse(asked, status.st_size)
    except ranges.UnsatisfiableError as error:
        content.close()
        return Response(status_code=416, headers={"content-range": str(error)})
    except BaseException:
        content.close()
        raise
    start, end = part or (0, status.st_size)
    headers["content-length"] = str(end - start)
    if part is not None:
        headers["content-range"] = f"bytes {start}-{end - 1}/{status.st_size}"
    media_type = MEDIA_TYPES[found.suffix.lower()]
    code = 200 if part is None else 206
    if request.method == "HEAD":
        content.close()
        return Response(status_code=code, headers=headers, media_type=media_type)
    return StreamingResponse(
        _read(content, start, end), status_code=code, headers=headers, media_type=media_type
    )


async def _read(content: BinaryIO, start: int, end: int) -> AsyncIterator[bytes]:
    with content:
        at = start
        while at < end:
            wanted = min(CHUNK, end - at)
            block = await to_thread.run_sync(os.pread, content.fileno(), wanted, at)
            if not block:
                return
            at += len(block)
            yield block
