"""What changed, and the patches that make it anew: compared with the plainest way to say it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidlift.stages.parts import BLOCK, CALL, SIZES, changed, cover, spread

shapes = st.tuples(st.integers(1, 40), st.integers(1, 50))


@st.composite
def some_blocks(draw: st.DrawFn) -> NDArray[np.bool_]:
    shape = draw(shapes)
    share = draw(st.sampled_from([0.0, 0.02, 0.2, 0.7, 1.0]))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    blocks: NDArray[np.bool_] = rng.random(shape) < share
    return blocks


@given(blocks=some_blocks(), halo=st.integers(0, 12))
def test_boxes_hold_all_that_is_wanted_once_and_cost_what_they_say(
    blocks: NDArray[np.bool_], halo: int
) -> None:
    boxes, cost = cover(blocks, halo=halo)
    held = np.zeros((100 * BLOCK, 100 * BLOCK), int)
    for box in boxes:
        held[box.top : box.bottom, box.left : box.right] += 1
    assert held.max(initial=0) <= 1
    rows, columns = blocks.shape
    assert held[::BLOCK, ::BLOCK][:rows, :columns][blocks].all()
    sides = [(box.bottom - box.top, box.right - box.left) for box in boxes]
    assert cost == sum((h + 2 * halo) * (w + 2 * halo) + CALL for h, w in sides)
    alone = int(blocks.sum()) * ((BLOCK + 2 * halo) ** 2 + CALL)
    assert cost <= alone


@given(blocks=some_blocks())
def test_sizes_are_few(blocks: NDArray[np.bool_]) -> None:
    boxes, _ = cover(blocks, halo=4)
    sizes = {(box.bottom - box.top, box.right - box.left) for box in boxes}
    assert sizes <= {(BLOCK << step, BLOCK << step) for step in range(SIZES)}


def test_neighbours_become_one_box_and_what_is_far_apart_does_not() -> None:
    blocks = np.zeros((34, 60), bool)
    blocks[4:8, 8:12] = True
    blocks[30, 50] = True
    boxes, _ = cover(blocks, halo=4)
    assert sorted((b.top, b.bottom, b.left, b.right) for b in boxes) == [
        (32, 64, 64, 96),
        (240, 248, 400, 408),
    ]


@given(blocks=some_blocks(), samples=st.integers(0, 20))
def test_spreading_reaches_every_block_that_is_near_enough(
    blocks: NDArray[np.bool_], samples: int
) -> None:
    found = spread(blocks, samples)
    away = -(-samples // BLOCK)
    for y, x in np.ndindex(blocks.shape):
        near = blocks[max(0, y - away) : y + away + 1, max(0, x - away) : x + away + 1]
        assert found[y, x] == near.any()


@pytest.mark.parametrize("threshold", [0, 1, 4, 100])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(8, 8), (17, 33), (5, 3), (64, 40)], ids=str)
def test_a_block_is_changed_by_its_root_mean_square(
    kind: type[np.unsignedinteger], size: tuple[int, int], threshold: float
) -> None:
    rng = np.random.default_rng(1)
    top = np.iinfo(kind).max if kind is np.uint8 else 1023
    one = rng.integers(0, top, size).astype(kind)
    # About as far apart as the threshold allows, some blocks more and some less, none by steps.
    noise = rng.normal(0, threshold * rng.uniform(0.5, 1.5, size), size)
    other = np.clip(one + noise, 0, top).astype(kind)
    found = changed(one, other, threshold=threshold)
    assert found.shape == tuple(-(-side // BLOCK) for side in size)
    for y, x in np.ndindex(found.shape):
        part = (slice(BLOCK * y, BLOCK * (y + 1)), slice(BLOCK * x, BLOCK * (x + 1)))
        wanted = np.mean((one[part].astype(float) - other[part]) ** 2) > threshold**2
        assert found[y, x] == wanted


def test_one_sample_by_one_level_is_a_change_unless_that_much_is_none() -> None:
    one = np.full((40, 40), 200, np.uint8)
    other = one.copy()
    other[39, 0] = 199
    assert np.argwhere(changed(one, other, threshold=0)).tolist() == [[4, 0]]
    assert not changed(one, other, threshold=1 / BLOCK).any(), "it is as much, not more"
    assert np.argwhere(changed(one, other, threshold=0.99 / BLOCK)).tolist() == [[4, 0]]
