"""Do nothing where nothing changed: only tiles of luma that are new go through the network.

    the same as before     ┌──┬──┬──┬──┐     a tile sees its halo, so a change near its border
    a change  ▒            │  │  │  │  │     counts for it as well
    tiles done anew  ▓     ├──┼──┼──┼──┤
                           │  │▓▓│▒▓│  │
                           └──┴──┴──┴──┘

With threshold 0 a picture is the same, bit for bit, as one that was made whole: an output sample
depends on the input within the network's reach alone, and each tile is made from all of that.
What was made is known by what it was made from, not by when: a seek needs nothing to be reset.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidlift.frame import Frame, Plane, chroma_shape
from vidlift.upscaler import Upscaler

TILE = 32
"""Side of a tile in input samples, its halo apart."""

PAYS = 0.6
"""Share of a plane's samples, halos counted, up to which tiles are cheaper than the whole: one
call for each few tiles costs more than one for a plane."""

Run = Callable[[Sequence[Plane]], NDArray[Any]]
"""One or two planes [H, W] of one size -> [n, s*H, s*W]."""


class Reuse:
    """An ``Upscaler`` that is given pairs in order and leaves out what it has made before.

    Planes of results may be those of the frame before, where nothing changed: treat them as
    read-only, as those of every frame.
    """

    def __init__(self, upscaler: Upscaler, *, threshold: int = 0) -> None:
        """``threshold`` is the largest change of a code value, at 8 bits, that counts as none.

        ``close`` closes the upscaler too.
        """
        self._upscaler = upscaler
        self._threshold = threshold
        self._lanes: dict[object, _Lane] = {}
        self.work = 1.0
        """Share of the luma of the last pair that went through the network."""

    def pair(self, first: Frame, second: Frame) -> tuple[Frame, Frame]:
        """As ``Upscaler.pair``."""
        frames = (first,) if second is first else (first, second)
        shape = (first.size, first.layout, first.bits)
        lanes = [self._lane((index, *shape), first, index) for index in range(len(first.planes))]
        for old in [key for key in self._lanes if isinstance(key, tuple) and key[1:] != shape]:
            del self._lanes[old]
        made = [
            lane.make([frame.planes[index] for frame in frames]) for index, lane in enumerate(lanes)
        ]
        self.work = lanes[0].work
        rows, columns = chroma_shape(made[0][0].shape, first.layout) if len(lanes) > 1 else (0, 0)
        found = [
            replace(
                frame,
                planes=(made[0][number], *(_cut(lane[number], rows, columns) for lane in made[1:])),
            )
            for number, frame in enumerate(frames)
        ]
        return found[0], found[-1]

    def warm(self, first: Frame, second: Frame) -> None:
        """As ``Upscaler.warm``, tiles included."""
        self._upscaler.warm(first, second)
        lane = _Lane(partial(self._upscaler.luma_planes, bits=first.bits), **self._luma_form(first))
        lane.warm(first.luma)

    def close(self) -> None:
        self._lanes.clear()
        self._upscaler.close()

    def _lane(self, key: object, frame: Frame, index: int) -> _Lane:
        if key not in self._lanes:
            if index == 0:
                run: Run = partial(self._upscaler.luma_planes, bits=frame.bits)
                form = self._luma_form(frame)
            else:
                run = partial(self._upscaler.chroma_planes, layout=frame.layout, bits=frame.bits)
                # Interpolation is cheap: a plane of chroma is repeated as a whole, or made anew.
                form = {**self._luma_form(frame), "reach": None}
            self._lanes[key] = _Lane(run, **form)
        return self._lanes[key]

    def _luma_form(self, frame: Frame) -> dict[str, Any]:
        return {
    def rest(self) -> None:
        """As ``Upscaler.rest``; what was made is forgotten."""
        self._lanes.clear()
        self._upscaler.rest()

            "scale": self._upscaler.scale,
            "reach": None if self._upscaler.descriptor.tier == "kernel" else self._upscaler.reach,
            "multiple_of": self._upscaler.descriptor.multiple_of,
            "threshold": self._threshold << (frame.bits - 8),
        }


def _cut(plane: Plane, rows: int, columns: int) -> Plane:
    """The upper left part, the same object where that is all of it."""
    return plane if plane.shape == (rows, columns) else plane[:rows, :columns]


class _Lane:
    """Planes of one kind, one after another. Legend: n tiles, P and Q sides of a patch."""

    def __init__(
        self, run: Run, *, scale: int, reach: int | None, multiple_of: int, threshold: int
    ) -> None:
        self._run = run
        self._scale = scale
        self._reach = reach
        self._multiple = multiple_of
        self._threshold = threshold
        self._grid: _Grid | None = None
        self._used: NDArray[Any] | None = None
        """For each tile, the patch that it was made from, [n, P, Q]."""

        self._big: Plane | None = None
        """The last plane made."""

        self.work = 1.0

    def make(self, planes: Sequence[Plane]) -> list[Plane]:
        """Each plane, bigger."""
        if self._grid is None or self._grid.shape != planes[0].shape:
            self._grid = _Grid(planes[0].shape, reach=self._reach, multiple_of=self._multiple)
            self._used = self._big = None
        grid = self._grid
        todo = [self._changed(grid.patches(plane)) for plane in planes]
        entire = [index for index, tiles in enumerate(todo) if len(tiles) > grid.most]
        wholes = dict(zip(entire, self._whole([planes[i] for i in entire]), strict=True))
        made = []
        done = 0.0
        for index, plane in enumerate(planes):
            if index in wholes:
                self._big = wholes[index]
                done += 1
            elif len(todo[index]):
                self._big = self._patched(plane, todo[index])
                done += len(todo[index]) * grid.share
            assert self._big is not None
            made.append(self._big)
        self.work = done / len(planes)
        return made

    def warm(self, plane: Plane) -> None:
        """Have tiles compiled, where there are any."""
        grid = _Grid(plane.shape, reach=self._reach, multiple_of=self._multiple)
        if grid.most:
            self._run([plane[grid.rows[0] : grid.rows[0] + grid.patch[0], : grid.patch[1]]])

    def _changed(self, patches: NDArray[Any]) -> NDArray[np.intp]:
        """Tiles whose patches are not those they were made from; they will be, from now on."""
        if self._used is None:
            self._used = patches
            return np.arange(len(patches))
        flat, used = (each.reshape(len(patches), -1) for each in (patches, self._used))
        if self._threshold:
            low, high = np.minimum(flat, used), np.maximum(flat, used)
            differ = ((high - low) > self._threshold).any(axis=1)
        else:
            differ = (flat != used).any(axis=1)
        tiles = np.flatnonzero(differ)
        if self._grid is not None and len(tiles) > self._grid.most:
            tiles = np.arange(len(patches))  # the whole is made anew, and all of it is up to date
        self._used[tiles] = patches[tiles]
        return tiles

    def _whole(self, planes: list[Plane]) -> list[Plane]:
        return list(self._run(planes)) if planes else []

    def _patched(self, plane: Plane, tiles: NDArray[np.intp]) -> Plane:
        """The last plane with some tiles made anew."""
        grid, scale = self._grid, self._scale
        assert grid is not None
        assert self._big is not None
        big = self._big.copy()
        for i in range(0, len(tiles), 2):
            couple = tiles[i : i + 2]
            made = self._run([grid.patch_of(plane, tile) for tile in couple])
            for tile, patch in zip(couple, made, strict=True):
                (top, bottom, left, right), (y, x) = grid.tile_of(tile)
                big[scale * top : scale * bottom, scale * left : scale * right] = patch[
                    scale * (top - y) : scale * (bottom - y),
                    scale * (left - x) : scale * (right - x),
                ]
        return big


class _Grid:
    """Where tiles lie in a plane, and the patches, tile and halo, that they are made from.

    Patches are of one size and lie inside the plane: at its edges they are moved inwards, so
    that an edge of the plane is an edge of the patch and is padded the same.
    """

    def __init__(self, shape: tuple[int, ...], *, reach: int | None, multiple_of: int) -> None:
        height, width = self.shape = shape
        if reach is None or height % multiple_of or width % multiple_of:
            step, self.patch = (height, width), (height, width)
            margin = 0
        else:
            margin = -(-reach // multiple_of) * multiple_of
            side = -(-(TILE + 2 * margin) // multiple_of) * multiple_of
            self.patch = min(side, height), min(side, width)
            step = (
                TILE if self.patch[0] < height else height,
                TILE if self.patch[1] < width else width,
            )
        self._step = step
        self.rows, self._columns = (
            np.array(
                [
                    min(max(0, (at - margin) // multiple_of * multiple_of), size - side)
                    for at in range(0, size, step)
                ]
            )
            for size, side, step in zip(shape, self.patch, step, strict=True)
        )
        self.share = self.patch[0] * self.patch[1] / (height * width)
        """Of the plane's samples, those of a patch."""

        count = len(self.rows) * len(self._columns)
        self.most = min(int(PAYS / self.share), count - 1) if count > 1 else 0
        """Tiles up to which they are cheaper than the whole plane."""

    def patches(self, plane: Plane) -> NDArray[Any]:
        """A copy of every patch, [n, P, Q]."""
        windows = np.lib.stride_tricks.sliding_window_view(plane, self.patch)
        cut = windows[self.rows[:, None], self._columns[None, :]]
        patches: NDArray[Any] = cut.reshape(-1, *self.patch)
        return patches

    def patch_of(self, plane: Plane, tile: np.intp) -> Plane:
        _, (y, x) = self.tile_of(tile)
        return plane[y : y + self.patch[0], x : x + self.patch[1]]

    def tile_of(self, tile: np.intp) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
        """Top, bottom, left and right of a tile, and where its patch begins."""
        row, column = divmod(int(tile), len(self._columns))
        top, left = row * self._step[0], column * self._step[1]
        box = (
            top,
            min(top + self._step[0], self.shape[0]),
            left,
            min(left + self._step[1], self.shape[1]),
        )
        return box, (int(self.rows[row]), int(self._columns[column]))
