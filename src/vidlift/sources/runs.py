"""Pieces of an HLS film as they come, put together: bytes for one demuxer, times that go on."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from threading import Lock
from typing import TYPE_CHECKING

from vidlift.client.track import Piece, Track
from vidlift.errors import NetworkError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Run(io.RawIOBase):
    """The bytes of pieces that belong together, as they come; ``following`` gives the next one."""

    def __init__(self, first: Piece, following: Callable[[Piece], Piece | None]) -> None:
        super().__init__()
        self.first = first
        self._following = following
        self._last = first
        self._rest = memoryview(first.header + first.data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        if not self._rest:
            piece = self._following(self._last)
            if piece is None:
                return 0
            self._last, self._rest = piece, memoryview(piece.data)
        part = self._rest[: len(view)]
        view[: len(part)] = part
        self._rest = self._rest[len(part) :]
        return len(part)


class Runs:
    """The pieces of a track from a time on, cut into runs. One thread at a time."""

    def __init__(self, track: Track, *, since: float, depth: int) -> None:
        self._track = track
        self._lost_before = Counter(track.lost)
        self._pieces = track.arriving(since, depth=depth)
        self._waiting: Piece | None = None
        self._failed: NetworkError | None = None

    def next(self) -> Run | None:
        """The next run, once the one before it was read or is not wanted any longer.

        What ended the receiving is raised here: whatever came before it has been given.
        """
        if self._failed is not None:
            raise self._failed
        piece = self._peek()
        if piece is None:
            return None
        self._take()
        return Run(piece, self._following)

    @property
    def lost(self) -> Counter[str]:
        """What could not be received of these, by reason."""
        return Counter(self._track.lost) - self._lost_before

    def close(self) -> None:
        self._pieces.close()

    def _following(self, before: Piece) -> Piece | None:
        try:
            piece = self._peek()
        except NetworkError as error:
            self._failed = error
            return None
        if piece is None or piece.run != before.run:
            return None
        return self._take()

    def _peek(self) -> Piece | None:
        if self._waiting is None:
            self._waiting = next(self._pieces, None)
        return self._waiting

    def _take(self) -> Piece:
        piece, self._waiting = self._waiting, None
        assert piece is not None
        self._track.took(piece)
        return piece


class Times:
    """Moves times so that those of a later epoch go on where the one before ended."""

    def __init__(self, begin: Fraction | None = None) -> None:
        """``begin``: the time to give what comes first; None: its own."""
        self._begin = begin
        self._lock = Lock()
        self._moved: dict[int, Fraction] = {}
        self.base: Fraction | None = None
        """The time in the film of second 0 of the list."""

    def move(self, piece: Piece, first: Fraction) -> Fraction:
        """By how much times of a piece's epoch move, whose own first time is ``first``."""
        with self._lock:
            start = Fraction(piece.start).limit_denominator(1_000_000)
            if self.base is None:
                self.base = (first if self._begin is None else self._begin) - start
            return self._moved.setdefault(piece.epoch, self.base + start - first)
