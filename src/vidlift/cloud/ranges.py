"""The ``Range`` header (RFC 9110, section 14) of a request for a file."""

from __future__ import annotations

import re

_ONE_RANGE = re.compile(r"\s*bytes\s*=\s*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))\s*", re.ASCII)


class UnsatisfiableError(ValueError):
    """The range lies outside the file: 416."""


def parse(header: str | None, size: int) -> tuple[int, int] | None:
    """First and past-the-last byte to send; None: the whole file.

    As the RFC allows, what cannot be understood is passed over, and so is a wish for several
    parts at once. Raises ``UnsatisfiableError`` for a part that the file does not have.
    """
    found = _ONE_RANGE.fullmatch(header or "")
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        start, end = max(0, size - int(suffix)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= end:
        raise UnsatisfiableError(f"bytes */{size}")
    return start, end
