"""What a long job tells while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vidlift.video import VideoInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    done: int
    """Frames finished, those of earlier runs included."""

    resumed: int
    """Frames that earlier runs finished."""

    total: int | None
    """Frames in all, where the file tells; an estimate."""

    bytes: int
    """Bytes of picture written so far; 0 for a job that writes none."""

    @property
    def forecast(self) -> int | None:
        """Bytes of picture at the end, if it goes on like this; None where nobody can tell."""
        if not self.total or not self.done or not self.bytes:
            return None
        return round(self.bytes / self.done * max(self.total, self.done))


Report = Callable[[Progress], None]
"""Called after every frame, in the thread of the job; must be quick."""


def silent(_progress: Progress) -> None:
    """Tell nobody."""


def estimate_frames(info: VideoInfo) -> int | None:
    """How many frames there will be, as far as the file tells."""
    if info.frames:
        return info.frames
    if info.duration and info.rate:
        return round(info.duration * info.rate)
    return None
