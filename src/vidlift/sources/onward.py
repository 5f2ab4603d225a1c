"""Films whose times may jump, as where an encoder was started anew: given as if they went on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from vidlift.sources.split import Split

BACK, ON = Fraction(1), Fraction(3600)
"""Seconds that times jump back, or on, at least, where what comes in has begun anew."""

TREMBLE = Fraction(1, 20)
"""Seconds that times of key frames, which no other frame overtakes, may go back all the same."""

LASTS = Fraction(1, 10)
"""Seconds that a frame lasts at most where its container does not say how long it does."""


class Onward(Split):
    """A film whose time goes on where it jumps, in pictures and sound alike.

    as it came   0 1 2 3 | 0 1 2 | 95000 95001
    as given     0 1 2 3 | 4 5 6 | 7 8
    """

    def _without_words(self, packets: Iterator[Any]) -> Iterator[Any]:
        return onward(super()._without_words(packets))


def onward(packets: Iterable[Any]) -> Iterator[Any]:
    """Packets of one container, their times moved so that they go on where they jump."""
    shift = reached = Fraction(0)
    known: dict[int, tuple[Fraction, Fraction]] = {}  # by stream: its shift, its last time
    latest: dict[int, Fraction] = {}  # by stream: the latest time at which anything is shown
    for packet in packets:
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp is None:  # what flushes a decoder
            yield packet
            continue
        unit, stream = packet.time_base, packet.stream.index
        shown = unit * (stamp if packet.pts is None else packet.pts)
        own, last = known.get(stream, (shift, stamp * unit))
        lasts = (packet.duration or 0) * unit or min(abs(stamp * unit - last), LASTS)
        back = packet.is_keyframe and shown < latest.get(stream, shown) - TREMBLE
        if back or not -BACK < stamp * unit - last < ON:
            if own == shift:  # no other stream has jumped before it
                shift = reached - shown
            own, lasts = shift, (packet.duration or 0) * unit
            latest.pop(stream, None)
        known[stream] = own, stamp * unit
        latest[stream] = max(latest.get(stream, shown), shown)
        moved = round(own / unit)
        if packet.dts is not None:
            packet.dts += moved
        if packet.pts is not None:
            packet.pts += moved
        reached = max(reached, max(stamp + moved, packet.pts or 0) * unit + lasts)
        yield packet
