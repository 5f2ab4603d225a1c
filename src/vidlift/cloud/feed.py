"""What a live film is made from: bytes that may stop coming, times that may jump."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from select import select
from socket import socketpair
from typing import Any, BinaryIO

from vidlift.sources.split import SoundChunk, Split
from vidlift.stages.ahead import STIR, Ahead

SOUND_WAIT = 2.0
"""Seconds that a segment waits for its sound."""

BACK, ON = Fraction(1), Fraction(3600)
"""Seconds that times jump back, or on, at least, where what comes in has begun anew."""


class Pipe:
    """The bytes of a pipe, whose reader need not wait for ever."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._waker, self._woken = socketpair()
        self.interrupted = False
        """Whether somebody pressed Ctrl-C in ``read``: FFmpeg, which calls it, loses errors."""

    def read(self, size: int) -> bytes:
        """Bytes as they come, none at the end, or once it was woken."""
        pipe, woken = self._source.fileno(), self._woken.fileno()
        ready: list[int] = []
        try:
            while not ready:  # not in one wait: see ``STIR``
                ready, _, _ = select([pipe, woken], [], [], STIR)
            return b"" if woken in ready else os.read(pipe, size)
        except KeyboardInterrupt:
            self.interrupted = True
            self.wake()
            return b""

    def wake(self) -> None:
        """End a wait for bytes, now or later. From any thread, and again."""
        self._waker.close()

    def close(self) -> None:
        self._waker.close()
        self._woken.close()


class Onward(Split):
    """A film whose time goes on where it jumps, in pictures and sound alike.

    as it came   0 1 2 3 | 0 1 2 | 95000 95001
    as given     0 1 2 3 | 4 5 6 | 7 8
    """

    def _without_words(self, packets: Iterator[Any]) -> Iterator[Any]:
        shift = reached = Fraction(0)
        known: dict[int, tuple[Fraction, Fraction]] = {}  # by stream: its shift, its last time
        for packet in super()._without_words(packets):
            stamp = packet.pts if packet.dts is None else packet.dts
            if stamp is None:  # what flushes a decoder
                yield packet
                continue
            unit, stream = packet.time_base, packet.stream.index
            own, last = known.get(stream, (shift, stamp * unit))
            if not -BACK < stamp * unit - last < ON:
                if own == shift:  # no other stream has jumped before it
                    shift = reached - unit * (stamp if packet.pts is None else packet.pts)
                own = shift
            known[stream] = own, stamp * unit
            moved = round(own / unit)
            if packet.dts is not None:
                packet.dts += moved
            if packet.pts is not None:
                packet.pts += moved
            end = max(stamp + moved, packet.pts or 0) + (packet.duration or 0)
            reached = max(reached, end * unit)
            yield packet


class Listener:
    """Takes sound as far as a segment goes, without waiting for it for ever."""

    def __init__(
        self,
        chunks: Ahead[SoundChunk] | None,
        *,
        clock: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._chunks = chunks
        self._clock, self._pause = clock, pause
        self._waiting: SoundChunk | None = None

    def until(self, end: Fraction) -> Iterator[SoundChunk]:
        """The chunks that begin before ``end``, as far as they come in time."""
        since = self._clock()
        while self._chunks is not None:
            if self._waiting is None:
                if not self._chunks.ready:
                    if self._clock() - since > SOUND_WAIT:
                        return
                    self._pause(0.01)
                    continue
                self._waiting = next(self._chunks, None)
                if self._waiting is None:
                    self._chunks = None
                    return
            if self._waiting.pts >= end:
                return
            chunk, self._waiting = self._waiting, None
            yield chunk
