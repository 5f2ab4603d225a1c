"""What parts of pictures need, compiled beside the film: playing waits for none of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from vidlift.errors import ModelError
from vidlift.stages.ahead import Aside
from vidlift.upscaler import Upscaler

FIRST_AFTER, APART = 20, 4
"""Questions before the first piece of work, and between the beginnings of others: ten pairs, when
a film that begins has no time to spare, and two. A pair has two, and a piece burdens one pair."""


class Plans:
    """Has an upscaler's engine compile for sizes of parts, one after another, in a thread."""

    def __init__(self, upscaler: Upscaler) -> None:
        self._upscaler = upscaler
        self._work: Aside[None] | None = None
        self._size = (0, 0)
        """What is compiled for, or was last."""

        self._never: set[tuple[int, int]] = set()
        """Sizes that cannot be had."""

        self._rest = FIRST_AFTER
        """Questions until the next piece of work may begin."""

    def there(self, sizes: Iterable[tuple[int, int]], *, bits: int) -> bool:
        """Whether parts of such heights and widths can be made at once; if not, what they need is
        on its way, or cannot be had.
        """
        missing = [size for size in sizes if not self._upscaler.planned(size, bits=bits)]
        self._rest -= 1
        if missing and self._rest <= 0 and (self._work is None or self._work.ready):
            self._see_what_came()
            self._begin([size for size in missing if size not in self._never], bits)
        return not missing

    def _see_what_came(self) -> None:
        if self._work is not None:
            try:
                self._work.result()
            except ModelError:  # whole pictures go through
                self._never.add(self._size)
            self._work = None

    def _begin(self, sizes: Sequence[tuple[int, int]], bits: int) -> None:
        if sizes:
            self._size, self._rest = sizes[0], APART
            # OpenVINO is not to be torn down while it compiles.
            self._work = Aside(partial(self._upscaler.plan, self._size, bits=bits), short=True)
