"""Packets of two streams, read from one demuxer, taken by two threads at their own pace."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from threading import Condition
from typing import Any

PARKED_MAX = 64_000_000
"""Bytes of packets that one side may lie ahead of the other. See Note [A full park]."""

# Note [A full park]
# In a file made for playing, sound and pictures of one moment lie within a second or two of
# bytes, and little is ever parked. Where they lie further apart than PARKED_MAX, or the sound
# ends long before the pictures and its side looks for more of it:
# - the side of the sound waits until pictures have been taken: a lost picture would break those
#   decoded from it, and a player goes on in silence;
# - the side of the pictures never waits, since a player that has no picture yet takes no sound:
#   the oldest parked sound is discarded and counted in ``lost``.


class Parks:
    """Packets of two streams from one demuxer, taken by two threads. See Note [A full park]."""

    def __init__(
        self,
        packets: Iterator[Any],
        *,
        leading: int,
        following: int | None,
        parked_max: int = PARKED_MAX,
    ) -> None:
        """``leading`` is the index of the stream of pictures, ``following`` that of the sound."""
        self._packets = packets
        self._leading = leading
        self._following = following
        self._parked_max = parked_max
        self._parked: dict[int, deque[Any]] = {leading: deque()}
        if following is not None:
            self._parked[following] = deque()
        self._bytes = dict.fromkeys(self._parked, 0)
        self._turn = Condition()
        self._reading = False
        self._stopped = False
        self._end: BaseException | None = None
        """What ended the reading: ``StopIteration`` or an error; each side meets it."""

        self.lost: dict[str, int] = Counter()

    def side(self, stream: int) -> Iterator[Any]:
        """The packets of one stream, in order, until the end, an error or ``stop``."""
        while (packet := self._next(stream)) is not None:
            yield packet

    def drop_following(self) -> None:
        with self._turn:
            if self._following is not None:
                self._parked.pop(self._following, None)
            self._turn.notify_all()

    def stop(self) -> None:
        with self._turn:
            self._stopped = True
            self._turn.notify_all()

    def close(self) -> None:
        """Let go of the demuxer and of what is parked. Both sides must be at rest."""
        self.stop()
        self._packets, self._end = iter(()), None
        self._parked.clear()

    def _next(self, stream: int) -> Any:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._may_go_on(stream))
                if self._stopped or stream not in self._parked:
                    return None
                if self._parked[stream]:
                    packet = self._parked[stream].popleft()
                    self._bytes[stream] -= packet.size
                    self._turn.notify_all()
                    return packet
                if self._end is not None:
                    if isinstance(self._end, StopIteration):
                        return None
                    raise self._end
                self._reading = True
            # Outside the lock: a network may be slow, and the other side takes what it has.
            read, end = self._read()
            with self._turn:
                self._reading, self._end = False, end
                if read is not None:
                    self._park(read)
                self._turn.notify_all()

    def _may_go_on(self, stream: int) -> bool:
        if self._stopped or self._parked.get(stream, True):
            return True
        if self._reading:
            return False
        full = self._bytes[self._leading] >= self._parked_max
        return self._end is not None or stream == self._leading or not full

    def _read(self) -> tuple[Any, BaseException | None]:
        try:
            return next(self._packets), None
        except BaseException as end:
            return None, end

    def _park(self, packet: Any) -> None:
        stream = packet.stream.index  # ``stream_index`` of a flushing packet is 0
        if stream not in self._parked:
            return
        self._parked[stream].append(packet)
        self._bytes[stream] += packet.size
        while stream != self._leading and self._bytes[stream] > self._parked_max:
            self._bytes[stream] -= self._parked[stream].popleft().size
            self.lost["a packet of sound lay too far from its pictures"] += 1
