"""What parts of pictures need, compiled beside the film: playing waits for none of it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from vidlift.stages.ahead import Aside
from vidlift.upscaler import Upscaler

APART = 8
"""Questions between the beginnings of two pieces of work: four pairs, to which it is a burden."""


class Plans:
    """Has an upscaler's engine compile for sizes of parts, one after another, in a thread."""

    def __init__(self, upscaler: Upscaler) -> None:
        self._upscaler = upscaler
        self._work: Aside[None] | None = None
        self._asked = 0
        """Questions since the last piece of work began, or before the first."""

    def there(self, sizes: Iterable[tuple[int, int]], *, bits: int) -> bool:
        """Whether parts of such heights and widths can be made at once; if not, what they need is
        on its way. Raises ``ModelError`` where it cannot be had.
        """
        missing = [size for size in sizes if not self._upscaler.planned(size, bits=bits)]
        self._asked += 1
        if missing and self._asked >= APART and (self._work is None or self._work.ready):
            if self._work is not None:
                self._work.result()
            work = partial(self._upscaler.plan, missing[0], bits=bits)
            # OpenVINO is not to be torn down while it compiles.
            self._work, self._asked = Aside(work, short=True), 0
        return not missing
