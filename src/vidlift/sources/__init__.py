"""Sources: where frames come from, and the door for the string that names one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

HTTP_SCHEMES = ("http://", "https://")


def is_url(where: str) -> bool:
    return where.lower().startswith(HTTP_SCHEMES)


def open_bytes(where: str) -> Path | BinaryIO:
    """What a demuxer is given for a file name or an http(s) URL: a path, or bytes to be sought.

    A demuxer never sees a URL: fetching, and the rules of where to, are ours.
    """
    if not is_url(where):
        return Path(where)
    from vidlift.client.fetch import HttpFile

    return cast(BinaryIO, HttpFile(where))  # raw, but all that a demuxer calls is there


@contextmanager
def opened_bytes(where: str) -> Iterator[Path | BinaryIO]:
    """The same for as long as a ``with`` lasts."""
    entry = open_bytes(where)
    try:
        yield entry
    finally:
        if not isinstance(entry, Path):
            entry.close()
