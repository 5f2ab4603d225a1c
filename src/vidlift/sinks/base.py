"""What a sink is: where frames go."""

from __future__ import annotations

from typing import Protocol

from vidlift.frame import Frame


class Sink(Protocol):
    """Takes frames of one size and depth, in order of presentation.

    ``write`` may keep the frame; nobody changes it after. ``close`` finishes what was begun and
    may raise; it is called once, at the end or when the run is given up.
    """

    def write(self, frame: Frame) -> None: ...

    def close(self) -> None: ...
