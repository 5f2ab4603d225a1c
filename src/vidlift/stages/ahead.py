"""Work ahead of the consumer in a thread of its own. The one stage with a thread and a buffer.

upstream ──> [ thread ] ──> queue of ``depth`` ──> consumer
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")

_POLL = 0.05
"""Seconds between looks at whether the consumer is gone, while the queue is full."""


class _End:
    """Marks the end of what is upstream, with the error that ended it, if one did."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterable[Item], *, depth: int) -> Iterator[Item]:
    """Yield ``items`` in order, computing up to ``depth`` of them before they are asked for.

    An error upstream is raised here, after the items that came before it. When the consumer
    stops (``close``, an error, the end), the thread ends and what is upstream is closed in it.
    """
    if depth < 1:
        raise ValueError(f"depth is at least 1, got {depth}")
    queue: Queue[Item | _End] = Queue(maxsize=depth)
    stopped = Event()
    thread = Thread(target=_work, args=(items, queue, stopped), name="vidlift-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        while True:
            try:
                queue.get_nowait()
            except Empty:
                break
        thread.join()


def _work(items: Iterable[Item], queue: Queue[Item | _End], stopped: Event) -> None:
    error: BaseException | None = None
    source = iter(items)
    try:
        for item in source:
            if not _put(queue, item, stopped):
                break
    except BaseException as caught:  # handed across, raised in the consumer's thread
        error = caught
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()
        _put(queue, _End(error), stopped)


def _put(queue: Queue[Item | _End], item: Item | _End, stopped: Event) -> bool:
    """Wait for a place in the queue; False when the consumer is gone."""
    while not stopped.is_set():
        try:
            queue.put(item, timeout=_POLL)
        except Full:
            continue
        return True
    return False
