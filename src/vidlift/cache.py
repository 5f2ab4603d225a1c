"""Files kept within a bound in the user's cache, each under a name that gives nothing away.

    $XDG_CACHE_HOME/vidlift/received/4f0c…    one file each: a line about it, then its bytes

Used longest ago goes first. A copy that is damaged is none.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

ALWAYS = 365 * 86_400.0
"""Seconds for which a copy is good at most."""


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
        where: Path,
        *,
        most: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``most`` is how many bytes it may hold; 0: it keeps nothing. ``now`` is in Unix time."""
        self._where = where
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

    def put(
        self, key: str, data: bytes, *, version: str | None = None, lasts: float = ALWAYS
    ) -> None:
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
            try:
                part.write_bytes(content)
                part.replace(self._where / key)
            except OSError:
                part.unlink(missing_ok=True)  # what a full disk has no room for
                raise
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
    """Where everything is kept: ``$XDG_CACHE_HOME/vidlift``; nowhere for who has no home."""
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # neither the environment nor the system's list of users says where
        home = os.devnull
    return Path(home) / "vidlift"


def nothing() -> Cache:
    """One that keeps nothing."""
    return Cache(folder(), most=0)


def key_of(*parts: object) -> str:
    """A name that tells what is kept from all else, and gives nothing away."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()
