"""Keeps a loudspeaker supplied with sound laid end to end, and knows how much of it was heard."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidlift.sources.split import RATE, SoundChunk

AHEAD = 0.5
"""Seconds of sound that a loudspeaker is given in advance."""

LOW = 0.1
"""Seconds of sound left at which silence is put in rather than let it run dry."""

TOLERANCE = Fraction(1, 25)
"""How far, in seconds, the time of a chunk may be off before sound is moved to meet it: many
containers round times to milliseconds."""

_SILENCE = np.zeros((RATE // 20, 2), np.int16)


class Speaker(Protocol):
    """Plays what it was given, in order; it stands still at first."""

    @property
    def step(self) -> float:
        """Seconds of sound that the device takes at a time."""
        ...

    def push(self, samples: NDArray[np.int16]) -> None:
        """Queue stereo samples [n, 2] at 48 kHz."""
        ...

    def queued(self) -> float:
        """Seconds of sound that the device has not taken yet."""
        ...

    def replace(self, make: Callable[[int], NDArray[np.int16]]) -> None:
        """Put other samples in the place of those queued; ``make`` is told how many they are."""
        ...

    def pause(self, paused: bool) -> None: ...


class Chunks(Protocol):
    """Sound as it comes, in a thread of its own (``stages.ahead``)."""

    @property
    def ready(self) -> bool: ...

    def __iter__(self) -> Iterator[SoundChunk]: ...

    def __next__(self) -> SoundChunk: ...


class Feeder:
    """Puts chunks into a speaker, so that the n-th sample is heard n / 48000 s after ``start``.

    Gaps between chunks are filled with silence; what overlaps is cut off. After the last chunk
    there is silence without end: the speaker's clock goes on.
    """

    def __init__(self, chunks: Chunks, speaker: Speaker, *, loudness: float = 1.0) -> None:
        """The speaker is made to stand, and what another left in it is gone."""
        speaker.pause(True)
        speaker.replace(lambda _count: _SILENCE[:0])
        self._chunks = chunks
        self._speaker = speaker
        self._waiting: SoundChunk | None = None
        self._start = Fraction(0)
        self._pushed = 0
        self._loudness = loudness
        self._recent: deque[NDArray[np.int16]] = deque()
        """What was pushed last, as it came: at least what the speaker has not taken yet."""

        self.ended = False
        """Whether the last chunk has been pushed."""

        self.end = Fraction(0)
        """Media time at which the sound pushed so far ends, silence put in apart."""

    def first(self) -> Fraction | None:
        """When the sound begins, None as long as its first chunk is not there. Does not wait."""
        chunk = self._peek()
        return None if chunk is None else chunk.pts

    def begin(self, start: Fraction) -> None:
        """Say which media time the first sample pushed stands for. Call it once, first."""
        self._start = self.end = start

    def set_loudness(self, loudness: float) -> None:
        """Multiply samples by this, from the next on that the device takes."""
        if loudness != self._loudness:
            self._loudness = loudness
            self._speaker.replace(lambda count: self._loud(self._last(count)))

    @property
    def step(self) -> float:
        return self._speaker.step

    def go(self) -> None:
        self._speaker.pause(False)

    def stand(self) -> None:
        self._speaker.pause(True)

    def heard(self) -> float:
        """Media time of the sample that the device last took, less what its buffer holds."""
        taken = self._pushed / RATE - self._speaker.queued()
        return float(self._start) + taken - self._speaker.step

    def feed(self, *, pad: bool) -> None:
        """Top the speaker up with what is there; never waits.

        ``pad``: put silence in where the sound comes too late, since the pictures go on.
        """
        while self._speaker.queued() < AHEAD:
            chunk = self._peek()
            if chunk is None:
                if not self.ended and (not pad or self._speaker.queued() >= LOW):
                    return
                self._push(_SILENCE)
                continue
            gap = chunk.pts - self._laid
            if gap > TOLERANCE:
                self._push(_SILENCE[: max(1, int(gap * RATE))])
                continue
            self._push(chunk.samples[int(-gap * RATE) if gap < -TOLERANCE else 0 :])
            self.end = self._laid
            self._waiting = None

    @property
    def _laid(self) -> Fraction:
        """Media time at which everything pushed so far ends."""
        return self._start + Fraction(self._pushed, RATE)

    def _push(self, samples: NDArray[np.int16]) -> None:
        if not len(samples):
            return
        self._speaker.push(self._loud(samples))
        self._pushed += len(samples)
        self._recent.append(samples)
        spare = sum(map(len, self._recent)) - int(self._speaker.queued() * RATE) - 1
        while len(self._recent[0]) <= spare:
            spare -= len(self._recent.popleft())

    def _last(self, count: int) -> NDArray[np.int16]:
        return np.concatenate([_SILENCE[:0], *self._recent])[-count:] if count else _SILENCE[:0]

    def _loud(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        if self._loudness == 1:
            return samples
        louder: NDArray[np.int16] = (samples * np.float32(self._loudness)).astype(np.int16)
        return louder

    def _peek(self) -> SoundChunk | None:
        if self._waiting is None and not self.ended and self._chunks.ready:
            self._waiting = next(iter(self._chunks), None)
            self.ended = self._waiting is None
        return self._waiting
