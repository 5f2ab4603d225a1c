"""A file on a server as one that can be read and sought: what a demuxer is given for a URL.

    server ──> Download ──> ahead ──> kept blocks ──> read

Blocks are read ahead in one direction. A seek to what is kept, or a little forward, costs no
request; any other begins a new download there. Memory is bounded by what is kept and ahead.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from threading import Event, Lock
from typing import TYPE_CHECKING

from vidlift.client.download import BLOCK, Download, Patience
from vidlift.client.hosts import shown
from vidlift.client.web import Web
from vidlift.errors import NetworkError
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
    raises ``NetworkError`` once the server has failed for longer than ``patience`` allows.
    """

    def __init__(
        self,
        url: str,
        *,
        web: Web | None = None,
        patience: Patience | None = None,
        ahead_blocks: int = AHEAD_BLOCKS,
        kept_blocks: int = KEPT_BLOCKS,
    ) -> None:
        """Asks the server and waits for the first block. Raises ``NetworkError``."""
        super().__init__()
        self.name = shown(url)
        self.received = 0
        """Bytes of content received, those received again included."""

        self._url = url
        self._web = web or Web()
        self._patience = patience
        self._ahead_blocks = ahead_blocks
        self._kept_blocks = kept_blocks
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._at = 0
        self._closing = Event()
        self._reading = Lock()
        self._download = Download(self._web, url, patience=patience)
        self._blocks: Ahead[bytes] | None = None
        self._next = 0
        """Index of the block that comes next from ``_blocks``."""

        try:
            self._begin(0)
            self._take()
        except BaseException:
            self.close()
            raise

    @property
    def beginning(self) -> bytes:
        """Its first bytes, without moving: what kind of file it is."""
        return self._kept[0][:64] if 0 in self._kept else b""

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
        with self._reading:
            block = self._block(index)
        part = block[offset : offset + len(view)]
        view[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        """Let go of the connection. A reader that waits in another thread meets an error."""
        self._closing.set()
        self._download.cancel()  # whoever reads meets an error and lets go of the lock
        with self._reading:
            self._stop()
            self._web.close()
        super().close()

    def _block(self, index: int) -> bytes:
        """A block by its place; empty past the end."""
        total = self._download.total
        if total is not None and index * BLOCK >= total:
            return b""
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
        self._blocks = ahead(self._download, depth=self._ahead_blocks)
        self._next = index

    def _take(self) -> bool:
        """Keep the next block; False at the end."""
        if self._closing.is_set() or self._blocks is None:
            raise NetworkError(f"{self.name}: closed while it was being read")
        block = next(self._blocks, None)
        if block is None:
            return False
        self.received += len(block)
        self._kept[self._next] = block
        self._next += 1
        while len(self._kept) > self._kept_blocks:
            self._kept.popitem(last=False)
        return True

    def _stop(self) -> None:
        self._download.cancel()
        if self._blocks is not None:
            self._blocks.close()
