"""An HLS film as it is received: what its playlists name, and its two tracks.

playlists ──> which segment next ──> which rung ──> fetched, checked ──> pieces
              └──────────────────── track.py ────────────────────────┘
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from functools import partial
from typing import Any
from urllib.parse import urljoin

from vidlift.cache import Cache
from vidlift.client.adapt import BUFFER, Choose, Option, best, by_both, guess, quality_of
from vidlift.client.captions import Caption, read_captions
from vidlift.client.download import Patience
from vidlift.client.hosts import shown
from vidlift.client.playlist import MasterList, MediaList, Rendition, Variant
from vidlift.client.segments import Fetcher
from vidlift.client.track import Keep, Piece, Track, name_of
from vidlift.client.web import Web
from vidlift.descriptor import TIERS
from vidlift.errors import InputError, NetworkError
from vidlift.stages.ahead import Ahead, ahead

Captions = Ahead[Caption]

Runs = Callable[[int, int], Iterable[str]]
"""The tiers of the networks that this machine runs in time on pictures of a width and height."""


class HlsFilm:
    """A film behind a playlist: what there is of it, and its two tracks."""

    def __init__(
        self,
        url: str,
        *,
        web: Web | None = None,
        patience: Patience | None = None,
        cache: Cache | None = None,
        choose: Choose = by_both,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """Fetches the playlists. ``cache`` None keeps nothing. ``pause`` waits.

        Raises ``NetworkError``, ``InputError``.
        """
        self.name = shown(url)
        self._web = web or Web()
        self._fetcher = partial(
            Fetcher,
            self._web,
            cache=cache,
            patience=patience,
            clock=clock,
            pause=pause,
            defined={},
        )
        self._fetchers = [self._fetcher(), self._fetcher()]
        """For pictures, for sound, and for each of the subtitles that were asked for."""

        try:
            self._open(url, choose)
        except BaseException:
            self.close()
            raise

    def _open(self, url: str, choose: Choose) -> None:
        top = self._fetchers[0].playlist(url, came_from=None)
        self.card: Mapping[str, Any] = {}
        """The title's ``vidlift.json``, empty where the film is not one of ours."""

        self.sounds: list[Rendition] = []
        """What there is to choose from where the sound comes apart from the pictures."""

        self.texts: list[Rendition] = []
        """The subtitles there are."""

        self.sound: Track | None = None
        """The sound where it comes apart: what the film asks for, until ``listen``."""

        self._top = top.url
        if isinstance(top, MediaList):
            only = Variant(url=top.url, bits_per_second=0, width=None, height=None, sounds=None)
            self.pictures = Track(self._fetchers[0], [only], [_FLAT], came_from=None, first=top)
        else:
            self.card = self._read_card(top)
            variants = list(top.variants)
            options = [_option(self.card, v, TIERS) for v in variants]
            self.pictures = Track(
                self._fetchers[0], variants, options, came_from=top.url, choose=choose
            )
            self.sounds = top.sounds_of(variants[0])
            self.texts = top.texts_of(variants[0])
        if self.sounds:
            asked = [at for at, sound in enumerate(self.sounds) if sound.default]
            self.listen(next(iter(asked), 0))
        media = self.pictures.current()
        self.live = not media.ended
        self.seconds: float | None = None
        """How long it is; None where it is live."""

        if not self.live:
            self.seconds = float(sum(segment.seconds for segment in media.segments))
        self.depth = max(2, min(8, round(BUFFER / media.target)))
        """Pieces to be received ahead."""

    @property
    def _tracks(self) -> list[Track]:
        return [track for track in (self.pictures, self.sound) if track is not None]

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Width and height of the rungs that say it."""
        return [(v.width, v.height) for v in self.pictures.variants if v.width and v.height]

    def weigh(self, runs: Runs) -> None:
        """Choose rungs from now on by how they look with the networks that run here in time.

        Until this is called, every network is taken to.
        """
        track = self.pictures
        if len(track.variants) > 1:
            track.options = [
                _option(self.card, v, runs(v.width, v.height) if v.width and v.height else ())
                for v in track.variants
            ]

    def listen(self, at: int) -> None:
        """Receive another of the sounds from now on. Nobody may be taking from the one before."""
        url = self.sounds[at].url
        only = Variant(url=url, bits_per_second=0, width=None, height=None, sounds=None)
        track = Track(self._fetchers[1], [only], [_FLAT], came_from=self._top)
        if self.sound is not None:
            track.keep = self.sound.keep
        self.sound = track

    def keep(self, pictures: Keep, sound: Keep) -> None:
        """Have each piece handed on as it comes, in the thread that receives it."""
        self.pictures.keep = pictures
        if self.sound is not None:
            self.sound.keep = sound

    def end_captions(self) -> None:
        """End the fetching of subtitles soon, from any thread."""
        for fetcher in self._fetchers[2:]:
            fetcher.stop()

    def captions(self, text: Rendition) -> Captions:
        """What is said in one of the subtitles, all of it as it comes; ``close`` it.

        A list or a segment that cannot be had says nothing.
        """
        fetcher = self._fetcher()
        self._fetchers.append(fetcher)
        return ahead(self._captions(text, fetcher), depth=1000, wake=fetcher.stop)

    def _captions(self, text: Rendition, fetcher: Fetcher) -> Iterator[Caption]:
        with suppress(NetworkError, InputError):
            media = fetcher.playlist(text.url, came_from=self._top)
            for segment in media.segments if isinstance(media, MediaList) else ():
                with suppress(NetworkError, InputError):
                    data = fetcher.document(segment.resource.url, came_from=media.url)
                    yield from read_captions(data)

    def best_only(self) -> None:
        """Receive the rung that looks best and no other, whatever the network carries."""
        self.pictures.choose = best

    def pieces(self) -> Iterator[Piece]:
        """All of the film from its beginning, for who wants no more than that it be received."""
        with ExitStack() as stack:
            arriving = {
                track: stack.enter_context(closing(track.arriving(0.0, depth=2)))
                for track in self._tracks
            }
            upto = dict.fromkeys(arriving, 0.0)
            while upto:  # whichever is behind, so that of a live film nothing is missed
                track = min(upto, key=lambda t: upto[t])
                piece = next(arriving[track], None)
                if piece is None:
                    del upto[track]
                    continue
                track.took(piece)
                upto[track] += piece.seconds
                yield piece

    @property
    def lost(self) -> dict[str, int]:
        """What could not be received, by reason."""
        sound = Counter[str]() if self.sound is None else self.sound.lost
        return dict(self.pictures.lost + sound)

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
            "bytes_from_cache": sum(fetcher.saved for fetcher in self._fetchers),
        }

    def stop(self) -> None:
        """End what is under way for pictures and sound, from any thread."""
        for fetcher in self._fetchers[:2]:
            fetcher.stop()

    def go_on(self) -> None:
        for fetcher in self._fetchers[:2]:
            fetcher.go_on()
        for track in self._tracks:
            track.look_again()

    def close(self) -> None:
        self.stop()
        self.end_captions()
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


def _option(card: Mapping[str, Any], variant: Variant, tiers: Iterable[str]) -> Option:
    tiers = tuple(tiers)
    quality = quality_of(card, name_of(variant), tiers)
    if quality is None:
        quality = guess(variant.width, variant.height, variant.bits_per_second, tiers=tiers)
    return Option(bits_per_second=max(variant.bits_per_second, 1), quality=quality)
