"""Reuse: the same picture, bit for bit, for less work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.frames import make_frame
from support.networks import plain_network
from vidlift import models
from vidlift.frame import Frame, Plane
from vidlift.models import Model
from vidlift.models.reach import reach
from vidlift.stages import reuse
from vidlift.stages.parts import Blocks, changed
from vidlift.stages.reuse import Reuse
from vidlift.upscaler import Upscaler

SIZE = (200, 150)
NETWORKS: dict[str, Callable[[], Model]] = {
    "bicubic": lambda: models.kernel(scale=2),
    "plain": lambda: plain_network(scale=2, channels=3, layers=2),
    **{name: lambda name=name: models.load(name) for name in models.names()},  # type: ignore[misc]
}


def frames_like(
    frame: Frame, boxes: list[tuple[int, int, int, int] | None], seed: int = 1
) -> list[Frame]:
    """The frame, and then frames each of which has one more box of noise, or none."""
    rng = np.random.default_rng(seed)
    found = [frame]
    for number, box in enumerate(boxes):
        planes = [plane.copy() for plane in found[-1].planes]
        if box is not None:
            y, x, height, width = box
            for index, plane in enumerate(planes):
                half = 1 if index == 0 else 2
                area = plane[y // half : (y + height) // half, x // half : (x + width) // half]
                area[...] = rng.integers(
                    16 << (frame.bits - 8), 235 << (frame.bits - 8), area.shape
                )
        found.append(
            Frame(
                planes=tuple(planes),
                pts=Fraction(number + 1, 24),
                duration=Fraction(1, 24),
                bits=frame.bits,
            )
        )
    return found


def both(model: Model, frames: list[Frame], *, engine: str, **more: Any) -> tuple[list[Frame], ...]:
    """What is made with reuse and without, pair by pair."""
    made: list[list[Frame]] = [[], []]
    reusing = Reuse(Upscaler(model, engine=engine, threads=1), **more)
    with Upscaler(model, engine=engine, threads=1) as whole:
        for first, second in zip(frames[0::2], [*frames[1::2], frames[-1]], strict=False):
            made[0] += reusing.pair(first, second)
            made[1] += whole.pair(first, second)
    reusing.close()
    return made[0], made[1]


def assert_same(made: tuple[list[Frame], ...]) -> None:
    for found, wanted in zip(*made, strict=True):
        assert found.pts == wanted.pts
        for ours, whole in zip(found.planes, wanted.planes, strict=True):
            assert ours.shape == whole.shape
            wrong = np.argwhere(ours != whole)
            assert not len(wrong), f"{len(wrong)} samples differ, the first at {wrong[0]}"


BOXES: dict[str, list[tuple[int, int, int, int] | None]] = {
    "nothing": [None] * 5,
    "a corner": [(0, 0, 9, 9), None, (141, 191, 9, 9), None, None],
    "on the border of tiles": [(28, 60, 8, 8), (63, 127, 2, 2), None, (95, 0, 2, 200), None],
    "within the halo": [(72, 72, 2, 2), (55, 55, 2, 2), (64, 64, 2, 2), None, None],
    "everything": [(0, 0, 150, 200), None, (0, 0, 150, 200), (0, 0, 40, 40), None],
}


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("network", NETWORKS)
def test_nothing_is_different(network: str, engine: str) -> None:
    boxes = [box for each in BOXES.values() for box in each]
    assert_same(both(NETWORKS[network](), frames_like(make_frame(size=SIZE), boxes), engine=engine))


@settings(max_examples=25)
@given(
    boxes=st.lists(
        st.none()
        | st.tuples(
            st.integers(0, 140), st.integers(0, 190), st.integers(1, 80), st.integers(1, 80)
        ),
        min_size=1,
        max_size=6,
    ),
    width=st.integers(16, 210),
    height=st.integers(16, 160),
    bits=st.sampled_from([8, 10]),
)
def test_whatever_changes_nothing_is_different(
    boxes: list[Any], width: int, height: int, bits: int
) -> None:
    frames = frames_like(make_frame(size=(width, height), bits=bits), boxes)
    assert_same(both(NETWORKS["plain"](), frames, engine="onnxruntime"))


def test_an_exact_repeat_costs_nothing() -> None:
    frames = frames_like(make_frame(size=SIZE), [None] * 3)
    reusing = Reuse(Upscaler(NETWORKS["plain"](), threads=1))
    first, second = reusing.pair(*frames[:2])
    assert reusing.work == 0.5
    third, fourth = reusing.pair(*frames[2:])
    assert reusing.work == 0
    assert all(a is b for a, b in zip(second.planes[:1], third.planes[:1], strict=True))
    assert fourth.luma is first.luma
    reusing.close()


def test_a_small_change_costs_little_and_a_large_one_no_more_than_the_whole() -> None:
    model = NETWORKS["plain"]()
    frame = make_frame(size=(640, 360))
    small = frames_like(frame, [(100, 100, 16, 16), None, (300, 300, 16, 16)])
    reusing = Reuse(Upscaler(model, threads=1))
    reusing.pair(*small[:2])
    reusing.pair(*small[2:])
    assert reusing.work < 0.1
    reusing.pair(*frames_like(make_frame(size=(640, 360), seed=7), [(0, 0, 360, 640)]))
    assert reusing.work == 1
    reusing.close()


def test_a_threshold_lets_small_changes_pass_and_does_not_drift() -> None:
    frame = make_frame(size=SIZE)
    drifting = [frame]
    for number in range(1, 8):
        luma = frame.luma + np.uint8(number)
        drifting.append(
            Frame(
                planes=(luma, *frame.planes[1:]),
                pts=Fraction(number, 24),
                duration=Fraction(1, 24),
            )
        )
    reusing = Reuse(Upscaler(NETWORKS["bicubic"](), threads=1), threshold=2)
    with Upscaler(NETWORKS["bicubic"](), threads=1) as whole:
        for first, second in zip(drifting[0::2], drifting[1::2], strict=True):
            for found, wanted in zip(
                reusing.pair(first, second), whole.pair(first, second), strict=True
            ):
                off = np.abs(found.luma.astype(int) - wanted.luma)
                assert off.max() <= 2
    reusing.close()


def test_a_seek_or_another_size_needs_nothing_to_be_reset() -> None:
    model = NETWORKS["plain"]()
    frames = [
        *frames_like(make_frame(size=SIZE), [None]),
        *frames_like(make_frame(size=(96, 80), seed=3), [None]),
        *frames_like(make_frame(size=SIZE, layout="gray", seed=5), []) * 2,
        *frames_like(make_frame(size=SIZE), [None]),
    ]
    assert_same(both(model, frames, engine="onnxruntime"))


def test_a_network_that_is_not_understood_is_run_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Upscaler, "reach", None)
    frames = frames_like(make_frame(size=SIZE), [(0, 0, 8, 8), None])
    reusing = Reuse(Upscaler(NETWORKS["plain"](), threads=1))
    reusing.pair(*frames[:2])
    assert reusing.work == 1
    reusing.pair(frames[2], frames[2])
    assert reusing.work == 0
    reusing.close()


@pytest.mark.parametrize("layers", [0, 1, 4])
def test_the_reach_is_that_of_the_graph(layers: int) -> None:
    model = plain_network(scale=2, layers=layers)
    found = reach(model)
    assert found == layers + 2
    with Upscaler(model, engine="onnxruntime", threads=1) as upscaler:
        flat = np.full((1, 64, 64), 100, np.uint8)
        point = flat.copy()
        point[0, 32, 32] = 255
        differ = np.argwhere(upscaler.luma(flat)[0] != upscaler.luma(point)[0])
    low, high = differ.min() // 2, differ.max() // 2
    assert 32 - found <= low
    assert high <= 32 + found
    assert low < 32 < high


@pytest.mark.parametrize("name", models.names())
def test_the_reach_of_every_shipped_network_is_known(name: str) -> None:
    found = reach(models.load(name))
    assert found is not None, "it would be run whole, always"
    assert 2 <= found <= 16


def with_noise(frame: Frame, count: int, *, rms: float) -> list[Frame]:
    """The frame again and again, as a codec might decode it."""
    rng = np.random.default_rng(3)
    found = []
    for number in range(count):
        noise = rng.normal(0, rms, frame.luma.shape)
        luma = np.clip(np.rint(frame.luma + noise), 0, 255).astype(np.uint8)
        found.append(
            Frame(
                planes=(luma, *frame.planes[1:]),
                pts=Fraction(number, 24),
                duration=Fraction(1, 24),
            )
        )
    return found


def test_noise_of_a_codec_is_no_change_and_a_change_in_it_is_one() -> None:
    frames = with_noise(make_frame(size=(320, 192)), 4, rms=0.4)
    mark = frames_like(frames[-1], [(100, 60, 12, 12), None])[1:]
    model = NETWORKS["plain"]()
    reusing = Reuse(Upscaler(model, threads=1), threshold=reuse.NOISE)
    for first, second in (frames[:2], frames[2:]):
        reusing.pair(first, second)
    assert reusing.work == 0
    found, _ = reusing.pair(mark[0], mark[1])
    assert 0 < reusing.work < 0.1
    reusing.close()
    with Upscaler(model, threads=1) as whole:
        wanted = whole.frame(mark[0])
    part = (slice(200, 224), slice(120, 144))
    off = np.abs(found.luma[part].astype(int) - wanted.luma[part])
    assert off.max() <= 1, "what changed is as if the whole had been made"


def test_where_everything_moves_it_is_hardly_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Plane] = []

    def looking(plane: Plane, other: Plane, *, threshold: float) -> Blocks:
        looks.append(plane)
        return changed(plane, other, threshold=threshold)

    monkeypatch.setattr("vidlift.stages.reuse.changed", looking)
    reusing = Reuse(Upscaler(NETWORKS["plain"](), threads=1))
    frames = [make_frame(size=SIZE, seed=seed) for seed in range(64)]
    lumas = 0
    for first, second in zip(frames[0::2], frames[1::2], strict=True):
        grey = [replace(frame, planes=frame.planes[:1]) for frame in (first, second)]
        reusing.pair(*grey)
        lumas += 2
        assert reusing.work == 1
    assert len(looks) <= lumas / reuse.BLIND_MAX + 4
    assert all(4 * plane.size < frames[0].luma.size for plane in looks), "at a part of each"
    still = replace(frames[-1], planes=frames[-1].planes[:1])
    reusing.pair(still, still)
    assert reusing.work == 0, "an exact repeat is seen even so"
    reusing.close()


def test_an_engine_that_is_slow_at_new_sizes_is_given_whole_planes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Upscaler, "any_size", False)
    frames = frames_like(make_frame(size=SIZE), [(0, 0, 8, 8), None])
    reusing = Reuse(Upscaler(NETWORKS["plain"](), threads=1))
    reusing.pair(*frames[:2])
    assert reusing.work == 1
    reusing.close()


def test_an_engine_whose_parts_differ_makes_them_only_where_that_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Upscaler, "same_in_parts", False)
    frames = frames_like(make_frame(size=SIZE), [None, (0, 0, 8, 8), None])
    for threshold, least, most in ((0, 0.5, 0.5), (reuse.NOISE, 0.001, 0.1)):
        reusing = Reuse(Upscaler(NETWORKS["plain"](), threads=1), threshold=threshold)
        reusing.pair(*frames[:2])
        reusing.pair(*frames[2:])
        assert least <= reusing.work <= most
        reusing.close()
