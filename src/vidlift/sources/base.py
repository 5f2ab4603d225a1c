"""What a source is: where frames come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from vidlift.frame import Frame
from vidlift.video import VideoInfo


class Source(Protocol):
    """Gives the frames of one video, in order of presentation, once.

    Each frame's ``pts`` is greater than the one before. Frames that could not be given are
    counted in ``lost`` by reason. Iterate from one thread; ``close`` from the same one, at the
    end or before it. Errors are ``InputError`` or ``NetworkError``.
    """

    @property
    def info(self) -> VideoInfo: ...

    @property
    def lost(self) -> dict[str, int]: ...

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...
