"""Super-resolve pairs and give their frames one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vidlift.frame import Frame
from vidlift.stages.pair import Pair
from vidlift.upscaler import Upscaler


def upscale(pairs: Iterable[Pair], *, upscaler: Upscaler) -> Iterator[Frame]:
    """Yield every frame of every pair once, in order, times and tags unchanged, size times s."""
    for pair in pairs:
        first, second = upscaler.pair(pair.first, pair.second)
        yield first
        if not pair.alone:
            yield second
