"""Text subtitles of a file: what is said when."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter
from typing import Any

import av
from av.container import InputContainer

from vidlift.sources import labels

TEXT_CODECS = ("srt", "subrip", "ass", "ssa", "mov_text", "webvtt", "text")
"""Subtitles that are text. Pictures of text, as on discs, are not shown."""

KEPT_MAX = 1000
"""Cues kept: those read last."""

LENGTH_MAX = 500
"""Letters of a cue that are shown."""

UNSAID = 3.0
"""Seconds that a cue without a duration stays."""

_STYLE = re.compile(r"\{[^}]*\}|<[^>]*>")


@dataclass(frozen=True, slots=True)
class Cue:
    start: float
    """Seconds of media time."""

    end: float
    text: str


class Words:
    """Collects cues as packets come by, in one thread; another may ask what is said."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.index: int = stream.index
        self.label = labels.of_stream(stream)
        self._cues: deque[Cue] = deque(maxlen=KEPT_MAX)
        self._in_order = _InOrder(self._cues)

    def add(self, packet: Any) -> None:
        """Take in a packet of the stream. One that cannot be decoded says nothing."""
        if packet.pts is None:
            return
        try:
            found = packet.decode()
        except av.FFmpegError:
            return
        start = float(packet.pts * packet.time_base)
        lasts = float(packet.duration * packet.time_base) if packet.duration else UNSAID
        lines = [plain(getattr(part, "dialogue", b"") or b"") for part in found]
        cue = Cue(start, start + lasts, "\n".join(filter(None, lines)))
        if cue.text and cue not in self._cues:  # read again after a seek
            self._cues.append(cue)
            self._in_order = _InOrder(self._cues)

    def at(self, time: float) -> str:
        """What is said at a media time, the empty string where nothing is."""
        return "\n".join(cue.text for cue in self._in_order.at(time))


class _InOrder:
    """Cues in the order in which they begin; does not change."""

    def __init__(self, cues: Iterable[Cue]) -> None:
        self._cues = sorted(cues, key=attrgetter("start"))
        self._starts = [cue.start for cue in self._cues]
        self._ends = list(accumulate((cue.end for cue in self._cues), max))
        """For each, when it and all before it have ended."""

    def at(self, time: float) -> list[Cue]:
        """Those that have begun and not ended."""
        first, last = bisect_right(self._ends, time), bisect_right(self._starts, time)
        return [cue for cue in self._cues[first:last] if time < cue.end]


def of(container: InputContainer) -> tuple[Words, ...]:
    """The text subtitles of a file."""
    return tuple(
        Words(stream)
        for stream in container.streams.subtitles
        if stream.codec_context is not None and stream.codec_context.name in TEXT_CODECS
    )


def plain(dialogue: bytes) -> str:
    """Text without its styles, its line breaks as such."""
    text = _STYLE.sub("", dialogue.decode("utf-8", errors="replace"))
    for mark, meant in (("\\N", "\n"), ("\\n", "\n"), ("\\h", " ")):
        text = text.replace(mark, meant)
    return text.strip()[:LENGTH_MAX]
