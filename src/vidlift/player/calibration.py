"""How long each network takes on this machine, measured once and remembered.

The figures are those of a quiet machine; the governor corrects them while a film runs. They are
kept in the user's cache by all that they depend on: processor and cores, engine and versions,
model, size and depth.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Protocol

from vidlift import __version__
from vidlift.cache import folder
from vidlift.frame import Frame
from vidlift.memory import give_back
from vidlift.stages.pair import Pair
from vidlift.system import cores, processor

BUDGET = 2.0
"""Seconds that calibration may take, loading of the networks included."""

RUNS = 3
"""Timed runs of each network, after one that is not timed."""

HOPELESS = 1.5
"""Times the pair's own time at which no dearer network is tried."""

KEPT_MAX = 500
"""Figures kept in the cache; the oldest go first."""


class Pairwise(Protocol):
    """What makes a pair bigger: ``Upscaler``."""

    def warm(self, first: Frame, second: Frame) -> None: ...

    def pair(self, first: Frame, second: Frame) -> tuple[Frame, Frame]: ...

    def close(self) -> None: ...


def cache_file() -> Path:
    """Where figures are kept: ``$XDG_CACHE_HOME/vidlift/speeds.json``."""
    return folder() / "speeds.json"


class Speeds:
    """Seconds a pair, remembered from run to run. A cache that cannot be read or written is
    an empty one: nothing fails for it.
    """

    def __init__(self, where: Path | None = None) -> None:
        self._where = where or cache_file()
        self._kept = self._read()

    def get(self, key: str) -> float | None:
        return self._kept.get(key)

    def put(self, key: str, seconds: float) -> None:
        self._kept.pop(key, None)
        self._kept[key] = round(seconds, 6)

    def save(self) -> None:
        """Keep them; another process that does the same at once wins or loses whole."""
        newest = dict(list(self._kept.items())[-KEPT_MAX:])
        part = self._where.with_suffix(f".{os.getpid()}")
        try:
            self._where.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(newest, indent=1) + "\n")
            part.replace(self._where)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def _read(self) -> dict[str, float]:
        try:
            found = json.loads(self._where.read_text())
            return {str(key): float(value) for key, value in found.items() if float(value) > 0}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}


def key(*, sha256: str, engine: str, size: tuple[int, int], bits: int, threads: int | None) -> str:
    """All that a figure depends on."""
    return (
        f"{processor()}, {threads or cores()} threads | {engine} | vidlift {__version__} | "
        f"{sha256[:16]} | {size[0]}x{size[1]} {bits} bit"
    )


Networks = Iterable[tuple[str, Callable[[], Pairwise]]]
"""Cheapest first, each as a name and how to open it."""


def measure(
    networks: Networks,
    *,
    pair: Pair,
    lasts: float,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Seconds that ``pair`` takes by name, of as many networks as ``BUDGET`` allows.

    The first is always measured; after one that is hopelessly slow, for pairs that last so many
    seconds, none is.
    """
    found: dict[str, float] = {}
    deque(trial(networks, pair=pair, lasts=lasts, found=found, clock=clock), maxlen=0)
    return found


def trial(
    networks: Networks,
    *,
    pair: Pair,
    lasts: float,
    found: dict[str, float],
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[tuple[str, Frame]]:
    """As ``measure``, into ``found``; yields what each network made of the first frame."""
    begun = clock()
    for name, open_it in networks:
        if found and (clock() - begun >= BUDGET or max(found.values()) > HOPELESS * lasts):
            break
        with closing(open_it()) as upscaler:
            upscaler.warm(pair.first, pair.second)
            give_back()  # what compiling left, before running takes its part
            made, _ = upscaler.pair(pair.first, pair.second)
            yield name, made
            runs: list[float] = []
            while len(runs) < RUNS and (not runs or clock() - begun < BUDGET):
                start = clock()
                upscaler.pair(pair.first, pair.second)
                runs.append(clock() - start)
        give_back()  # nor does the next one's part come on top of this one's
        found[name] = min(runs)
