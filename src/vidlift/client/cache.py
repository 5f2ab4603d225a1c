"""What was received, kept on the disk within a bound, so that it is not asked for twice.

    $XDG_CACHE_HOME/vidlift/received/4f0c…    one file each: a line about it, then its bytes

The name is a digest of the address and the part of it, so nothing secret can be read from it; a
token in an address still tells its copy from others. How long a copy is good for is the server's
word (RFC 9111): after that it is asked about by its ETag, and what the server says not to store
is not stored. Used longest ago goes first.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Lock

MOST = 512_000_000
"""Bytes kept in all."""

UNSAID = 600.0
"""Seconds for which a copy is good where the server says nothing about it."""

LONGEST = 365 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    data: bytes
    version: str | None
    """ETag or date of the last change, to ask by; None: it cannot be asked about."""

    fresh: bool
    """Whether it may be used without asking."""


class Cache:
    """Copies by key. Any thread, and any number of programs at once, may use one folder.

    A folder that cannot be read or written is an empty cache: nothing fails for it.
    """

    def __init__(
        self,
        where: Path | None = None,
        *,
        most: int = MOST,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``most`` is how many bytes it may hold; 0: it keeps nothing. ``now`` is in Unix time."""
        self._where = where or folder()
        self._most = most
        self._now = now
        self._lock = Lock()
        self._held: int | None = None
        """Bytes on the disk, as far as this program knows; None: not looked at yet."""

    def get(self, key: str) -> Kept | None:
        """The copy, if there is one that is whole."""
        path = self._where / key
        try:
            if not self._most:
                return None
            head, _, data = path.read_bytes().partition(b"\n")
            said = json.loads(head)
            if zlib.crc32(data) != said["crc"]:
                return None
            os.utime(path, (self._now(), self._now()))
            return Kept(data=data, version=said["version"], fresh=self._now() < said["until"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def is_fresh(self, key: str) -> bool:
        """Whether there is a copy that may be used without asking; it is not read for that."""
        try:
            with (self._where / key).open("rb") as content:
                return bool(self._most and self._now() < json.loads(content.readline(500))["until"])
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def put(self, key: str, data: bytes, *, version: str | None, lasts: float) -> None:
        """Keep a copy that is good for ``lasts`` seconds, and make room for it."""
        said = {"version": version, "until": self._now() + lasts, "crc": zlib.crc32(data)}
        content = json.dumps(said).encode() + b"\n" + data
        if len(content) > self._most:
            return
        with self._lock, suppress(OSError):
            self._where.mkdir(mode=0o700, parents=True, exist_ok=True)
            held = self._look() if self._held is None else self._held
            if held + len(content) > self._most:
                held = self._make_room(len(content))
            part = self._where / f"{key}.{os.getpid()}"
            part.write_bytes(content)
            part.replace(self._where / key)
            os.utime(self._where / key, (self._now(), self._now()))
            self._held = held + len(content)

    def drop(self, key: str) -> None:
        """Forget a copy that turned out to be damaged."""
        with suppress(OSError):
            (self._where / key).unlink()

    def _look(self) -> int:
        return sum(entry.stat().st_size for entry in self._where.iterdir())

    def _make_room(self, size: int) -> int:
        """Remove what was used longest ago, a tenth of all at least; returns what is left."""
        found = sorted(
            (status.st_mtime, status.st_size, path)
            for path in self._where.iterdir()
            for status in [path.stat()]
        )
        held = sum(each for _, each, _ in found)
        for _, each, path in found:
            if held + size <= self._most * 9 // 10 or not held:
                break
            path.unlink(missing_ok=True)
            held -= each
        return held


def folder() -> Path:
    """Where copies are: ``$XDG_CACHE_HOME/vidlift/received``."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "vidlift" / "received"


def key_of(*parts: object) -> str:
    """A name that tells what is kept from all else, and gives nothing away."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def lasts(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds for which an answer is good, 0: ask before each use; None: it is not to be kept."""
    words = [word.strip().lower() for word in headers.get("cache-control", "").split(",")]
    said = dict(word.split("=", 1) for word in words if "=" in word)
    if "no-store" in words or headers.get("vary", "").strip() == "*":
        return None
    if "no-cache" in words:
        return 0.0
    if "max-age" in said:
        return _bounded(_number(said["max-age"]) - _number(headers.get("age", "0")))
    if "expires" in headers:
        try:
            return _bounded(parsedate_to_datetime(headers["expires"]).timestamp() - now)
        except (ValueError, OverflowError):
            return 0.0  # "Expires: 0" and the like have passed
    return UNSAID


def _number(text: str) -> float:
    text = text.strip('" ')
    return float(text) if text.isdecimal() and text.isascii() and len(text) < 12 else 0.0


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST)
