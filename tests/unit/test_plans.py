"""Plans: compiled beside the film, one at a time, and kept on the disk."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

import numpy as np
import pytest

from support.frames import make_frame
from support.networks import plain_network
from support.shared import require
from vidlift import models
from vidlift.cache import folder
from vidlift.engines import open_engine
from vidlift.errors import ModelError
from vidlift.frame import Frame
from vidlift.models import Model
from vidlift.stages.plans import APART, FIRST_AFTER, Plans
from vidlift.stages.reuse import Reuse
from vidlift.upscaler import Upscaler

Size = tuple[int, int]
SMALL, LARGE = (16, 16), (72, 72)


class Engineless(Upscaler):
    """Its engine compiles when it is told to go on."""

    def __init__(self, error: ModelError | None = None) -> None:
        self.go_on, self.done = Event(), Semaphore(0)
        self.begun: list[Size] = []
        self.compiled: list[Size] = []
        self._error = error

    def planned(self, size: Size, *, bits: int) -> bool:
        return size in self.compiled

    def plan(self, size: Size, *, bits: int) -> None:
        self.begun.append(size)
        assert self.go_on.wait(10)
        if self._error:
            raise self._error
        self.compiled.append(size)
        self.done.release()


def ask(plans: Plans, sizes: Sequence[Size], *, times: int = FIRST_AFTER) -> list[bool]:
    return [plans.there(sizes, bits=8) for _ in range(times)]


def test_what_is_missing_is_compiled_one_after_another_and_nobody_waits() -> None:
    upscaler = Engineless()
    plans = Plans(upscaler)
    assert not any(ask(plans, [SMALL, LARGE], times=3 * FIRST_AFTER))
    assert upscaler.compiled == []
    upscaler.go_on.set()
    assert upscaler.done.acquire(timeout=10)
    assert upscaler.begun == [SMALL]
    assert all(ask(plans, [SMALL]))
    while upscaler.begun == [SMALL]:
        assert not plans.there([SMALL, LARGE], bits=8)
    assert upscaler.done.acquire(timeout=10)
    assert all(ask(plans, [SMALL, LARGE]))


def test_it_begins_after_a_while_and_only_every_few_pairs() -> None:
    upscaler = Engineless()
    upscaler.go_on.set()
    plans = Plans(upscaler)
    for size, rest in ((SMALL, FIRST_AFTER), (LARGE, APART)):
        assert not any(ask(plans, [size], times=rest - 1))
        assert size not in upscaler.begun
        while size not in upscaler.begun:  # what is done has to be seen first
            plans.there([size], bits=8)
        assert upscaler.done.acquire(timeout=10)


def test_what_cannot_be_compiled_is_tried_once() -> None:
    upscaler = Engineless(ModelError("no such size"))
    upscaler.go_on.set()
    plans = Plans(upscaler)
    while LARGE not in upscaler.begun:
        assert not plans.there([SMALL, LARGE], bits=8)
    assert not any(ask(plans, [SMALL, LARGE], times=100 * FIRST_AFTER))
    assert upscaler.begun == [SMALL, LARGE]


class Gated(Upscaler):
    """Compiles when it is told to go on, and tells when it has."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, engine="openvino", threads=1)
        self.go_on, self.done = Event(), Event()

    def plan(self, size: Size, *, bits: int) -> None:
        assert self.go_on.wait(10)
        while not self.planned(size, bits=bits):
            super().plan(size, bits=bits)
        self.done.set()


def moving(count: int) -> Iterator[tuple[Frame, Frame]]:
    """Pairs in which one block changes, from frame to frame."""
    frame = make_frame(size=(200, 150))
    for number in range(count):
        couple = []
        for grey in (2 * number, 2 * number + 1):
            luma = frame.luma.copy()
            luma[40:48, 40:48] = 16 + grey
            couple.append(replace(frame, planes=(luma, *frame.planes[1:])))
        yield couple[0], couple[1]


def test_planes_are_whole_until_what_parts_need_is_there() -> None:
    require("openvino")
    upscaler = Gated(plain_network(scale=2, channels=3, layers=2))
    reusing, shares = Reuse(upscaler, beside=True), []
    with Upscaler(upscaler.model, engine="openvino", threads=1) as whole:
        for number, couple in enumerate(moving(3 * FIRST_AFTER)):
            if number == FIRST_AFTER:
                upscaler.go_on.set()
                assert upscaler.done.wait(10)
            for ours, wanted in zip(reusing.pair(*couple), whole.pair(*couple), strict=True):
                assert np.array_equal(ours.luma, wanted.luma)
            shares.append(reusing.work)
    assert shares[:FIRST_AFTER] == [1.0] * FIRST_AFTER
    assert max(shares[FIRST_AFTER:]) < 0.2
    reusing.close()


