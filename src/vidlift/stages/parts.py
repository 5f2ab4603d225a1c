"""Which parts of a plane are new, and the few patches that make them all anew.

    blocks that changed  ▒       patches  ▓, of few sizes, each with its halo

    · · · · · · · ·              · · · · · · · ·
    · ▒ ▒ · · · · ·              ▓ ▓ ▓ ▓ · · · ·
    · ▒ · ▒ · · · ·      ──>     ▓ ▓ ▓ ▓ · · · ·
    · · · · · · ▒ ·              · · · · · · ▓ ·

Blocks are joined by halves as long as one patch costs less than two: a patch costs its samples,
those of its halo, and the call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from vidlift.frame import Plane

BLOCK = 8
"""Side of a block in samples."""

JOINED_MAX = 16
"""Blocks along a side of the largest patch. Engines keep something for every size they met."""

CALL = 800
"""Samples that could be made in the time of one more call."""

Blocks = NDArray[np.bool_]
"""Which blocks, [rows, columns]."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of a plane, in samples: rows from ``top`` up to ``bottom``, columns alike."""

    top: int
    bottom: int
    left: int
    right: int


def difference(plane: Plane, other: Plane) -> NDArray[np.float32]:
    """Mean square difference of two planes of one size, by block; 0 only where they are equal."""
    height, width = plane.shape
    rows, columns = -(-height // BLOCK), -(-width // BLOCK)
    squares = np.zeros((rows * BLOCK, columns * BLOCK), np.float32)
    inside = squares[:height, :width]
    np.subtract(plane, other, out=inside, dtype=np.float32)
    np.square(inside, out=inside)
    sums = squares.reshape(rows, BLOCK, -1).sum(axis=1).reshape(rows, columns, BLOCK).sum(axis=2)
    tall, wide = (
        np.minimum(BLOCK, side - BLOCK * np.arange(count, dtype=np.float32))
        for side, count in ((height, rows), (width, columns))
    )
    means: NDArray[np.float32] = sums / (tall[:, None] * wide)
    return means


def spread(blocks: Blocks, samples: int) -> Blocks:
    """The same, and all blocks that have a sample within so many rows and columns of them."""
    away = -(-samples // BLOCK)
    windows = sliding_window_view(np.pad(blocks, away), (2 * away + 1, 2 * away + 1))
    near: Blocks = np.logical_or.reduce(windows, axis=(2, 3))
    return near


def cover(blocks: Blocks, *, halo: int) -> tuple[list[Box], int]:
    """Boxes of whole blocks that hold all of ``blocks`` and do not overlap, and what they cost.

    Sides are ``BLOCK`` times a power of two, not above ``JOINED_MAX`` blocks; the last boxes may
    reach over the edge. The cost is in samples: halos of so many and the calls included.
    """
    rows, columns = (-(-side // JOINED_MAX) * JOINED_MAX for side in blocks.shape)
    wanted = np.zeros((rows, columns), bool)
    wanted[: blocks.shape[0], : blocks.shape[1]] = blocks
    levels = list(_levels(wanted, halo))
    boxes = []
    undecided = np.ones_like(levels[-1].whole)
    for level in reversed(levels):
        tall, wide = (
            count // of for count, of in zip(level.whole.shape, undecided.shape, strict=True)
        )
        undecided = undecided.repeat(tall, axis=0).repeat(wide, axis=1)
        chosen = undecided & level.whole
        undecided &= ~level.whole
        height, width = level.height * BLOCK, level.width * BLOCK
        boxes += [
            Box(y * height, (y + 1) * height, x * width, (x + 1) * width)
            for y, x in np.argwhere(chosen).tolist()
        ]
    return boxes, int(levels[-1].cost.sum())


@dataclass(frozen=True, slots=True)
class _Level:
    """A grid of boxes of one size, in blocks."""

    height: int
    width: int
    cost: NDArray[np.int64]
    """Least cost of what is wanted in each box."""

    whole: Blocks
    """Where one patch for all of the box costs no more than patches for its halves."""


def _levels(wanted: Blocks, halo: int) -> Iterator[_Level]:
    """Grids from blocks up to the largest boxes, each of two of the one before."""
    height = width = 1
    cost = np.where(wanted, _cost(1, 1, halo), 0)
    yield _Level(1, 1, cost, wanted)
    while width < JOINED_MAX or height < JOINED_MAX:
        if width == height:
            width *= 2
            wanted = wanted[:, 0::2] | wanted[:, 1::2]
            halves = cost[:, 0::2] + cost[:, 1::2]
        else:
            height *= 2
            wanted = wanted[0::2] | wanted[1::2]
            halves = cost[0::2] + cost[1::2]
        own = _cost(height, width, halo)
        whole = wanted & (own <= halves)
        cost = np.where(whole, own, halves)
        yield _Level(height, width, cost, whole)


def _cost(height: int, width: int, halo: int) -> int:
    return (height * BLOCK + 2 * halo) * (width * BLOCK + 2 * halo) + CALL
