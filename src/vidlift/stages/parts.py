"""Which parts of a plane are new, and the few patches that make them all anew.

    blocks that changed  ▒       patches  ▓, of few sizes, each with its halo

    · · · · · · · ·              · · · · · · · ·
    · ▒ ▒ · · · · ·              ▓ ▓ ▓ ▓ · · · ·
    · ▒ · ▒ · · · ·      ──>     ▓ ▓ ▓ ▓ · · · ·
    · · · · · · ▒ ·              · · · · · · ▓ ·

Blocks are joined by fours into squares where one patch costs no more than those it replaces: a
patch costs its samples, those of its halo, and the call. Squares are of ``SIZES`` sizes, so that an
engine plans for each once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from vidlift.frame import Plane

BLOCK = 8
"""Side of a block in samples."""

SIZES = 4
"""Of boxes: a block, and squares of twice the side of the one before."""

JOINED_MAX = 1 << (SIZES - 1)
"""Blocks along a side of the largest box."""

CALL = 250
"""Samples that could be made in the time that one more patch takes beside its own."""

Blocks = NDArray[np.bool_]
"""Which blocks, [rows, columns]."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of a plane, in samples: rows from ``top`` up to ``bottom``, columns alike."""

    top: int
    bottom: int
    left: int
    right: int


def changed(plane: Plane, other: Plane, *, threshold: float) -> Blocks:
    """Blocks that differ in two planes of one size: by more than ``threshold``, as the root mean
    square; with 0, in any sample.
    """
    height, width = plane.shape
    rows, columns = -(-height // BLOCK), -(-width // BLOCK)
    apart = np.zeros((rows * BLOCK, columns * BLOCK), plane.dtype)
    inside = apart[:height, :width]
    np.maximum(plane, other, out=inside)
    inside -= np.minimum(plane, other)
    # Most blocks differ in no sample by that much. A row of a block is one number of 8 bytes.
    far = apart.reshape(rows, BLOCK, -1).max(axis=1) > threshold
    found: Blocks = far.view(np.uint64) != 0
    if threshold and found.any():
        y, x = np.nonzero(found)
        blocks = apart.reshape(rows, BLOCK, columns, BLOCK)[y, :, x]
        sums = np.square(blocks, dtype=np.float32).sum(axis=(1, 2))
        samples = np.minimum(BLOCK, height - BLOCK * y) * np.minimum(BLOCK, width - BLOCK * x)
        found[y, x] = sums > threshold**2 * samples
    return found


def spread(blocks: Blocks, samples: int) -> Blocks:
    """The same, and all blocks that have a sample within so many rows and columns of them."""
    away = -(-samples // BLOCK)
    windows = sliding_window_view(np.pad(blocks, away), (2 * away + 1, 2 * away + 1))
    near: Blocks = np.logical_or.reduce(windows, axis=(2, 3))
    return near


def cover(blocks: Blocks, *, halo: int) -> tuple[list[Box], int]:
    """Square boxes of whole blocks that hold all of ``blocks`` and do not overlap, and their cost.

    They are of ``SIZES`` sizes, the largest first; the last boxes may reach over the edge. The
    cost is in samples: halos of so many and the calls included.
    """
    rows, columns = (-(-side // JOINED_MAX) * JOINED_MAX for side in blocks.shape)
    wanted = np.zeros((rows, columns), bool)
    wanted[: blocks.shape[0], : blocks.shape[1]] = blocks
    levels = list(_levels(wanted, halo))
    boxes = []
    undecided = np.ones_like(levels[-1].whole)
    for level in reversed(levels):
        times = level.whole.shape[0] // undecided.shape[0]
        undecided = undecided.repeat(times, axis=0).repeat(times, axis=1)
        chosen = undecided & level.whole
        undecided &= ~level.whole
        side = level.side * BLOCK
        boxes += [
            Box(y * side, (y + 1) * side, x * side, (x + 1) * side)
            for y, x in np.argwhere(chosen).tolist()
        ]
    return boxes, int(levels[-1].cost.sum())


@dataclass(frozen=True, slots=True)
class _Level:
    """A grid of boxes of one size, in blocks."""

    side: int
    cost: NDArray[np.int64]
    """Least cost of what is wanted in each box."""

    whole: Blocks
    """Where one patch for all of the box costs no more than patches for its quarters."""


def _levels(wanted: Blocks, halo: int) -> Iterator[_Level]:
    """Grids from blocks up to the largest boxes, each box of four of the one before."""
    side = 1
    cost = np.where(wanted, _cost(side, halo), 0)
    yield _Level(side, cost, wanted)
    while side < JOINED_MAX:
        side *= 2
        wanted = np.logical_or.reduce(_fours(wanted), axis=(1, 3))
        quarters = _fours(cost).sum(axis=(1, 3))
        own = _cost(side, halo)
        whole = wanted & (own <= quarters)
        cost = np.where(whole, own, quarters)
        yield _Level(side, cost, whole)


def _fours(grid: NDArray[Any]) -> NDArray[Any]:
    """Two rows by two columns each, on axes 1 and 3."""
    return grid.reshape(grid.shape[0] // 2, 2, grid.shape[1] // 2, 2)


def _cost(side: int, halo: int) -> int:
    return (side * BLOCK + 2 * halo) ** 2 + CALL
