"""What an engine is: a runtime with a model loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidlift.descriptor import Descriptor

PairPlanes = NDArray[Any]
"""Planes of code values, ``uint8`` or ``uint16``, shape [1, n, H, W]: a pair, one that stands
alone, or any number of parts of one size."""

MIN_SIDE = 16
"""Least height and width that a model need accept."""


class Engine(Protocol):
    """Runs one model. Not thread-safe: one caller at a time."""

    @property
    def name(self) -> str:
        """Runtime and version, for receipts: ``openvino 2026.4.1 cpu f32``."""
        ...

    @property
    def descriptor(self) -> Descriptor: ...

    @property
    def any_size(self) -> bool:
        """Whether a size that is new costs little, and once: parts of frames may be run."""
        ...

    @property
    def same_in_parts(self) -> bool:
        """Whether a part of a frame comes out bit for bit as it does in the frame, but for what
        lies within the model's reach of the part's border.
        """
        ...

    def run(self, planes: PairPlanes, *, bits: int = 8) -> PairPlanes:
        """Super-resolve a pair of planes, one that stands alone, or parts, each side at least
        ``MIN_SIDE``.

        ``[1, n, H, W] -> [1, n, s*H, s*W]``, ``uint8`` for 8 bits and ``uint16`` for 10. Sizes
        and depths may change from call to call. The result is the caller's own.
        """
        ...

    def planned(self, size: tuple[int, int], *, bits: int = 8) -> bool:
        """Whether parts of such a height and width run at once, with nothing to be compiled."""
        ...

    def plan(self, size: tuple[int, int], *, bits: int = 8) -> None:
        """Compile a piece of what parts of such a height and width need: again until they are
        ``planned``. One other thread may call it while this one runs planes.
        """
        ...

    def rest(self) -> None:
        """Give back memory that only running needs; the next run takes it again, and a few ms."""
        ...

    def close(self) -> None:
        """Give back what the runtime holds; the engine is not used after."""
        ...


class Unplanned:
    """The part of an engine that compiles nothing for a size."""

    def planned(self, size: tuple[int, int], *, bits: int = 8) -> bool:
        return True

    def plan(self, size: tuple[int, int], *, bits: int = 8) -> None:
        """There is nothing to compile."""


def in_pairs(run: Callable[[PairPlanes], PairPlanes], planes: PairPlanes) -> PairPlanes:
    """For runtimes that take pairs only: two after two, the last with itself if it is alone."""
    count = planes.shape[1]
    couples = (planes[:, i : i + 2] for i in range(0, count, 2))
    made = [run(each if each.shape[1] == 2 else each.repeat(2, axis=1)) for each in couples]
    return (made[0] if len(made) == 1 else np.concatenate(made, axis=1))[:, :count]


def to_core(planes: PairPlanes, *, bits: int) -> NDArray[np.float32]:
    """``[1, 2, H, W]`` of any depth -> ``[2, 1, H, W]`` float32 in 8-bit code values."""
    core = np.ascontiguousarray(planes.transpose(1, 0, 2, 3), np.float32)
    core /= 1 << (bits - 8)
    return core


def from_core(core: NDArray[np.float32], *, bits: int) -> PairPlanes:
    """The core's output, before or after its shuffle, -> ``uint16 [1, 2, s*H, s*W]``.

    A core that stops before the shuffle has s*s channels, ordered as ``DepthToSpace`` orders
    them for one output channel.
    """
    frames, channels, height, width = core.shape
    scale = round(channels**0.5)
    values = np.clip(core * (1 << (bits - 8)), 0, (1 << bits) - 1)
    values = np.rint(values).astype(np.uint16)
    values = values.reshape(frames, scale, scale, height, width).transpose(0, 3, 1, 4, 2)
    return values.reshape(1, frames, scale * height, scale * width)
