"""Do nothing where nothing changed: only parts of luma that are new go through the network.

    the same as before     ┌──┬──┬──┬──┐
    a change  ▒            │  │  │  │  │
    made anew  ▓           ├──┼──┼──┼──┤
                           │  │▓▓│▒▓│  │
                           └──┴──┴──┴──┘

With threshold 0 a picture is the same, bit for bit, as one that was made whole: an output sample
depends on the input within the network's reach alone, each part is made from all of that, and
anew when any of it changed. What was made is known by what it was made from, not by when: a seek
needs nothing to be reset, and small changes cannot add up to a large one.

Note [What counts as no change]. A codec sends a change where it is worth the bits. Behind that,
what is decoded of a scene that stands still differs from frame to frame by the codec's own noise,
and to follow it is work for nothing. ``NOISE`` is the root mean square difference of a block of
8x8 samples up to which two blocks are the same. Put into one coefficient of that block's
transform it is 8, which falls into the dead zone (5/6 of a step in H.264) of quantisers from
QP 23 on: the codec would not have sent it. Where it is a change all the same, it adds at most 1
to the mean square error, which is 7 at 40 dB; ``benchmarks/reuse.py`` measures what is lost.

Note [A shorter halo]. Of a network's reach, the farthest samples hardly count. Where small
differences are let pass, ``HALO`` samples around a part are enough: what is made differs at most
at its border, by a mean square of 0.02 there (m-x4, l-x4, m-x2, m-x3 on coded video).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vidlift.frame import Frame, Plane, chroma_shape
from vidlift.stages.parts import BLOCK, JOINED_MAX, Box, changed, cover, spread
from vidlift.stages.plans import Plans
from vidlift.upscaler import Upscaler

NOISE = 1.0
"""Threshold for what went through a codec that loses something. Note [What counts as no change]"""

HALO = 4
"""Samples around a part where the threshold is more than 0. Note [A shorter halo]"""

PAYS = 0.7
"""Share of a plane's samples that parts may cost, all counted, to be made rather than the whole."""

BLIND_MAX = 8
"""Planes made whole at most before it is looked again whether parts would do."""

GLANCE = 8
"""One of so many rows of blocks is looked at first: where most is new there, the rest is not."""

AT_ONCE = 8
"""Parts that are made in one call at most."""

Run: TypeAlias = Callable[[Sequence[Plane]], NDArray[Any]]
"""Planes [H, W] of one size -> [n, s*H, s*W]."""

There: TypeAlias = Callable[[Iterable[tuple[int, int]]], bool]
"""Whether parts of such heights and widths can be made at once."""


class Reuse:
    """An ``Upscaler`` that is given pairs in order and leaves out what it has made before.

    Planes of results may be those of the frame before, where nothing changed, and those given are
    held to compare the next with: treat all as read-only, as those of every frame.
    """

    def __init__(self, upscaler: Upscaler, *, threshold: float = 0, beside: bool = False) -> None:
        """``threshold`` is the root mean square difference of a block, in code values of 8 bits,
        that counts as none. ``beside``: what parts need is compiled in a thread of its own, and
        planes are made whole until it is there; else the first part of a size waits for it.
        ``close`` closes the upscaler too.
        """
        self._upscaler = upscaler
        self._threshold = threshold
        self._plans = Plans(upscaler) if beside else None
        self._lanes: dict[object, _Lane] = {}
        self.work = 1.0
        """Share of the luma of the last pair that went through the network."""

    def pair(self, first: Frame, second: Frame) -> tuple[Frame, Frame]:
        """As ``Upscaler.pair``."""
        frames = (first,) if second is first else (first, second)
        shape = first.form
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
        """As ``Upscaler.warm``; what parts need is compiled when a size of them is first met."""
        self._upscaler.warm(first, second)

    def rest(self) -> None:
        """As ``Upscaler.rest``; what was made is forgotten."""
        self._lanes.clear()
        self._upscaler.rest()

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
        upscaler = self._upscaler
        whole = upscaler.descriptor.tier == "kernel" or not upscaler.any_size
        whole |= self._threshold == 0 and not upscaler.same_in_parts
        return {
            "scale": upscaler.scale,
            "reach": None if whole else upscaler.reach,
            "least": upscaler.least_side,
            "multiple_of": upscaler.descriptor.multiple_of,
            "threshold": self._threshold * (1 << (frame.bits - 8)),
            "there": partial(self._there, bits=frame.bits),
        }

    def _there(self, sizes: Iterable[tuple[int, int]], *, bits: int) -> bool:
        return self._plans is None or self._plans.there(sizes, bits=bits)


