"""What a live film is made from: bytes that may stop coming, and their sound in time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from select import select
from socket import socketpair
from typing import BinaryIO

from vidlift.sources.split import SoundChunk
from vidlift.stages.ahead import STIR, Ahead

SOUND_WAIT = 2.0
"""Seconds that a segment waits for its sound."""


class Pipe:
    """The bytes of a pipe, whose reader need not wait for ever."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._waker, self._woken = socketpair()
        self.interrupted: KeyboardInterrupt | None = None
        """What came in ``read`` when somebody pressed Ctrl-C: FFmpeg, which calls it, loses it."""

    def read(self, size: int) -> bytes:
        """Bytes as they come, none at the end, or once it was woken."""
        pipe, woken = self._source.fileno(), self._woken.fileno()
        ready: list[int] = []
        try:
            while not ready:  # not in one wait: see ``STIR``
                ready, _, _ = select([pipe, woken], [], [], STIR)
            return b"" if woken in ready else os.read(pipe, size)
        except KeyboardInterrupt as stop:
            self.interrupted = stop
            self.wake()
            return b""

    def seekable(self) -> bool:
        return False

    def wake(self) -> None:
        """End a wait for bytes, now or later. From any thread, and again."""
        self._waker.close()

    def close(self) -> None:
        self._waker.close()
        self._woken.close()


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
