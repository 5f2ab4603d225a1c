"""Batches of patches from pictures, and the share of a batch that one process of several takes.

Every batch is a function of the seed and the number of the step alone, so that a run that goes
on from a checkpoint sees what an undisturbed one would have seen, whatever cuts the patches: the
CPU, from arrays, or a GPU, from the whole set in its memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidlift.errors import InputError, UsageError
from vidlift.training.pictures import Picture
from vidlift.training.ranks import ALONE, Ranks

Kind = TypeVar("Kind", bound=np.generic)

WAYS = 8
"""A patch is turned by quarters and mirrored: eight ways."""


class Batch(NamedTuple):
    """Patches of one step, luma in 0..1."""

    low: Tensor
    """``[n, 1, p, p]``."""

    high: Tensor
    """``[n, 1, s*p, s*p]``."""

    taught: Tensor | None = None
    """What a teacher makes of ``low``, like ``high``; None where nobody teaches."""


class Patches(Protocol):
    """The batch of a step, or this process's share of it."""

    def __call__(self, step: int) -> Batch: ...


class Place(NamedTuple):
    """Where a patch is cut, in low-resolution samples, and which way it is turned."""

    picture: int
    top: int
    left: int
    way: int


class Places:
    """Draws the places of a step: pictures by their area, corners and ways evenly."""

    def __init__(
        self, pictures: Sequence[Picture], *, scale: int, patch: int, batch: int, seed: int
    ) -> None:
        """``patch`` is the side of a low-resolution patch; smaller pictures are left out."""
        self.pictures = [p for p in pictures if min(p.low.shape) >= patch]
        if not self.pictures:
            raise InputError(f"no picture is large enough for patches of {patch * scale} pixels")
        area = np.cumsum([p.low.size for p in self.pictures])
        self._up_to = area / area[-1]
        self._room = np.array([p.low.shape for p in self.pictures]) - patch + 1
        self.scale, self.patch, self.batch = scale, patch, batch
        self._seed = seed

    def __call__(self, step: int) -> list[Place]:
        return [Place(*row) for row in self.table(step).tolist()]

    def table(self, step: int) -> NDArray[np.int64]:
        """``[batch, 4]``, a row for each ``Place``."""
        chance = np.random.default_rng((self._seed, step)).random((4, self.batch))
        picture = np.searchsorted(self._up_to, chance[0], side="right")
        top, left = (self._room[picture].T * chance[1:3]).astype(np.int64)
        return np.stack([picture, top, left, (WAYS * chance[3]).astype(np.int64)], axis=1)


def on_device(
    pictures: Sequence[Picture],
    *,
    scale: int,
    patch: int,
    batch: int,
    seed: int,
    device: str = "cpu",
    ranks: Ranks = ALONE,
) -> Patches:
    """Patches cut where the network is. Raises ``UsageError`` where a batch cannot be shared."""
    if batch % ranks.world:
        raise UsageError(f"a batch of {batch} cannot be shared evenly by {ranks.world} processes")
    places = Places(pictures, scale=scale, patch=patch, batch=batch, seed=seed)
    if device == "cpu":
        return CutPatches(places, ranks=ranks)
    return GatheredPatches(places, ranks=ranks, device=device)


class CutPatches:
    """Cut from arrays, on the CPU."""

    def __init__(self, places: Places, *, ranks: Ranks = ALONE) -> None:
        self._places, self._ranks = places, ranks

    def __call__(self, step: int) -> Batch:
        places = self._ranks.share(self._places(step))
        scale = self._places.scale
        shown = [(self._places.pictures[place.picture], place) for place in places]
        low = [self._cut(picture.low, place, 1) for picture, place in shown]
        high = [self._cut(picture.high, place, scale) for picture, place in shown]
        taught = [
            self._cut(picture.taught, place, scale)
            for picture, place in shown
            if picture.taught is not None
        ]
        return Batch(_tensor(low), _tensor(high), _tensor(taught) if taught else None)

    def _cut(self, plane: NDArray[np.uint8], place: Place, step: int) -> NDArray[np.uint8]:
        """A patch of a plane with ``step`` samples in a low-resolution one."""
        top, left, side = (step * n for n in (place.top, place.left, self._places.patch))
        return _turned(plane[top : top + side, left : left + side], place.way)


class GatheredPatches:
    """Gathered on a GPU, where the whole set lies as bytes; the same batches to the bit."""

    def __init__(self, places: Places, *, device: str, ranks: Ranks = ALONE) -> None:
        self._places, self._ranks, self._device = places, ranks, device
        self.batch = places.batch
        pictures, side, scale = places.pictures, places.patch, places.scale
        taught = [p.taught for p in pictures if p.taught is not None]
        self._low = _Plates([p.low for p in pictures], side=side, step=1, device=device)
        self._high = _Plates([p.high for p in pictures], side=side, step=scale, device=device)
        self._taught = _Plates(taught, side=side, step=scale, device=device) if taught else None

    def __call__(self, step: int) -> Batch:
        places = self._ranks.share(self._places(step))
        return self.at(torch.tensor(places, dtype=torch.int64, device=self._device))

    def table(self, step: int) -> NDArray[np.int64]:
        """The places of the whole batch of a step, as of ``Places.table``."""
        return self._places.table(step)

    def at(self, drawn: Tensor) -> Batch:
        """The patches at places ``[n, 4]`` that lie on the device."""
        taught = self._taught(drawn) if self._taught is not None else None
        return Batch(self._low(drawn), self._high(drawn), taught)


class _Plates:
    """Planes end to end in the memory of a device, and patches out of them."""

    def __init__(
        self, planes: Sequence[NDArray[np.uint8]], *, side: int, step: int, device: str
    ) -> None:
        """``step`` is how many samples of these planes lie in a low-resolution one."""
        self._step = step
        flat = np.concatenate([plane.reshape(-1) for plane in planes])
        self._samples = torch.from_numpy(flat).to(device)
        starts = np.cumsum([0, *(plane.size for plane in planes[:-1])])
        self._starts = torch.from_numpy(starts).to(device)
        self._widths = torch.tensor([plane.shape[1] for plane in planes], device=device)
        self._rows, self._columns = (
            torch.from_numpy(np.stack([_turned(grid, way) for way in range(WAYS)])).to(device)
            for grid in np.indices((side * step, side * step))
        )

    def __call__(self, drawn: Tensor) -> Tensor:
        picture, top, left, way = drawn.T
        row = self._rows[way] + self._step * top[:, None, None]
        column = self._columns[way] + self._step * left[:, None, None]
        start = self._starts[picture][:, None, None]
        width = self._widths[picture][:, None, None]
        return self._samples[start + row * width + column][:, None].float() / 255


def _turned(plane: NDArray[Kind], way: int) -> NDArray[Kind]:
    turned = np.rot90(plane, way % 4)
    return np.ascontiguousarray(turned[:, ::-1] if way >= 4 else turned)


def _tensor(planes: list[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(planes)[:, None]).float() / 255