def _cut(plane: Plane, rows: int, columns: int) -> Plane:
    """The upper left part, the same object where that is all of it."""
    return plane if plane.shape == (rows, columns) else plane[:rows, :columns]


class _Lane:
    """Planes of one kind and size, one after another."""

    def __init__(
        self,
        run: Run,
        *,
        scale: int,
        reach: int | None,
        least: int,
        multiple_of: int,
        threshold: float,
        there: There,
    ) -> None:
        """Without a ``reach``, planes are repeated as a whole, or made anew; ``least`` is the side
        of a plane that is not padded."""
        self._run = run
        self._scale = scale
        self._in_parts = reach is not None and BLOCK % multiple_of == 0
        self._multiple = multiple_of
        self._reach = reach or 0
        halo = self._reach if threshold == 0 else min(self._reach, HALO)
        halo = max(halo, (least - BLOCK) // 2)  # a patch that is padded has other edges
        self._halo = -(-halo // multiple_of) * multiple_of
        self._threshold = threshold
        self._there = there
        self._used: Plane | None = None
        """What the last plane was made from, part by part."""

        self._used_is_ours = False
        """Whether that may be written to, and is no plane that was given."""

        self._big: Plane | None = None
        """The last plane made."""

        self._blind = self._blind_for = 0
        """Planes to come that are not looked at, and how many those were the last time."""

        self.work = 1.0

    def make(self, planes: Sequence[Plane]) -> list[Plane]:
        """Each plane, bigger."""
        todo = [self._todo(plane) for plane in planes]
        entire = [index for index, boxes in enumerate(todo) if boxes is None]
        wholes = dict(
            zip(entire, self._run([planes[i] for i in entire]) if entire else (), strict=True)
        )
        patches, samples = self._patches(planes, todo)
        made = []
        for index, boxes in enumerate(todo):
            if boxes is None:
                self._big = wholes[index]
            elif boxes:
                self._big = self._patched(patches[index])
            assert self._big is not None
            made.append(self._big)
        self.work = (len(entire) + samples / planes[0].size) / len(planes)
        return made

    def _todo(self, plane: Plane) -> list[Box] | None:
        """Which parts are to be made; None: the whole. What they are made from is noted."""
        if self._used is None or self._used.shape != plane.shape:
            self._used, self._used_is_ours = plane, False
            return None
        if _equal(plane, self._used):
            return []
        boxes = None if self._look_away() else self._parts(plane, self._used)
        if boxes is None:
            self._used, self._used_is_ours = plane, False
        elif boxes:
            if not self._used_is_ours:
                self._used, self._used_is_ours = self._used.copy(), True
            for box in boxes:
                inside = slice(box.top, box.bottom), slice(box.left, box.right)
                self._used[inside] = plane[inside]
        return boxes

    def _look_away(self) -> bool:
        self._blind -= 1
        return self._blind >= 0

    def _parts(self, plane: Plane, used: Plane) -> list[Box] | None:
        divides = self._divides(plane)
        glance = changed(_some(plane), _some(used), threshold=self._threshold)
        if glance.mean() <= (PAYS if divides else 0):
            new = changed(plane, used, threshold=self._threshold)
            if not new.any():
                return []
            if divides:
                if self._threshold == 0:
                    new = spread(new, self._reach)
                boxes, cost = cover(new, halo=self._halo)
                if cost <= PAYS * plane.size:
                    self._blind_for = 0
                    return boxes if self._there(self._sizes(boxes, plane)) else None
        self._blind = self._blind_for = min(BLIND_MAX, 2 * self._blind_for or 1)
        return None

    def _sizes(self, boxes: Sequence[Box], plane: Plane) -> list[tuple[int, int]]:
        """Height and width of the patches that make them."""
        sides = sorted({box.bottom - box.top + 2 * self._halo for box in boxes})
        height, width = plane.shape
        return [(min(side, height), min(side, width)) for side in sides]

    def _divides(self, plane: Plane) -> bool:
        """Whether parts of such a plane are worth their calls and may be cut as they have to be."""
        fits = min(plane.shape) >= JOINED_MAX * BLOCK // 2
        return self._in_parts and fits and not any(side % self._multiple for side in plane.shape)

    def _patches(
        self, planes: Sequence[Plane], todo: Sequence[list[Box] | None]
    ) -> tuple[list[list[tuple[Box, Plane]]], int]:
        """For each plane its boxes, made; and how many samples went in.

        A call makes up to ``AT_ONCE`` boxes of one size, whichever planes they are of.
        """
        wanted = [(index, box) for index, boxes in enumerate(todo) for box in boxes or ()]
        found: list[list[tuple[Box, Plane]]] = [[] for _ in planes]
        s, count = self._scale, 0
        for group in _groups(wanted):
            patches = [self._around(planes[index], box) for index, box in group]
            made = self._run([patch for patch, _ in patches])
            for (index, box), (patch, (y, x)), part in zip(group, patches, made, strict=True):
                rows = slice(s * (box.top - y), s * (box.bottom - y))
                columns = slice(s * (box.left - x), s * (box.right - x))
                found[index].append((box, part[rows, columns]))
                count += patch.size
        return found, count

    def _patched(self, parts: list[tuple[Box, Plane]]) -> Plane:
        """The last plane with parts of it made anew, in a copy."""
        assert self._big is not None
        big, s = self._big.copy(), self._scale
        for box, part in parts:
            big[s * box.top : s * box.bottom, s * box.left : s * box.right] = part
        return big

    def _around(self, plane: Plane, box: Box) -> tuple[Plane, tuple[int, int]]:
        """A box with its halo, and where that begins.

        All of one size, inside the plane: at its edges they are moved inwards, so that an edge of
        the plane is an edge of the patch and is padded the same.
        """
        top, bottom = self._span(box.top, box.bottom, plane.shape[0])
        left, right = self._span(box.left, box.right, plane.shape[1])
        return plane[top:bottom, left:right], (top, left)

    def _span(self, begin: int, end: int, size: int) -> tuple[int, int]:
        length = min(end - begin + 2 * self._halo, size)
        begin = min(max(0, begin - self._halo), size - length)
        return begin, begin + length


def _equal(plane: Plane, other: Plane) -> bool:
    """Whether they are the same in every sample. Where a picture moves, a few rows tell already."""
    step = GLANCE * BLOCK
    return np.array_equal(plane[::step], other[::step]) and np.array_equal(plane, other)


def _some(plane: Plane) -> Plane:
    """Some of its rows of blocks, one under another."""
    tops = range(0, plane.shape[0], GLANCE * BLOCK)
    return np.concatenate([plane[top : top + BLOCK] for top in tops])


def _groups(boxes: list[tuple[int, Box]]) -> Iterator[list[tuple[int, Box]]]:
    """Those of one size, so many at a time, the largest first, of boxes of one plane or of two."""

    def side(entry: tuple[int, Box]) -> int:
        return entry[1].bottom - entry[1].top

    for _, alike in groupby(sorted(boxes, key=side, reverse=True), key=side):
        same = list(alike)
        yield from (same[i : i + AT_ONCE] for i in range(0, len(same), AT_ONCE))
