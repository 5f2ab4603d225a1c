"""What was received is kept on the disk, so that it is not asked for twice, as long as it is good.

A token in an address tells its copy from others. How long a copy is good for is the server's word
(RFC 9111): after that it is asked about by its ETag, and what the server says not to store is not
stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from vidlift.cache import ALWAYS, Cache, folder

MOST = 512_000_000
"""Bytes kept in all."""

UNSAID = 600.0
"""Seconds for which a copy is good where the server says nothing about it."""


def received() -> Cache:
    """What this user received."""
    return Cache(folder() / "received", most=MOST)


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
    return min(max(seconds, 0.0), ALWAYS)
