"""What is said in a film and when: WebVTT as HLS carries it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

CUES_MAX = 20_000
"""Cues of one document that are read."""

LENGTH_MAX = 500
"""Letters of a cue that are shown."""

_TIME = r"(?:(\d{1,4}):)?(\d{2}):(\d{2})\.(\d{3})"
_CUE = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}", re.ASCII)
_LOCAL = re.compile(rf"LOCAL:{_TIME}", re.ASCII)
_MPEGTS = re.compile(r"MPEGTS:(\d{1,12})", re.ASCII)
_STYLE = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    start: float
    """Seconds: of media time where ``mapped``, else from the beginning of the film."""

    end: float
    text: str
    mapped: bool


def read_captions(data: bytes) -> Iterator[Caption]:
    """The cues of a WebVTT document, in its order. What is none says nothing."""
    text = data.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    head, *blocks = re.split(r"\n{2,}", text)
    if not head.startswith("WEBVTT"):
        return
    local, clock = _LOCAL.search(head), _MPEGTS.search(head)
    mapped = "X-TIMESTAMP-MAP" in head and local is not None and clock is not None
    by = int(clock[1]) / 90_000 - _seconds(local.groups()) if mapped and clock and local else 0.0
    for block in blocks[:CUES_MAX]:
        found = _CUE.search(block)
        if found is None:
            continue
        said = block[found.end() :].partition("\n")[2]
        said = html.unescape(_STYLE.sub("", said)).strip()[:LENGTH_MAX]
        start, end = _seconds(found.groups()[:4]), _seconds(found.groups()[4:])
        if said and end > start:
            yield Caption(start=start + by, end=end + by, text=said, mapped=mapped)


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, milli = (int(part or 0) for part in parts)
    return 3600 * hours + 60 * minutes + seconds + milli / 1000
