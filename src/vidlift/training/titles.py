"""A title to tune a network on: windows of its frames, shrunk and sent through a codec.

    title    ....[window]............[window]............[window]....
                  | | |               | | |               | | |        frames that are kept
    split         learnt              learnt              held out     every eighth window

Windows lie far apart, and whole windows are held out: the frames that judge are of other moments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidlift import resample
from vidlift.errors import InputError
from vidlift.sources.file import FileSource
from vidlift.training import degrade
from vidlift.training.degrade import Planes
from vidlift.training.pictures import Picture

WINDOW = 24
"""Frames that go through the codec together."""

KEEP_EVERY = 4
"""Of a window, every so many frames are kept: neighbours teach the same."""

HELD_OUT_EVERY = 8

BUDGET = 400 << 20
"""Samples of all kept frames, about; of a longer title, windows further apart are kept."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """The frames that are kept of one."""

    title: str
    first: int
    """Number of its first frame."""

    frames: tuple[Picture, ...]


def load(
    titles: Sequence[Path], *, scale: int, crf: int, budget: int = BUDGET
) -> tuple[list[Picture], list[Picture]]:
    """Frames to learn from and frames held out. Raises ``InputError`` for what is no video.

    ``crf`` is the quality at which each window goes through x264, 0 being lossless.
    """
    windows: list[Window] = []
    for title in titles:
        windows += _windows(title, scale=scale, crf=crf, budget=budget // len(titles))
    if len(windows) < 2:
        raise InputError(
            f"{', '.join(map(str, titles))}: too short to tune on; "
            f"{2 * WINDOW} frames are needed, half of them to judge by"
        )
    every = min(HELD_OUT_EVERY, len(windows))
    held_out = [w for n, w in enumerate(windows) if n % every == every - 1]
    training = [w for n, w in enumerate(windows) if n % every != every - 1]
    return [p for w in training for p in w.frames], [p for w in held_out for p in w.frames]


def digest(titles: Sequence[Path], *, crf: int) -> str:
    """SHA-256 over the videos and what they go through."""
    whole = hashlib.sha256(f"crf {crf}\n".encode())
    for title in titles:
        try:
            with title.open("rb") as content:
                whole.update(hashlib.file_digest(content, "sha256").digest())
        except OSError as error:
            raise InputError(f"cannot read {title}: {error.strerror}") from error
    return whole.hexdigest()


def _windows(title: Path, *, scale: int, crf: int, budget: int) -> list[Window]:
    """Windows spread evenly over a title of unknown length: whenever there are too many, every
    second one goes, and from then on only half as many come."""
    kept: list[Window] = []
    stride = 1
    with closing(FileSource(title)) as source:
        frames = (_plane(frame.luma, frame.bits) for frame in source)
        for number, high in enumerate(_groups(frames)):
            if number % stride:
                continue
            kept.append(_window(title.name, number * WINDOW, high, scale=scale, crf=crf))
            if sum(p.high.size for w in kept for p in w.frames) > budget and len(kept) > 2:
                kept = kept[::2]
                stride *= 2
    return kept


def _window(title: str, first: int, high: Planes, *, scale: int, crf: int) -> Window:
    sides = [side - side % (2 * scale) for side in high[0].shape]
    if min(sides) < 2 * scale:
        raise InputError(f"{title}: its pictures are too small to be shrunk by {scale}")
    cropped = [np.ascontiguousarray(plane[: sides[0], : sides[1]]) for plane in high]
    shrunk = [resample.resize(p, (sides[1] // scale, sides[0] // scale)) for p in cropped]
    options = {"preset": "medium", "crf": str(crf), "g": "120"}
    low = degrade.through_codec(shrunk, "libx264", options)
    frames = [
        Picture(source=f"{title}#{first + index}", high=cropped[index], low=low[index])
        for index in range(KEEP_EVERY - 1, len(high), KEEP_EVERY)
    ]
    return Window(title=title, first=first, frames=tuple(frames))


def _groups(frames: Iterator[NDArray[np.uint8]]) -> Iterator[Planes]:
    """Whole windows; frames that are left at the end are dropped."""
    group: Planes = []
    for frame in frames:
        group.append(frame)
        if len(group) == WINDOW:
            yield group
            group = []


def _plane(luma: NDArray[np.generic], bits: int) -> NDArray[np.uint8]:
    return np.array(luma >> (bits - 8) if bits > 8 else luma, np.uint8)  # type: ignore[operator]
