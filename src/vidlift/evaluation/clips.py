"""The protocol for clips: what a viewer of a low-resolution stream gets.

    original frame -- cropped, each plane shrunk as pictures are --> LR frame -- codec --> decoded
    decoded -- network --> luma   compared with   the original's luma, in its own range

PSNR and SSIM of every frame, without cutting borders, are averaged over a clip, and clips over
a set. A network that is given frames in pairs is measured twice, with pairs that start at the
first frame and at the second. Stability compares the differences between successive frames
with those of the original, as PSNR: flicker lowers it, motion that is right does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidlift import metrics, resample, vmaf
from vidlift.errors import InputError
from vidlift.evaluation.streams import Stream, transmit
from vidlift.frame import Frame, Plane
from vidlift.sources.file import FileSource
from vidlift.video import VideoInfo

MAX_FRAMES = 120
"""Frames of a clip that are looked at, from its first: they are kept in memory."""


class Enlarge(Protocol):
    """What is measured: see ``networks.Network.frames``."""

    def __call__(self, low: Sequence[Frame], *, first_pair: int = 0) -> Iterator[NDArray[Any]]: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """One clip as it arrives, and the original. Treat the planes as read-only."""

    name: str
    low: tuple[Frame, ...]
    high: tuple[Plane, ...]
    """Luma of the original, cropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipScore:
    """Figures of one clip, means over its frames."""

    psnr: float
    """dB, on luma, pairs starting at the first frame."""

    psnr_shifted: float
    """The same with pairs starting at the second frame."""

    psnr_even: float
    """The same as ``psnr`` over frames 0, 2, 4, …: the first of their pairs."""

    psnr_odd: float
    """Over frames 1, 3, 5, …: the second of their pairs."""

    ssim: float
    stability: float
    """dB."""

    vmaf: float | None = None
    vmaf_neg: float | None = None
    """VMAF without credit for enhancement beyond the original."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetScore:
    """Figures of a set on one stream: each clip's, and their means."""

    mean: ClipScore
    clips: Mapping[str, ClipScore]


def score(
    enlarge: Enlarge,
    clips: Sequence[Path],
    stream: Stream,
    *,
    scale: int,
    paired: bool = True,
    with_vmaf: bool = False,
) -> SetScore:
    """Measure a network on clips.

    ``paired`` False says that frames are enlarged one at a time, so that pairs need not be
    shifted. Raises ``InputError`` for a clip that is no 8-bit video.
    """
    scores = {}
    stems = [path.stem for path in clips]
    for path in clips:
        name = path.stem if stems.count(path.stem) == 1 else path.name
        clip = load(path, scale, stream)
        scores[name] = _score(enlarge, clip, paired=paired, with_vmaf=with_vmaf)
    return SetScore(mean=_mean(list(scores.values())), clips=scores)


@lru_cache(maxsize=32)
def load(path: Path, scale: int, stream: Stream) -> Clip:
    """Read a clip, shrink it and send it through the stream."""
    high, info = _read(path)
    # Whole chroma samples on both sides of the scale: 4:2:0 needs even low-resolution sides.
    width, height = (side - side % (2 * scale) for side in (info.width, info.height))
    if min(width, height) < metrics.SSIM_LEAST:
        raise InputError(
            f"{path} is too small to be measured at x{scale}: {info.width}x{info.height}"
        )
    low = [_shrink(frame, width // scale, height // scale, scale) for frame in high]
    small = replace(info, width=width // scale, height=height // scale)
    return Clip(
        name=path.stem,
        low=transmit(low, small, stream),
        high=tuple(frame.luma[:height, :width] for frame in high),
    )


@lru_cache(maxsize=4)
def _read(path: Path) -> tuple[tuple[Frame, ...], VideoInfo]:
    source = FileSource(path)
    try:
        info = source.info
        if info.bits != 8:
            raise InputError(f"{path} has {info.bits} bits a sample; clips to measure on have 8")
        return tuple(islice(source, MAX_FRAMES)), info
    finally:
        source.close()


def _shrink(frame: Frame, width: int, height: int, scale: int) -> Frame:
    """A frame cropped and shrunk to that size, chroma in proportion."""
    planes = []
    for plane in frame.planes:
        across, down = frame.width / plane.shape[1], frame.height / plane.shape[0]
        size = round(width / across), round(height / down)
        planes.append(resample.resize(plane[: scale * size[1], : scale * size[0]], size))
    return replace(frame, planes=tuple(planes))


def _score(enlarge: Enlarge, clip: Clip, *, paired: bool, with_vmaf: bool) -> ClipScore:
    big = list(enlarge(clip.low))
    psnrs = _psnrs(big, clip.high)
    shifted = _psnrs(enlarge(clip.low, first_pair=1), clip.high) if paired else psnrs
    perceived = vmaf.measure(big, clip.high) if with_vmaf else None
    return ClipScore(
        psnr=float(np.mean(psnrs)),
        psnr_shifted=float(np.mean(shifted)),
        psnr_even=float(np.mean(psnrs[0::2])),
        psnr_odd=float(np.mean(psnrs[1::2] or psnrs)),
        ssim=float(np.mean([metrics.ssim(*both) for both in zip(big, clip.high, strict=True)])),
        stability=stability(big, clip.high),
        vmaf=perceived.vmaf if perceived else None,
        vmaf_neg=perceived.neg if perceived else None,
    )


def _psnrs(big: Iterable[NDArray[Any]], high: Sequence[Plane]) -> list[float]:
    return [min(metrics.CEILING, metrics.psnr(*both)) for both in zip(big, high, strict=True)]


def stability(big: Sequence[NDArray[Any]], high: Sequence[Plane]) -> float:
    """PSNR, in dB, of the differences between successive frames against the original's."""
    steps = [_steps(big), _steps(high)]
    found = [min(metrics.CEILING, metrics.psnr(*both)) for both in zip(*steps, strict=True)]
    return float(np.mean(found)) if found else metrics.CEILING


def _steps(frames: Sequence[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
    for before, after in pairwise(frames):
        yield after.astype(np.float32) - before.astype(np.float32)


def _mean(scores: Sequence[ClipScore]) -> ClipScore:
    def mean(name: str) -> float | None:
        values = [getattr(each, name) for each in scores]
        return None if None in values else float(np.mean(values))

    names = ClipScore.__dataclass_fields__
    return ClipScore(**{name: mean(name) for name in names})  # type: ignore[arg-type]
