"""Work ahead of the consumer in a thread of its own. The one stage with a thread and a buffer.

upstream ──> [ thread ] ──> queue of ``depth`` ──> consumer
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread, current_thread
from typing import Generic, TypeVar

Item = TypeVar("Item")

_POLL = 0.05
"""Seconds between looks at whether the consumer is gone, while the queue is full."""

STIR = 0.5
"""Seconds that the consumer sleeps at a time, while the queue is empty. A signal may come just
before it falls asleep, or to another thread, and Python obeys it once the main thread stirs."""


def ahead(
    items: Iterable[Item], *, depth: int, wake: Callable[[], None] = lambda: None
) -> Ahead[Item]:
    """Give ``items`` in order, computing up to ``depth`` of them before they are asked for.

    ``wake`` is called by ``close`` while what is upstream has not ended: where that may wait for
    longer than a stop may take, it ends the wait, from any thread. It is called until that is so.
    """
    return Ahead(items, depth=depth, wake=wake)


class Ahead(Iterator[Item], Generic[Item]):
    """Items that a thread makes before they are asked for. It starts when this is made.

    An error upstream is raised here, after the items that came before it. When the consumer
    stops (``close``, an error, the end), the thread ends and what is upstream is closed in it.
    """

    def __init__(
        self, items: Iterable[Item], *, depth: int, wake: Callable[[], None] = lambda: None
    ) -> None:
        if depth < 1:
            raise ValueError(f"depth is at least 1, got {depth}")
        self._wake = wake
        self._queue: Queue[Item | _End] = Queue(maxsize=depth)
        self._stopped, self._ended = Event(), Event()
        self._thread = Thread(
            target=_work,
            args=(items, self._queue, self._stopped, self._ended),
            name="vidlift-ahead",
            daemon=True,
        )
        self._thread.start()

    def __next__(self) -> Item:
        if self._stopped.is_set():
            raise StopIteration
        try:
            item = self._get()
        except BaseException:  # Ctrl-C while waiting
            self.close()
            raise
        if not isinstance(item, _End):
            return item
        self.close()
        if item.error is None:
            raise StopIteration
        try:
            raise item.error
        finally:
            del item  # the error knows of this frame: they would keep each other

    @property
    def ready(self) -> bool:
        """Whether the next item, the error or the end is there: ``next`` will not wait."""
        return self._stopped.is_set() or not self._queue.empty()

    @property
    def full(self) -> bool:
        """Whether as much as is to be made ahead is there, or all that there will ever be."""
        return self._queue.full() or not self._thread.is_alive()

    def close(self) -> None:
        """Stop the thread and wait until it has ended. May be called again, and in any thread.

        A consumer that waits for an item in another thread is told that there are no more.
        """
        self._stopped.set()
        self._wake_up()
        self._discard()
        # The garbage collector may run, and call this, in the very thread that is to end.
        if self._thread is not current_thread():
            while self._thread.is_alive():
                self._thread.join(STIR)
                self._wake_up()  # it may have begun to wait only now
            self._discard()
        with suppress(Full):
            self._queue.put_nowait(_End(None))

    def _wake_up(self) -> None:
        if not self._ended.is_set():
            self._wake()

    def _get(self) -> Item | _End:
        while True:
            with suppress(Empty):
                return self._queue.get(timeout=STIR)

    def _discard(self) -> None:
        with suppress(Empty):
            while True:
                self._queue.get_nowait()

    def __del__(self) -> None:
        # One that was refused when it was made has no thread.
        if hasattr(self, "_thread") and self._thread.is_alive():
            self.close()


class Aside(Generic[Item]):
    """One piece of work that nothing can interrupt, in a thread of its own: whoever waits for it
    may leave it behind."""

    def __init__(self, work: Callable[[], Item], *, short: bool = False) -> None:
        """``short``: it is sure to end soon, so that the program may wait for it before it ends."""
        self._done = Event()
        self._error: BaseException | None = None
        # The thread alone has hold of the work: whoever gives it may hold this.
        self._thread = Thread(target=self._do, args=(work,), name="vidlift-aside", daemon=not short)
        self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether it is done."""
        return self._done.is_set()

    def wait(self, seconds: float) -> None:
        """Raises ``TimeoutError`` where it is not done within so many seconds."""
        if not self._done.wait(seconds):
            raise TimeoutError

    def result(self) -> Item:
        """What came of it, once it is done. Raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result

    def _do(self, work: Callable[[], Item]) -> None:
        try:
            self._result = work()
        except BaseException as error:  # handed across
            self._error = error
        self._done.set()


class _End:
    """Marks the end of what is upstream, with the error that ended it, if one did."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def _work(items: Iterable[Item], queue: Queue[Item | _End], stopped: Event, ended: Event) -> None:
    error: BaseException | None = None
    try:
        source = iter(items)
        try:
            for item in source:
                if not _put(queue, item, stopped):
                    break
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()
    except BaseException as caught:  # handed across, raised in the consumer's thread
        error = caught
    ended.set()
    _put(queue, _End(error), stopped)
    error = None  # it knows of this frame: they would keep each other, and all that is upstream


def _put(queue: Queue[Item | _End], item: Item | _End, stopped: Event) -> bool:
    """Wait for a place in the queue; False when the consumer is gone."""
    while not stopped.is_set():
        try:
            queue.put(item, timeout=_POLL)
        except Full:
            continue
        return True
    return False
