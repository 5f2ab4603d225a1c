"""What a long job tells while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    done: int
    """Frames finished, those of earlier runs included."""

    resumed: int
    """Frames that earlier runs finished."""

    total: int | None
    """Frames in all, where the file tells; an estimate."""

    bytes: int
    """Bytes of picture written so far."""

    @property
    def forecast(self) -> int | None:
        """Bytes of picture at the end, if it goes on like this."""
        if not self.total or not self.done:
            return None
        return round(self.bytes / self.done * max(self.total, self.done))


Report = Callable[[Progress], None]
"""Called after every frame, in the thread of the job; must be quick."""


def silent(_progress: Progress) -> None:
    """Tell nobody."""
