"""Fetch what playlists name: lists, headers, keys, segments, each with its limits.

Segments and headers are taken from the cache where a copy is good; lists and keys never are.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from functools import partial
from threading import Event

from vidlift.cache import Cache, key_of, nothing
from vidlift.client.download import Download, Limits, Patience
from vidlift.client.hosts import shown
from vidlift.client.playlist import TEXT_MAX, Key, MasterList, MediaList, Resource, Segment, parse
from vidlift.client.waits import rest
from vidlift.client.web import Web
from vidlift.errors import InputError, NetworkError

SEGMENT_MAX = 32_000_000
"""Bytes of a segment."""

SEGMENT_SECONDS = 120.0
"""Longest time that a segment may take."""

SEGMENT_PATIENCE = Patience(first_tries=6)
"""The server was there a moment ago: it may be restarting, and there is film in hand."""

HEADER_MAX = 2_000_000
KEPT = 16
"""Headers and keys kept."""


class DamagedError(InputError):
    """A segment that came and is none."""


class Fetcher:
    """Fetches for one film. One thread at a time; ``stop`` from any."""

    def __init__(
        self,
        web: Web,
        *,
        cache: Cache | None = None,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
        defined: dict[str, str] | None = None,
    ) -> None:
        """``cache`` may be shared; None keeps nothing. ``defined`` is what master lists define,
        for all who fetch what these lead to."""
        self._web = web
        self._defined = {} if defined is None else defined
        self._cache = cache or nothing()
        self._patience = patience
        self._clock = clock
        self._stopped = Event()
        self._wait = pause
        self._current: Download | None = None
        self._kept: dict[Resource, bytes] = {}
        self.received = 0
        """Bytes of content received."""

        self.saved = 0
        """Bytes that were not asked for, since a copy was at hand."""

        self.retries = 0
        """How often a server had to be asked again."""

        self.seconds = 0.0
        """Time spent on the last segment."""

        self.carried: float | None = None
        """Bits a second, the most that was seen on anything: at least so much can be carried."""

    def playlist(self, url: str, *, came_from: str | None) -> MasterList | MediaList:
        """Fetch and parse a list; what it names counts from where it was found in the end."""
        data, found = self._get(Resource(url=url), came_from, TEXT_MAX, text=True)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{shown(url)} is no playlist: it is not text") from error
        playlist = parse(text, found, defined=self._defined)
        if isinstance(playlist, MasterList):
            self._defined.update(playlist.defined)
        return playlist

    def document(self, url: str, *, came_from: str) -> bytes:
        """A small file beside a playlist."""
        return self._get(Resource(url=url), came_from, TEXT_MAX, text=True)[0]

    def header(self, segment: Segment, *, came_from: str) -> bytes:
        """What goes before a segment, empty where nothing does."""
        if segment.header is None:
            return b""
        return self._keep(segment.header, came_from, HEADER_MAX, secret=False)

    def segment(self, segment: Segment, *, came_from: str) -> bytes:
        """A segment, decrypted. Raises ``DamagedError`` for what cannot be one."""
        begun = self._clock()
        name = key_of(segment.resource)
        patience = self._patience or SEGMENT_PATIENCE
        data = self._get(segment.resource, came_from, SEGMENT_MAX, kept_as=name, patience=patience)[
            0
        ]
        self.seconds = self._clock() - begun
        try:
            if segment.key is not None:
                data = self._decrypt(data, segment.key, segment.number, came_from)
            headed = segment.header is not None
            check_segment(data, name=shown(segment.resource.url), headed=headed)
        except DamagedError:
            self._cache.drop(name)
            raise
        return data

    def has(self, segment: Segment) -> bool:
        """Whether a copy is at hand that may be used without asking."""
        return self._cache.is_fresh(key_of(segment.resource))

    def now(self) -> float:
        """Seconds by a clock that never stands."""
        return self._clock()

    def pause(self, seconds: float) -> None:
        """Wait, unless all of it is stopped."""
        (self._wait or partial(rest, self._stopped))(seconds)

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        """End what is under way and refuse all else: whoever waits meets ``NetworkError``."""
        self._stopped.set()
        if self._current is not None:
            self._current.cancel()

    def go_on(self) -> None:
        """Allow fetching again after ``stop``."""
        self._stopped.clear()

    def _keep(self, resource: Resource, came_from: str, most: int, *, secret: bool) -> bytes:
        """What many segments share, kept in memory; beside that in the cache unless ``secret``."""
        if resource not in self._kept:
            if len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            name = None if secret else key_of(resource)
            self._kept[resource] = self._get(resource, came_from, most, kept_as=name)[0]
        return self._kept[resource]

    def _get(
        self,
        resource: Resource,
        came_from: str | None,
        most: int,
        *,
        kept_as: str | None = None,
        text: bool = False,
        patience: Patience | None = None,
    ) -> tuple[bytes, str]:
        """The bytes, and where they were found; ``kept_as``: by what name in the cache."""
        if resource.end is not None and resource.end - resource.start > most:
            raise NetworkError(f"{shown(resource.url)} is larger than {most} bytes")
        kept = None if kept_as is None else self._cache.get(kept_as)
        if kept is not None and kept.fresh:
            self._web.check(resource.url, came_from=came_from)
            self.saved += len(kept.data)
            return kept.data, resource.url
        download = self._current = Download(
            self._web,
            resource.url,
            start=resource.start,
            end=resource.end,
            in_parts=False,
            came_from=came_from,
            known=None if kept is None else kept.version,
            text=text,
            patience=patience or self._patience,
            limits=Limits(bytes=most, seconds=SEGMENT_SECONDS),
            clock=self._clock,
            pause=self._wait,
        )
        if self._stopped.is_set():
            download.cancel()
        begun = self._clock()
        try:
            data = b"".join(download)
        finally:
            self.retries += download.retries
            self._current = None
        rate = 8 * len(data) / max(self._clock() - begun, 1e-3)
        self.carried = max(rate, self.carried or 0.0) or None
        if download.unchanged and kept is not None:
            self.saved += len(kept.data)
            data = kept.data
        else:
            self.received += len(data)
        if download.packed:
            data = _unpacked(data, most, name=shown(resource.url))
        if kept_as is not None and download.lasts is not None:
            version = download.version or (kept.version if kept and download.unchanged else None)
            self._cache.put(kept_as, data, version=version, lasts=download.lasts)
        return data, download.found

    def _decrypt(self, data: bytes, key: Key, number: int, came_from: str) -> bytes:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.padding import PKCS7

        secret = self._keep(Resource(url=key.url), came_from, 64, secret=True)
        if len(secret) != 16:
            raise InputError(f"{shown(key.url)}: a key of {len(secret)} bytes, 16 are wanted")
        iv = key.iv or number.to_bytes(16, "big")
        if not data or len(data) % 16:
            raise DamagedError("an encrypted segment was cut")
        decryptor = Cipher(algorithms.AES(secret), modes.CBC(iv)).decryptor()
        padded = decryptor.update(data) + decryptor.finalize()
        remover = PKCS7(128).unpadder()
        try:
            return remover.update(padded) + remover.finalize()
        except ValueError as error:
            raise DamagedError("a segment does not fit its key") from error


def _unpacked(data: bytes, most: int, *, name: str) -> bytes:
    """What a gzip file holds, of which no more than ``most`` bytes are ever made."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(data, most)
    except zlib.error as error:
        raise InputError(f"{name} is damaged: {error}") from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise NetworkError(f"{name} is cut short, or larger than {most} bytes")
    return text


def check_segment(data: bytes, *, name: str, headed: bool) -> None:
    """Refuse what no demuxer should be given: noise, a page of text, a fragment cut short.

    ``headed``: something goes before it, which nothing does before packed audio.
    """
    if not data:
        raise DamagedError(f"{name} is empty")
    packed_audio = data[:3] == b"ID3" or data[0] == 0xFF
    if _is_transport_stream(data) or (packed_audio and not headed):
        return  # these are resynchronised by what reads them
    at = 0
    kinds = set()
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        elif size == 0:
            size = len(data) - at
        if size < 8 or not kind.isalnum():
            break
        kinds.add(kind)
        at += size
    if at != len(data) or not kinds & {b"moof", b"mdat"}:
        raise DamagedError(f"{name} is no segment, or was cut short")


def _is_transport_stream(data: bytes) -> bool:
    """Whether the first packets, four of them at most, begin as those of MPEG-TS do."""
    return all(data[at] == 0x47 for at in range(0, min(len(data), 4 * 188), 188))
