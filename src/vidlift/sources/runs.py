"""Pieces of an HLS film as they come, put together: bytes for one demuxer, times that go on."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from threading import Condition, Lock
from typing import TYPE_CHECKING

from vidlift.client.track import Piece, Track
from vidlift.client.waits import LOOK
from vidlift.errors import NetworkError, VidliftError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


ALMOST = 0.9
"""Pieces that must be missing before one is said to be: sound may be a little short."""

SLACK = Fraction(1, 10)
"""Seconds by which sound may begin before the pictures it goes with."""


class Run(io.RawIOBase):
    """The bytes of pieces that belong together, as they come; ``following`` gives the next one."""

    def __init__(self, first: Piece, following: Callable[[Piece], Piece | None]) -> None:
        super().__init__()
        self.first = first
        self._following = following
        self._last = first
        self._rest = memoryview(first.header + first.data)
        self._pieces, self._seconds = 1, first.seconds

    def silent(self, heard: float) -> int:
        """How many of the pieces read are without sound where so many seconds of it were heard."""
        missing = self._pieces * (1 - heard / self._seconds) if self._seconds else 0.0
        return round(missing) if missing >= ALMOST else 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        if not self._rest:
            piece = self._following(self._last)
            if piece is None:
                return 0
            self._last, self._rest = piece, memoryview(piece.data)
            self._pieces, self._seconds = self._pieces + 1, self._seconds + piece.seconds
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

    @property
    def failed(self) -> VidliftError | None:
        """Why the last piece that was lost could not be received."""
        return self._track.failed

    @property
    def stopped(self) -> bool:
        """Whether no more is to be received: what fails then says nothing."""
        return self._track.fetcher.stopped

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
    """Moves times so that those of a later epoch go on where the one before ended, and so do
    those of a live film after what was gone before it could be received.

        as it came   0 1 2 3 | 40 41    pictures, which lead, after a leap
        as given     0 1 2 3 | 4  5     and sound of the same times
    """

    def __init__(self, begin: Fraction | None = None, *, live: bool = False) -> None:
        """``begin``: the time to give what comes first; None: its own."""
        self._begin = begin
        self._live = live
        self._lock = Lock()
        self._changed = Condition(self._lock)
        self._leaps: dict[int, list[_Leap]] = {}
        """By epoch, in order of time, the way that led into it among them."""

        self._end: tuple[int, Fraction] | None = None
        """How far the pictures have come, by their own times: the epoch, and the time in it."""

        self._shown = Fraction(0)
        """The same as it was given; of a live film, whose times never go back."""

        self._over = False
        self.base: Fraction | None = None
        """The time in the film of second 0 of the list."""

    def move(self, piece: Piece, first: Fraction) -> Fraction:
        """By how much times of a piece move, whose own first time is ``first``: those of its
        epoch do alike from one leap to the next. Who asks this leads; see ``follow``."""
        with self._lock:
            leaps = self._known(piece, first)
            if piece.leaps > leaps[-1].count and first > leaps[-1].first:
                there = self._end is not None and self._end[0] == piece.epoch
                since = self._end[1] if self._end is not None and there else leaps[-1].first
                by = self._place(piece) - first
                leaps.append(_Leap(count=piece.leaps, since=since, first=first, by=by))
                self._changed.notify_all()
            before = [leap for leap in leaps if leap.count <= piece.leaps]
            return (before or leaps)[-1 if before else 0].by

    def lead(self, piece: Piece, end: Fraction, by: Fraction) -> None:
        """Note where a picture ends, by its own times, and by how much they moved."""
        with self._lock:
            self._end = piece.epoch, end
            if self._live:
                self._shown = end + by
            self._changed.notify_all()

    def end(self) -> None:
        """There are no more pictures: nobody waits for them."""
        with self._lock:
            self._over = True
            self._changed.notify_all()

    def follow(self, piece: Piece, time: Fraction, *, stopped: Callable[[], bool]) -> None:
        """Wait, after a leap of sound to ``time``, until it is known whether pictures leapt too."""
        with self._lock:
            while not (self._over or stopped()):
                leaps = self._leaps.get(piece.epoch, [])
                if leaps and leaps[-1].count >= piece.leaps:
                    return
                if self._end is not None and self._end[0] == piece.epoch and self._end[1] >= time:
                    return
                self._changed.wait(LOOK)

    def place(self, piece: Piece, time: Fraction) -> Fraction | None:
        """Where a time of sound goes; None: it lies in what the pictures leapt over."""
        with self._lock:
            first, *leaps = self._known(piece, time)
            for leap in reversed(leaps):
                if time >= leap.first - SLACK:
                    return time + leap.by
                if time >= leap.since:
                    return None
            return time + first.by

    def _known(self, piece: Piece, first: Fraction) -> list[_Leap]:
        """The leaps of an epoch, one at least."""
        if self.base is None:
            start = Fraction(piece.start).limit_denominator(1_000_000)
            self.base = (first if self._begin is None else self._begin) - start
        if piece.epoch not in self._leaps:
            by = self._place(piece) - first
            into = _Leap(count=piece.leaps, since=first, first=first, by=by)
            self._leaps[piece.epoch] = [into]
        return self._leaps[piece.epoch]

    def _place(self, piece: Piece) -> Fraction:
        """Where what comes anew is to begin."""
        assert self.base is not None
        place = self.base + Fraction(piece.start).limit_denominator(1_000_000)
        return max(place, self._shown) if self._live else place


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leap:
    """From where on times of an epoch move by how much."""

    count: int
    """Of the leaps so far."""

    since: Fraction
    """Where what was leapt over begins, by its own times; it ends with ``first``."""

    first: Fraction
    by: Fraction
