"""Fetch what playlists name: lists, headers, keys, segments, each with its limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

from vidlift.client.download import Download, Limits, Patience
from vidlift.client.hosts import shown
from vidlift.client.playlist import TEXT_MAX, Key, MasterList, MediaList, Resource, Segment, parse
from vidlift.client.web import Web
from vidlift.errors import InputError, NetworkError

SEGMENT_MAX = 32_000_000
"""Bytes of a segment."""

SEGMENT_SECONDS = 120.0
"""Longest time that a segment may take."""

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
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._web = web
        self._patience = patience
        self._clock = clock
        self._stopped = Event()
        self._wait = pause
        self._current: Download | None = None
        self._kept: dict[Resource, bytes] = {}
        self.received = 0
        """Bytes of content received."""

        self.retries = 0
        """How often a server had to be asked again."""

        self.seconds = 0.0
        """Time spent on the last segment."""

    def playlist(self, url: str, *, came_from: str | None) -> MasterList | MediaList:
        """Fetch and parse a list; what it names counts from where it was found in the end."""
        data, found = self._get(Resource(url=url), came_from, TEXT_MAX)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{shown(url)} is no playlist: it is not text") from error
        return parse(text, found)

    def document(self, url: str, *, came_from: str) -> bytes:
        """A small file beside a playlist."""
        return self._get(Resource(url=url), came_from, TEXT_MAX)[0]

    def header(self, segment: Segment, *, came_from: str) -> bytes:
        """What goes before a segment, empty where nothing does."""
        if segment.header is None:
            return b""
        return self._keep(segment.header, came_from, HEADER_MAX)

    def segment(self, segment: Segment, *, came_from: str) -> bytes:
        """A segment, decrypted. Raises ``DamagedError`` for what cannot be one."""
        begun = self._clock()
        data, _ = self._get(segment.resource, came_from, SEGMENT_MAX)
        self.seconds = self._clock() - begun
        if segment.key is not None:
            data = self._decrypt(data, segment.key, segment.number, came_from)
        check_segment(data, name=shown(segment.resource.url))
        return data

    def pause(self, seconds: float) -> None:
        """Wait, unless all of it is stopped."""
        (self._wait or self._stopped.wait)(seconds)

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

    def _keep(self, resource: Resource, came_from: str, most: int) -> bytes:
        if resource not in self._kept:
            if len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[resource] = self._get(resource, came_from, most)[0]
        return self._kept[resource]

    def _get(self, resource: Resource, came_from: str | None, most: int) -> tuple[bytes, str]:
        if resource.end is not None and resource.end - resource.start > most:
            raise NetworkError(f"{shown(resource.url)} is larger than {most} bytes")
        download = self._current = Download(
            self._web,
            resource.url,
            start=resource.start,
            end=resource.end,
            in_parts=False,
            came_from=came_from,
            patience=self._patience,
            limits=Limits(bytes=most, seconds=SEGMENT_SECONDS),
            clock=self._clock,
            pause=self._wait,
        )
        if self._stopped.is_set():
            download.cancel()
        try:
            data = b"".join(download)
        finally:
            self.retries += download.retries
            self._current = None
        self.received += len(data)
        return data, download.found

    def _decrypt(self, data: bytes, key: Key, number: int, came_from: str) -> bytes:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.padding import PKCS7

        secret = self._keep(Resource(url=key.url), came_from, 64)
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


def check_segment(data: bytes, *, name: str) -> None:
    """Refuse what no demuxer should be given: a page of text, a fragment cut short."""
    if not data:
        raise DamagedError(f"{name} is empty")
    if data[0] == 0x47 or data[:3] == b"ID3" or data[:1] == b"\xff":
        return  # MPEG-TS, or packed audio: they are resynchronised by what reads them
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
