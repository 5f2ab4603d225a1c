"""Source to sink: who pulls, what is measured, who closes."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from vidlift.frame import Frame
from vidlift.sinks.base import Sink

Item = TypeVar("Item")


class Meter:
    """Measures the stages of a pipeline, each without what it waits for upstream.

    Stages may run in several threads (``stages/ahead.py``); within one thread they nest as
    generators do, and the time of an inner stage is taken off the outer one's.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._nested = threading.local()
        self.seconds: dict[str, array[float]] = {}
        """One figure an item, by stage, in the order in which stages were first used."""

    def watch(self, stage: str, items: Iterable[Item]) -> Iterator[Item]:
        """Yield ``items``, noting how long each took to come."""
        source = iter(items)
        try:
            while True:
                try:
                    item = self._timed(stage, lambda: next(source))
                except StopIteration:
                    return
                yield item
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()

    def note(self, stage: str, work: Callable[[], Item]) -> Item:
        """Do ``work``, noting how long it took."""
        return self._timed(stage, work)

    def _timed(self, stage: str, work: Callable[[], Item]) -> Item:
        stack: list[float] = self._nested.__dict__.setdefault("stack", [])
        stack.append(0.0)
        start = self._clock()
        try:
            result = work()
        except BaseException:
            stack.pop()
            raise
        whole = self._clock() - start
        inner = stack.pop()
        if stack:
            stack[-1] += whole
        self.seconds.setdefault(stage, array("f")).append(whole - inner)
        return result


def run(frames: Iterable[Frame], sink: Sink, *, meter: Meter, stage: str = "write") -> int:
    """Pull every frame into the sink; returns how many. Closes neither end."""
    count = 0
    for frame in frames:
        meter.note(stage, lambda frame=frame: sink.write(frame))  # type: ignore[misc]
        count += 1
    return count
