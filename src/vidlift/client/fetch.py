"""A file on a server as one that can be read and sought: what a demuxer is given for a URL.

    server ──> Download ──> ahead ──> kept blocks ──> read
                                       └──> cache, on the disk

Blocks are read ahead in one direction. A seek to what is kept, or a little forward, costs no
request; any other begins a new download there. Memory is bounded by what is kept and ahead, the
disk by the cache, whose copies are good as long as the file has the version seen when opened.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable
from threading import Event, Lock
from typing import TYPE_CHECKING

from vidlift.cache import ALWAYS, Cache, key_of, nothing
from vidlift.client.download import BLOCK, Download, Patience
from vidlift.client.hosts import shown
from vidlift.client.web import Web
from vidlift.errors import InputError, NetworkError
from vidlift.stages.ahead import Ahead, ahead

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

AHEAD_BLOCKS = 64
"""Blocks received before they are asked for: 4 MiB, a minute of film at 500 kbit/s."""

KEPT_BLOCKS = 256
"""Blocks kept after they were read: 16 MiB."""

FORWARD_BLOCKS = 16
"""A seek forward by no more than this reads on instead of asking anew."""


class HttpFile(io.RawIOBase):
    """Bytes behind an http(s) URL. One reader at a time; ``close`` may come from any thread.

    Where the server gives no ranges, seeking backwards beyond what is kept starts over, which
    is slow and works; where it does not even tell a length, the file cannot be sought. Reading
    raises ``NetworkError`` once the server has failed for longer than ``patience`` allows; who
    reads on after that finds the end.
    """

    def __init__(
        self,
        url: str,
        *,
        web: Web | None = None,
        cache: Cache | None = None,
        patience: Patience | None = None,
        ahead_blocks: int = AHEAD_BLOCKS,
        kept_blocks: int = KEPT_BLOCKS,
    ) -> None:
        """Asks the server and waits for the first block; ``cache`` None keeps nothing on the disk.

        Raises ``NetworkError``, ``InputError`` for a file of no bytes.
        """
        super().__init__()
        self.name = shown(url)
        self.received = 0
        """Bytes of content received, those received again included."""

        self.saved = 0
        """Bytes that were not asked for, since a copy was at hand."""

        self.keep: Callable[[int, bytes], None] = lambda _index, _block: None
        """Given each block that comes, with its place; in the thread that reads."""

        self.interrupted: BaseException | None = None
        """Ctrl-C that came while it was read in the main thread: PyAV would lose it."""

        self._url = url
        self._cache = cache or nothing()
        self._web = web or Web()
        self._patience = patience
        self._ahead_blocks = ahead_blocks
        self._kept_blocks = kept_blocks
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._at = 0
        self._closing = Event()
        self._failed = False
        self._reading = Lock()
        self._download = Download(self._web, url, patience=patience)
        self._blocks: Ahead[bytes] | None = None
        self._next = 0
        """Index of the block that comes next from ``_blocks``."""

        try:
            self._begin(0)
            if not self._take():
                raise InputError(f"{self.name} is empty: the server has no bytes of it")
        except BaseException:
            self.close()
            raise

    @property
    def beginning(self) -> bytes:
        """Its first bytes, without moving: what kind of file it is."""
        return self._kept[0][:64] if 0 in self._kept else b""

    @property
    def size(self) -> int | None:
        """Bytes in all, None where the server does not tell."""
        return self._download.total

    def blocks(self) -> dict[int, bytes]:
        """The blocks in memory, by place."""
        return dict(self._kept)

    @property
    def retries(self) -> int:
        """How often the server had to be asked again in the present download."""
        return self._download.retries

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._download.total is not None

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Costs nothing: what is asked of the server is decided when reading."""
        if not self.seekable():
            raise io.UnsupportedOperation(f"{self.name}: the server does not tell its length")
        assert self._download.total is not None
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._download.total}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        index, offset = divmod(self._at, BLOCK)
        if self._failed:
            return 0  # FFmpeg asks on before it lets the error through, and PyAV prints a second
        try:
            with self._reading:
                block = self._block(index)
        except BaseException as error:
            self._failed = True
            if isinstance(error, Exception):
                raise
            self.interrupted = error
            raise NetworkError(f"{self.name}: interrupted") from error
        part = block[offset : offset + len(view)]
        view[: len(part)] = part
        self._at += len(part)
        return len(part)

    def stop(self) -> None:
        """Nothing more is wanted: a reader that waits in another thread meets an error."""
        self._closing.set()
        self._download.cancel()

    def close(self) -> None:
        """Let go of the connection. A reader that waits in another thread meets an error."""
        self.stop()  # whoever reads lets go of the lock
        with self._reading:
            self._stop()
            self._web.close()
        super().close()

    def _block(self, index: int) -> bytes:
        """A block by its place; empty past the end."""
        total = self._download.total
        if total is not None and index * BLOCK >= total:
            return b""
        if index not in self._kept and (copy := self._copy(index)) is not None:
            self.saved += len(copy)
            self._put(index, copy)
        if index not in self._kept and not 0 <= index - self._next <= FORWARD_BLOCKS:
            self._begin(index if self._download.ranges else 0)
        while index not in self._kept and self._take():
            pass
        if index in self._kept:
            self._kept.move_to_end(index)
        return self._kept.get(index, b"")

    def _begin(self, index: int) -> None:
        """Receive from a block on, in a thread of its own."""
        self._stop()
        self._download = Download(
            self._web,
            self._url,
            start=index * BLOCK,
            like=self._download,
            patience=self._patience,
        )
        wake = self._download.cancel
        self._blocks = ahead(self._download, depth=self._ahead_blocks, wake=wake)
        self._next = index

    def _take(self) -> bool:
        """Keep the next block; False at the end."""
        if self._closing.is_set() or self._blocks is None:
            raise NetworkError(f"{self.name}: closed while it was being read")
        block = next(self._blocks, None)
        if block is None:
            return False
        self.received += len(block)
        name = self._name(self._next)
        if name is not None:
            self._cache.put(name, block, version=self._download.version, lasts=ALWAYS)
        self._put(self._next, block)
        self._next += 1
        return True

    def _put(self, index: int, block: bytes) -> None:
        self._kept[index] = block
        while len(self._kept) > self._kept_blocks:
            self._kept.popitem(last=False)
        self.keep(index, block)

    def _copy(self, index: int) -> bytes | None:
        """The block as the cache has it."""
        name = self._name(index)
        kept = None if name is None else self._cache.get(name)
        return None if kept is None else kept.data

    def _name(self, index: int) -> str | None:
        """What the cache calls a block of this version; None where there is none to be kept."""
        download = self._download
        if download.version is None or download.total is None or download.lasts is None:
            return None
        return key_of(self._url, download.version, download.total, index)

    def _stop(self) -> None:
        self._download.cancel()
        if self._blocks is not None:
            self._blocks.close()
