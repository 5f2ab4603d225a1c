"""Try each engine on this machine: can it be loaded, and does it agree with the reference?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vidlift.engines import CHOICES, ENGINES, open_engine
from vidlift.errors import ModelError
from vidlift.models import Model

SIZE = (37, 53)
"""Height and width of the trial picture: odd, so that borders are tried too."""

WRONG_MAX = 1
"""Largest difference from the reference, in code values: sums are made in another order."""

LOOSE = {"openvino-mixed": 10}
"""The same of engines that are not exact: on noise, which the trial picture is, not on pictures."""

JUDGE = "reference"
UNJUDGED = ("null", JUDGE)
"""Engines that do no work, or are the judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of trying one engine."""

    engine: str
    """As ``--engine`` takes it."""

    name: str = ""
    """Runtime, version, device and precision, where it could be loaded."""

    works: bool
    chosen: bool = False
    """Whether ``auto`` takes it."""

    says: str
    """The largest difference from the reference, or why it does not work."""

    seconds: float = 0.0
    """How long loading and the first run took."""


def try_engines(model: Model) -> Iterator[Finding]:
    """Try every engine of the table with a model, on random luma; yields as it goes."""
    planes = np.random.default_rng(0).integers(0, 256, (1, 2, *SIZE), dtype=np.uint8)
    judge = open_engine(model, engine=JUDGE)
    wanted = judge.run(planes).astype(np.int32)
    judge.close()
    chosen = ""
    for engine in ENGINES:
        start = time.perf_counter()
        try:
            running = open_engine(model, engine=engine)
            found = running.run(planes).astype(np.int32)
        except (ModelError, ImportError) as error:
            yield Finding(engine=engine, works=False, says=str(error))
            continue
        taken = time.perf_counter() - start
        wrong = int(np.abs(found - wanted).max())
        works = engine in UNJUDGED or wrong <= LOOSE.get(engine, WRONG_MAX)
        if works and not chosen and engine in CHOICES["auto"]:
            chosen = engine
        yield Finding(
            engine=engine,
            name=running.name,
            works=works,
            chosen=engine == chosen,
            says="not judged" if engine in UNJUDGED else f"{wrong} off the reference at most",
            seconds=round(taken, 3),
        )
        running.close()
