"""The segments of one kind, pictures or sound, in order, each from the rung chosen for it.

A film on demand is followed by time, a live one by the numbers of its segments. Lists that
vanish for a while and segments that fail are waited for, asked for again and, at last, passed
over: times in the segments keep sound and pictures together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from vidlift.client.adapt import Choose, Option, Throughput, by_both
from vidlift.client.hosts import RefusedError, shown
from vidlift.client.playlist import MasterList, MediaList, Segment, Variant
from vidlift.client.segments import DamagedError, Fetcher
from vidlift.client.web import TransientError
from vidlift.errors import InputError, NetworkError, VidliftError
from vidlift.stages.ahead import Ahead, ahead

MISSING_MAX = 3
"""Segments in a row that may fail before the film is given up."""

VANISHED_MAX = 40.0
"""Seconds for which the list of a live film may be away, or without anything new."""

REST_MAX = 30.0
"""Seconds between looks at a live list at most, however long it says its segments are."""

EPOCHS = 1_000_000
"""By how much the epochs of a list that counts anew are moved: it counts those anew, too."""

BEHIND_LIVE = 3
"""Segments between the newest one and where a live film is begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A segment as it came."""

    data: bytes
    header: bytes
    """What a demuxer wants before it where it has not seen it."""

    run: tuple[object, ...]
    """Pieces of one run follow one another in one demuxer."""

    epoch: int
    """Times in pieces of one epoch belong together."""

    start: float
    """Seconds from the beginning of the list."""

    seconds: float
    rung: str
    """Of which rendition it is, for receipts."""

    leaps: int = 0
    """How often something of a live film had gone before it could be received."""


Keep = Callable[[Piece], None]


class Track:
    """The pieces of one kind, pictures or sound. One thread iterates; others may look."""

    def __init__(
        self,
        fetcher: Fetcher,
        variants: list[Variant],
        options: list[Option],
        *,
        came_from: str | None,
        first: MediaList | None = None,
        choose: Choose = by_both,
    ) -> None:
        """``first`` is the list of the only variant where that was fetched already."""
        self.fetcher = fetcher
        self.variants = variants
        self.options = options
        """What the rungs are chosen by. May be replaced, from any thread."""

        self.keep: Keep = lambda _piece: None
        """Given each piece as it comes, in the thread that iterates."""

        self._came_from = came_from
        self.choose = choose
        """May be replaced, from any thread."""

        self._lists: dict[int, MediaList] = {} if first is None else {0: first}
        self._throughput = Throughput()
        self._received, self._taken = 0.0, 0.0
        self._at = 0
        self._gone: set[int] = set()
        """Rungs whose lists could not be had."""

        self.failed: VidliftError | None = None
        """Why the last of what could not be received was not."""

        self.lost: Counter[str] = Counter()
        self.received_of: defaultdict[str, float] = defaultdict(float)
        """Seconds received, by rung."""

        self.switches = 0

    def current(self) -> MediaList:
        """The list of the rung in use, or of another where that cannot be had."""
        return self._list(self._usable(self._at))

    def look_again(self) -> None:
        """What the lists of a live film say is old: they are asked for anew."""
        self._lists = {at: media for at, media in self._lists.items() if media.ended}

    def took(self, piece: Piece) -> None:
        """The consumer has taken a piece: what is ahead of it is the buffer."""
        self._taken += piece.seconds

    @property
    def buffer(self) -> float:
        """Seconds received and not taken."""
        return self._received - self._taken

    def arriving(self, since: float, *, depth: int) -> Ahead[Piece]:
        """The same as ``pieces``, up to ``depth`` of them received before they are asked for.

        Closed before its end it stops the fetcher.
        """
        return ahead(self.pieces(since), depth=depth, wake=self.fetcher.stop)

    def pieces(self, since: float) -> Iterator[Piece]:
        """From the segment that holds ``since``, seconds in the list, to the end of the film.

        Raises ``NetworkError`` where too much is missing.
        """
        self._received = self._taken = 0.0
        self._gone.clear()
        position = _Position(time=since)
        missing = 0
        while True:
            at = self.choose(
                self.options,
                buffer=self.buffer,
                throughput=self._throughput.bits_per_second or self.fetcher.carried,
            )
            at = self._usable(at)
            media, segment = self._next(at, position)
            if segment is None:
                return
            at, media, segment = self._at_hand(at, media, segment)
            if position.number is None:
                position = replace(position, live=not media.ended)
            position = position.after(segment)
            try:
                at, piece = self._fetch_somehow(at, media, segment, position)
            except (NetworkError, DamagedError) as error:
                if self.fetcher.stopped or isinstance(error, RefusedError):
                    raise
                missing += 1
                self.failed = error
                damaged = isinstance(error, DamagedError)
                self.lost[
                    "a segment was damaged" if damaged else "a segment could not be received"
                ] += 1
                if missing >= MISSING_MAX:
                    raise NetworkError(f"{error}; {missing} segments in a row failed") from error
                continue
            missing = 0
            self.switches += at != self._at
            self._at = at
            self._received += piece.seconds
            self.received_of[piece.rung] += piece.seconds
            self.keep(piece)
            yield piece

    def _at_hand(
        self, at: int, media: MediaList, segment: Segment
    ) -> tuple[int, MediaList, Segment]:
        """The segment, or the same one from the best rung that it is at hand from, where that
        looks no worse: what was received before is not asked for again."""
        options = self.options
        for other in sorted(self._lists, key=lambda i: options[i].quality, reverse=True):
            if options[other].quality < options[at].quality or not self._lists[other].ended:
                continue
            alike = _alike(self._lists[other], segment)
            if alike is not None and self.fetcher.has(alike):
                return other, self._lists[other], alike
        return at, media, segment

    def _usable(self, at: int) -> int:
        """The rung, or the one nearest to it whose list can be had."""
        failed: VidliftError | None = None
        for each in sorted(range(len(self.variants)), key=lambda i: abs(i - at)):
            if each in self._gone:
                continue
            try:
                self._list(each)
                return each
            except (NetworkError, InputError) as error:
                if self.fetcher.stopped or isinstance(error, RefusedError):
                    raise
                failed = failed or error
                self._gone.add(each)
        raise failed or NetworkError("no list of the film can be had any longer")

    def _fetch_somehow(
        self, at: int, media: MediaList, segment: Segment, position: _Position
    ) -> tuple[int, Piece]:
        """A segment, if need be from the least of the other rungs; and of which rung it is."""
        try:
            return at, self._fetch(at, media, segment, position)
        except (NetworkError, DamagedError) as error:
            other = 0 if at else 1
            cause = error.__cause__
            away = isinstance(cause, TransientError) and not cause.reached
            final = away or self.fetcher.stopped or isinstance(error, RefusedError)
            if final or other >= len(self.variants) or other in self._gone:
                raise
            try:
                media = self._list(other, anew=not media.ended)
                alike = _alike(media, segment)
                if alike is not None:
                    return other, self._fetch(other, media, alike, position)
            except (NetworkError, InputError) as another:
                if isinstance(another, RefusedError):
                    raise
            raise error

    def _fetch(self, at: int, media: MediaList, segment: Segment, position: _Position) -> Piece:
        before = self.fetcher.received
        try:
            data = self.fetcher.segment(segment, came_from=media.url)
        except DamagedError:
            data = self.fetcher.segment(segment, came_from=media.url)  # a bad moment, perhaps
        if self.fetcher.received > before:
            self._throughput.add(self.fetcher.received - before, self.fetcher.seconds)
        return Piece(
            data=data,
            header=self.fetcher.header(segment, came_from=media.url),
            run=(at, segment.epoch, segment.header, position.leaps, position.lists),
            epoch=EPOCHS * position.lists + segment.epoch,
            start=position.start,
            leaps=position.leaps,
            seconds=segment.seconds,
            rung=name_of(self.variants[at]),
        )

    def _list(self, at: int, *, anew: bool = False) -> MediaList:
        if at not in self._lists or anew:
            url = self.variants[at].url
            found = self.fetcher.playlist(url, came_from=self._came_from or None)
            if isinstance(found, MasterList):
                raise InputError(f"{shown(url)}: a list of renditions where segments should be")
            self._lists[at] = found
        return self._lists[at]

    def _next(self, at: int, position: _Position) -> tuple[MediaList, Segment | None]:
        """The list and its segment that comes next; no segment at the end of the film."""
        media = self._list(at)
        if not media.ended:
            return self._next_live(at, position)
        if position.number is None:
            return media, media.holding(position.time)
        return media, media.following(position.time)

    def _next_live(self, at: int, position: _Position) -> tuple[MediaList, Segment | None]:
        media = self._list(at)
        away, anew = 0.0, False
        while True:
            if position.number is None:
                if media.segments:
                    return media, media.segments[max(0, len(media.segments) - BEHIND_LIVE)]
            else:
                for segment in media.segments:
                    if segment.number >= position.number:
                        if segment.number > position.number:
                            gone = segment.number - position.number
                            self.lost["a segment of a live film was gone"] += gone
                        return media, segment
                if anew and _begun_anew(media, position.number):
                    return media, media.segments[max(0, len(media.segments) - BEHIND_LIVE)]
                if media.ended:
                    return media, None
            if away >= VANISHED_MAX:
                raise NetworkError(f"{shown(media.url)}: nothing new for {away:.0f} s")
            rest = min(max(0.5, media.target / 2), REST_MAX)
            since = self.fetcher.now()
            self.fetcher.pause(rest)
            try:
                media, anew = self._list(at, anew=True), True
            except (NetworkError, InputError):  # what comes for a moment may be an error page
                if self.fetcher.stopped:
                    raise
            away += max(rest, self.fetcher.now() - since)  # a silent server takes its time


@dataclass(frozen=True, slots=True, kw_only=True)
class _Position:
    """Where in the film the next segment is looked for."""

    time: float
    number: int | None = None
    """Of the next segment; None: the film begins here, or goes on after a seek."""

    start: float = 0.0
    """Where the segment begins that led here."""

    leaps: int = 0
    """How often segments of a live film were gone on the way."""

    lists: int = 0
    """How often the list of a live film began to count anew."""

    live: bool = False
    """Whether it is followed by numbers: of a film on demand these say nothing."""

    def after(self, segment: Segment) -> _Position:
        start = segment.start if self.number is None else self.time
        ahead_by = segment.number - self.number if self.live and self.number is not None else 0
        return replace(
            self,
            time=start + segment.seconds,
            number=segment.number + 1,
            start=start,
            leaps=self.leaps + (ahead_by > 0),
            lists=self.lists + (ahead_by < 0),
        )


def _begun_anew(media: MediaList, number: int) -> bool:
    """Whether a list that is new lies so far before the segment wanted that it counts anew: one
    that is only a little old, as from another server, still has the one before it."""
    return bool(media.segments) and media.segments[-1].number + len(media.segments) < number


def name_of(variant: Variant) -> str:
    """As our own cards call a rung."""
    if variant.width and variant.height:
        return f"{min(variant.width, variant.height)}p"
    return f"{variant.bits_per_second // 1000}k" if variant.bits_per_second else "only"


def _alike(media: MediaList, segment: Segment) -> Segment | None:
    """The segment of another rung's list that holds the same stretch of the film."""
    if media.ended:
        found = media.following(segment.start)
        near = found is not None and abs(found.start - segment.start) < 0.1
        return found if near else None
    return next((each for each in media.segments if each.number == segment.number), None)