def test_who_changes_the_network_does_not_wait_for_what_it_compiles() -> None:
    require("openvino")
    upscaler = Gated(plain_network(scale=2, channels=3, layers=2))
    reusing = Reuse(upscaler, beside=True)
    for couple in moving(FIRST_AFTER):
        reusing.pair(*couple)
    reusing.close()
    assert not upscaler.done.is_set()
    upscaler.go_on.set()
    assert upscaler.done.wait(10)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What OpenVINO compiles from here on."""
    require("openvino")
    from vidlift.engines.openvino import OpenVinoEngine

    real = OpenVinoEngine._compile
    done: list[object] = []

    def compiling(self: OpenVinoEngine, *about: Any, **more: Any) -> Any:
        done.append((about, more))
        return real(self, *about, **more)

    monkeypatch.setattr(OpenVinoEngine, "_compile", compiling)
    return done


def made(
    model: Model, *, engine: str = "openvino", bits: int = 8, threads: int = 1, count: int = 2
) -> Any:
    """What a new engine makes of noise."""
    kind = np.uint8 if bits == 8 else np.uint16
    planes = np.random.default_rng(1).integers(0, 1 << bits, (1, count, 24, 24), dtype=kind)
    with closing(open_engine(model, engine=engine, threads=threads)) as opened:
        return opened.run(planes, bits=bits)


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("name", [*models.names(), "bicubic"])
def test_a_plan_from_the_disk_is_the_one_that_was_compiled(
    name: str, bits: int, compiled: list[object]
) -> None:
    model = models.kernel(scale=2) if name == "bicubic" else models.load(name)
    first = made(model, bits=bits)
    again = made(model, bits=bits)
    assert np.array_equal(first, again)
    assert len(compiled) == 1


def test_what_a_plan_depends_on_tells_it_from_others(compiled: list[object]) -> None:
    some, other = models.load("xs-x2"), models.load("xs-x3")
    for _ in range(2):
        made(some)
        made(other)
        made(some, bits=10)
        made(some, threads=2)
        made(some, count=8)
    assert len(compiled) == 5


def test_plans_in_mixed_precision_are_kept_beside_the_others(compiled: list[object]) -> None:
    model = models.load("m-x2")
    try:
        first = made(model, engine="openvino-mixed")
    except ModelError as error:
        pytest.skip(str(error))
    exact = made(model)
    assert len(compiled) == 2
    assert np.array_equal(made(model, engine="openvino-mixed"), first)
    assert np.array_equal(made(model), exact)
    assert len(compiled) == 2
    assert not np.array_equal(first, exact)


def test_what_is_on_the_disk_and_damaged_is_compiled_anew(compiled: list[object]) -> None:
    model = models.load("xs-x2")
    first = made(model)
    (kept,) = (folder() / "plans").iterdir()
    content = kept.read_bytes()
    for damage in (b"", content[:-9], content[:500] + b"x" + content[501:]):
        kept.write_bytes(damage)
        compiled.clear()
        assert np.array_equal(made(model), first)
        assert len(compiled) == 1
    head = content.partition(b"\n")[0]
    kept.write_bytes(head.replace(str(zlib.crc32(content[len(head) + 1 :])).encode(), b"0") + b"\n")
    compiled.clear()
    assert np.array_equal(made(model), first), "what passes as whole and is no plan"
    assert len(compiled) == 1


def test_without_a_disk_plans_are_compiled(
    tmp_path: Path, compiled: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    first = made(models.load("xs-x2"))
    assert np.array_equal(made(models.load("xs-x2")), first)
    assert len(compiled) == 2


def test_where_plans_cannot_be_exported_they_are_compiled(
    compiled: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidlift.engines import openvino as engine
    from vidlift.engines import openvino_runtime

    class Runtime:
        """Of a kind of CPU that cannot."""

        def __getattr__(self, name: str) -> Any:
            return getattr(runtime(), name)

        def compile_model(self, *about: Any) -> Any:
            return Plan(runtime().compile_model(*about))

    class Plan:
        def __init__(self, real: Any) -> None:
            self.create_infer_request = real.create_infer_request

        def export_model(self) -> Any:
            raise RuntimeError("not implemented")

    runtime = openvino_runtime.runtime
    first = made(models.load("xs-x2"))
    monkeypatch.setattr(engine, "runtime", Runtime)
    assert np.array_equal(made(models.load("xs-x2"), threads=2), first)
    assert np.array_equal(made(models.load("xs-x2"), threads=2), first)
    assert len(compiled) == 3
