"""An HLS film as it is received: its segments in order, each from the rung chosen for it.

    playlists ──> which segment next ──> which rung ──> fetched, checked ──> pieces

A film on demand is followed by time, a live one by the numbers of its segments. Lists that
vanish for a while and segments that fail are waited for, asked for again and, at last, passed
over: times in the segments keep sound and pictures together.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from vidlift.client.adapt import BUFFER, Choose, Option, Throughput, by_both, guess, quality_of
from vidlift.client.download import Patience
from vidlift.client.hosts import RefusedError, shown
from vidlift.client.playlist import MasterList, MediaList, Segment, SoundRendition, Variant
from vidlift.client.segments import DamagedError, Fetcher
from vidlift.client.web import Web
from vidlift.errors import InputError, NetworkError
from vidlift.stages.ahead import Ahead, ahead

MISSING_MAX = 3
"""Segments in a row that may fail before the film is given up."""

VANISHED_MAX = 40.0
"""Seconds for which the list of a live film may be away, or without anything new."""

BEHIND_LIVE = 3
"""Segments between the newest one and where a live film is begun."""

TIERS = ("s", "m", "l", "xl")


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
        self._variants = variants
        self._options = options
        self._came_from = came_from
        self._choose = choose
        self._lists: dict[int, MediaList] = {} if first is None else {0: first}
        self._throughput = Throughput()
        self._received, self._taken = 0.0, 0.0
        self._at = 0
        self.lost: Counter[str] = Counter()
        self.received_of: defaultdict[str, float] = defaultdict(float)
        """Seconds received, by rung."""

        self.switches = 0

    def current(self) -> MediaList:
        """The list of the rung in use."""
        return self._list(self._at)

    def took(self, piece: Piece) -> None:
        """The consumer has taken a piece: what is ahead of it is the buffer."""
        self._taken += piece.seconds

    @property
    def buffer(self) -> float:
        """Seconds received and not taken."""
        return self._received - self._taken

    def arriving(self, since: float, *, depth: int) -> Ahead[Piece]:
        """The same as ``pieces``, up to ``depth`` of them received before they are asked for."""
        return ahead(self.pieces(since), depth=depth)

    def pieces(self, since: float) -> Iterator[Piece]:
        """From the segment that holds ``since``, seconds in the list, to the end of the film.

        Raises ``NetworkError`` where too much is missing.
        """
        self._received = self._taken = 0.0
        position = _Position(time=since)
        missing = 0
        while True:
            at = self._choose(
                self._options,
                buffer=self.buffer,
                throughput=self._throughput.bits_per_second,
            )
            media, segment = self._next(at, position)
            if segment is None:
                return
            position = position.after(segment)
            try:
                piece = self._fetch(at, media, segment, position.start)
            except (NetworkError, DamagedError) as error:
                if self.fetcher.stopped or isinstance(error, RefusedError):
                    raise
                missing += 1
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
            yield piece

    def _fetch(self, at: int, media: MediaList, segment: Segment, start: float) -> Piece:
        before = self.fetcher.received
        try:
            data = self.fetcher.segment(segment, came_from=media.url)
        except DamagedError:
            data = self.fetcher.segment(segment, came_from=media.url)  # a bad moment, perhaps
        self._throughput.add(self.fetcher.received - before, self.fetcher.seconds)
        return Piece(
            data=data,
            header=self.fetcher.header(segment, came_from=media.url),
            run=(at, segment.epoch, segment.header),
            epoch=segment.epoch,
            start=start,
            seconds=segment.seconds,
            rung=_name(self._variants[at]),
        )

    def _list(self, at: int, *, anew: bool = False) -> MediaList:
        if at not in self._lists or anew:
            url = self._variants[at].url
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
        for segment in media.segments:
            if segment.start + segment.seconds / 2 > position.time:
                return media, segment
        return media, None

    def _next_live(self, at: int, position: _Position) -> tuple[MediaList, Segment | None]:
        media = self._list(at)
        away = 0.0
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
                if media.ended:
                    return media, None
            if away >= VANISHED_MAX:
                raise NetworkError(f"{shown(media.url)}: nothing new for {away:.0f} s")
            rest = max(0.5, media.target / 2)
            self.fetcher.pause(rest)
            away += rest
            try:
                media = self._list(at, anew=True)
            except NetworkError:
                if self.fetcher.stopped:
                    raise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Position:
    """Where in the film the next segment is looked for."""

    time: float
    number: int | None = None
    """Of the next segment, for a live film that has begun."""

    start: float = 0.0
    """Where the segment begins that led here."""

    def after(self, segment: Segment) -> _Position:
        start = segment.start if self.number is None else self.time
        return _Position(time=start + segment.seconds, number=segment.number + 1, start=start)


class HlsFilm:
    """A film behind a playlist: what there is of it, and its two tracks."""

    def __init__(
        self,
        url: str,
        *,
        web: Web | None = None,
        patience: Patience | None = None,
        choose: Choose = by_both,
        tiers: Iterable[str] = TIERS,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """Fetches the playlists. ``tiers`` are the networks that this machine runs in time.

        Raises ``NetworkError``, ``InputError``.
        """
        self.name = shown(url)
        self._web = web or Web()
        self._fetchers = [
            Fetcher(self._web, patience=patience, pause=pause) for _ in ("pictures", "sound")
        ]
        try:
            self._open(url, choose, tuple(tiers))
        except BaseException:
            self.close()
            raise

    def _open(self, url: str, choose: Choose, tiers: tuple[str, ...]) -> None:
        top = self._fetchers[0].playlist(url, came_from=None)
        self.card: Mapping[str, Any] = {}
        """The title's ``vidlift.json``, empty where the film is not one of ours."""

        sound: SoundRendition | None = None
        if isinstance(top, MediaList):
            only = Variant(url=top.url, bits_per_second=0, width=None, height=None, sounds=None)
            self.pictures = Track(self._fetchers[0], [only], [_FLAT], came_from=None, first=top)
        else:
            self.card = self._read_card(top)
            variants = list(top.variants)
            options = [_option(self.card, v, tiers) for v in variants]
            self.pictures = Track(
                self._fetchers[0], variants, options, came_from=top.url, choose=choose
            )
            sound = top.sound_of(variants[0])
        self.sound: Track | None = None
        """The sound where it comes apart from the pictures."""

        if sound is not None:
            only = Variant(url=sound.url, bits_per_second=0, width=None, height=None, sounds=None)
            self.sound = Track(self._fetchers[1], [only], [_FLAT], came_from=top.url)
        media = self.pictures.current()
        self.live = not media.ended
        self.seconds: float | None = None
        """How long it is; None where it is live."""

        if not self.live:
            self.seconds = float(sum(segment.seconds for segment in media.segments))
        self.depth = max(2, min(8, round(BUFFER / media.target)))
        """Pieces to be received ahead."""

    @property
    def received(self) -> int:
        return sum(fetcher.received for fetcher in self._fetchers)

    @property
    def retries(self) -> int:
        return sum(fetcher.retries for fetcher in self._fetchers)

    def report(self) -> dict[str, Any]:
        """How it was received: seconds by rung, steps between rungs, tries beyond the first."""
        return {
            "rungs": {name: round(s, 3) for name, s in self.pictures.received_of.items()},
            "switches": self.pictures.switches,
            "retries": self.retries,
        }

    def stop(self) -> None:
        """End what is under way, from any thread."""
        for fetcher in self._fetchers:
            fetcher.stop()

    def go_on(self) -> None:
        for fetcher in self._fetchers:
            fetcher.go_on()

    def close(self) -> None:
        self.stop()
        self._web.close()

    def _read_card(self, top: MasterList) -> Mapping[str, Any]:
        """What our own server says beside the list; others are asked for nothing they lack."""
        if not top.url.partition("?")[0].endswith("/master.m3u8"):
            return {}
        try:
            data = self._fetchers[0].document(urljoin(top.url, "vidlift.json"), came_from=top.url)
            card = json.loads(data)
        except (NetworkError, ValueError):
            return {}
        return card if isinstance(card, dict) and isinstance(card.get("renditions"), list) else {}


_FLAT = Option(bits_per_second=1, quality=0)


def _option(card: Mapping[str, Any], variant: Variant, tiers: tuple[str, ...]) -> Option:
    quality = quality_of(card, _name(variant), tiers)
    if quality is None:
        quality = guess(variant.width, variant.height, variant.bits_per_second)
    return Option(bits_per_second=max(variant.bits_per_second, 1), quality=quality)


def _name(variant: Variant) -> str:
    """As our own cards call a rung."""
    if variant.width and variant.height:
        return f"{min(variant.width, variant.height)}p"
    return f"{variant.bits_per_second // 1000}k" if variant.bits_per_second else "only"
