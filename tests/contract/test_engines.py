"""What holds for every engine in the table, with every model there is.

The judge is the numpy reference. Engines sum in another order than it does, so a value that
lies within float32 error of a half may be rounded the other way: one code value apart, rarely.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from support.shared import PACKAGES, require
from vidlift import models
from vidlift.color import Siting
from vidlift.descriptor import SCALES
from vidlift.engines import ENGINES, open_engine
from vidlift.engines.base import MIN_SIDE, Engine
from vidlift.engines.selftest import LOOSE
from vidlift.errors import ModelError
from vidlift.models import Model

SIZES = [(MIN_SIDE, MIN_SIDE), (17, 29), (34, 19)]
"""Height and width: the least that a model takes, and odd ones."""

WRONG_MAX = 1
"""Largest difference from the reference, in code values of the depth at hand."""

WRONG_SHARE = 0.005
"""Share of samples that may differ at all: those that lie next to a half."""

KERNELS = {
    f"kernel-{siting.value}-x{scale}": (scale, siting) for scale, siting in product(SCALES, Siting)
}
MODELS = [*KERNELS, *models.names()]


@cache
def model(name: str) -> Model:
    if name not in KERNELS:
        return models.load(name)
    scale, siting = KERNELS[name]
    return models.kernel(scale=scale, siting=siting)


@cache
def judged(name: str, size: tuple[int, int], bits: int) -> NDArray[Any]:
    """What the reference makes of the noise of that size."""
    return open_engine(model(name), engine="reference").run(noise(size, bits), bits=bits)


@cache
def noise(size: tuple[int, int], bits: int) -> NDArray[Any]:
    """Every code value of the depth may occur, out of studio range too."""
    kind = np.uint8 if bits == 8 else np.uint16
    return np.random.default_rng(bits).integers(0, 1 << bits, (1, 2, *size), dtype=kind)


def opened(engine: str, name: str) -> Engine:
    if engine in PACKAGES:
        require(engine)
    try:
        return open_engine(model(name), engine=engine, threads=1)
    except ModelError as error:
        if "-" not in engine:  # of a CPU, which is there
            raise
        pytest.skip(str(error))


def check_engine(engine: Engine, name: str) -> None:
    """One engine, one model: every size and depth in turn, so that it has to change plans."""
    scale = engine.descriptor.scale
    for size, bits in [*product(SIZES, (8, 10)), (SIZES[0], 8)]:
        planes = noise(size, bits)
        kept = planes.copy()
        big = engine.run(planes, bits=bits)
        assert big.shape == (1, 2, scale * size[0], scale * size[1])
        assert big.dtype == planes.dtype
        assert big.max() < 1 << bits
        assert np.array_equal(planes, kept), "the input is not to be written to"
        if not engine.name.startswith("null"):
            check_near(big, judged(name, size, bits))


def check_near(found: NDArray[Any], wanted: NDArray[Any]) -> None:
    wrong = np.abs(found.astype(np.int32) - wanted.astype(np.int32))
    histogram = np.bincount(wrong.ravel())
    assert wrong.max() <= WRONG_MAX, f"samples by difference: {histogram.tolist()}"
    assert np.mean(wrong != 0) <= WRONG_SHARE, f"samples by difference: {histogram.tolist()}"


JUDGED = [
    (engine, name)
    for engine, name in product(ENGINES, MODELS)
    if engine != "reference"
    and (engine not in LOOSE or name in KERNELS)
    and not name.endswith("-int8")
]
"""What is not exact with networks, or networks that are not, is judged on pictures, in
``test_precision.py``."""


@pytest.mark.parametrize(("engine", "name"), JUDGED)
def test_every_engine_agrees_with_the_reference(engine: str, name: str) -> None:
    running = opened(engine, name)
    check_engine(running, name)
    running.close()


@pytest.mark.parametrize("engine", ENGINES)
class TestEveryEngine:
    def test_it_runs_again_after_a_rest(self, engine: str) -> None:
        running = opened(engine, "kernel-center-x2")
        first = running.run(noise(SIZES[0], 8))
        running.rest()
        assert np.array_equal(running.run(noise(SIZES[0], 8)), first)
        running.close()

    def test_what_was_only_planned_may_rest(self, engine: str) -> None:
        running = opened(engine, "kernel-center-x2")
        planes = noise(SIZES[0], 8)
        while not running.planned(planes.shape[2:]):
            running.plan(planes.shape[2:])
        running.rest()
        assert running.planned(planes.shape[2:])
        planned = running.run(planes)
        running.close()
        running = opened(engine, "kernel-center-x2")
        assert np.array_equal(running.run(planes), planned)
        running.close()

    def test_a_result_is_the_callers_own(self, engine: str) -> None:
        running = opened(engine, "kernel-center-x2")
        for bits in (8, 10):
            first = running.run(noise(SIZES[0], bits), bits=bits)
            kept = first.copy()
            running.run(noise(SIZES[0], bits)[:, ::-1], bits=bits)
            assert np.array_equal(first, kept)
            first[...] = 0  # writable
        running.close()

    def test_planes_need_not_lie_in_a_row(self, engine: str) -> None:
        running = opened(engine, "kernel-center-x2")
        for bits in (8, 10):
            planes = noise((32, 38), bits)[:, ::-1, ::2, ::2]
            straight = np.ascontiguousarray(planes)
            assert np.array_equal(running.run(planes, bits=bits), running.run(straight, bits=bits))
        running.close()

    def test_both_planes_are_treated_alike(self, engine: str) -> None:
        running = opened(engine, "kernel-left-x3")
        one = noise(SIZES[1], 8)[:, :1]
        big = running.run(np.concatenate([one, one], axis=1))
        assert np.array_equal(big[:, 0], big[:, 1])
        running.close()

    def test_a_plane_may_stand_alone(self, engine: str) -> None:
        running = opened(engine, "kernel-left-x2")
        for bits in (8, 10):
            planes = noise(SIZES[1], bits)
            alone = running.run(planes[:, :1], bits=bits)
            assert alone.shape[:2] == (1, 1)
            assert np.array_equal(alone, running.run(planes, bits=bits)[:, :1])
        running.close()

    @pytest.mark.parametrize("size", [(16, 16), (24, 40), (96, 100)])
    def test_any_number_of_planes_at_once(self, engine: str, size: tuple[int, int]) -> None:
        running = opened(engine, "kernel-left-x2")
        for bits in (8, 10):
            planes = np.concatenate(
                [np.roll(noise(size, bits), n, axis=3) for n in range(5)], axis=1
            )
            apart = [running.run(planes[:, i : i + 2], bits=bits) for i in range(0, 10, 2)]
            wanted = np.concatenate(apart, axis=1)
            for count in (3, 5, 8, 9):
                assert np.array_equal(running.run(planes[:, :count], bits=bits), wanted[:, :count])
        running.close()

    @pytest.mark.parametrize("size", [(16, 16), (40, 40)])
    def test_parts_are_planned_in_another_thread(self, engine: str, size: tuple[int, int]) -> None:
        running, planning = (opened(engine, "kernel-left-x2") for _ in range(2))
        for bits in (8, 10):
            whole = noise((96, 100), bits)
            with ThreadPoolExecutor(1) as thread:
                while not planning.planned(size, bits=bits):
                    planned = thread.submit(planning.plan, size, bits=bits)
                    while not planned.done():
                        planning.run(whole, bits=bits)
                    planned.result()
            planes = np.concatenate([noise(size, bits)] * 3, axis=1)
            for count in range(1, 7):
                parts = planes[:, :count]
                made = planning.run(parts, bits=bits)
                assert np.array_equal(made, running.run(parts, bits=bits))
        running.close()
        planning.close()

    def test_it_says_what_it_is_and_what_it_runs(self, engine: str) -> None:
        running = opened(engine, "kernel-center-x4")
        assert running.name.split()[0] == engine.partition("-")[0]
        assert running.descriptor == model("kernel-center-x4").descriptor
        running.close()
