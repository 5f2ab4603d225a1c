"""The sink that forgets: measures what comes before it."""

from __future__ import annotations

from vidlift.frame import Frame


class NullSink:
    def __init__(self) -> None:
        self.frames = 0

    def write(self, frame: Frame) -> None:
        self.frames += 1

    def close(self) -> None:
        """Nothing is held."""
