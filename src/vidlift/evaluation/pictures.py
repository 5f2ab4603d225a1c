"""The protocol for still pictures, as published figures use it.

    HR picture -- cropped to a multiple of the scale --> RGB -- antialiased bicubic --> LR RGB
    LR RGB -- network --> studio luma   compared with   the HR picture's studio luma

Luma is that of BT.601 in studio range, 16 to 235. The HR picture's is not rounded; what a
network gives is, as 8-bit luma or as 8-bit RGB. ``scale`` samples are cut off each side, and a
set's figure is the mean over its pictures. A grey picture is RGB with three equal channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidlift import metrics, resample
from vidlift.engines.base import Engine, PairPlanes
from vidlift.errors import InputError
from vidlift.evaluation import runtimes
from vidlift.rgb import rgb_of

Rgb: TypeAlias = NDArray[np.uint8]
"""A picture, full-range R'G'B', shape [H, W, 3]."""

Luma: TypeAlias = NDArray[np.float64]
"""Studio luma of a picture, shape [H, W], rounded or not."""

Enlarge: TypeAlias = Callable[[Rgb], Luma]
"""What is measured: the LR picture in, luma ``scale`` times as large out."""

SUFFIXES = frozenset({".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})

DEEP = 1 << 8
"""Steps of 16 bits in one of 8."""

_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One picture of a set. Treat the arrays as read-only: they are shared."""

    name: str
    low: Rgb
    """What a network is given."""

    luma: Luma
    """What its answer is compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Means over a set of pictures."""

    psnr: float
    """dB, on luma."""

    ssim: float
    pictures: int
    skipped: tuple[str, ...] = ()
    """Names of those that are too small to be measured."""


def score(enlarge: Enlarge | Engine, folder: Path, *, scale: int) -> Score:
    """Measure a network, or an engine with a model loaded, on the pictures of a folder.

    The pictures are read and shrunk at the first call for a folder and scale, and kept in memory.
    Those too small for it are left out, and named. Raises ``InputError`` for a folder without
    pictures, or without any that are large enough.
    """
    take = enlarge if callable(enlarge) else through(_fitted(enlarge))
    found = cases(folder, scale)
    results = [(take(case.low), case.luma) for case in found]
    psnrs = [metrics.psnr(*both, border=scale) for both in results]
    return Score(
        psnr=float(np.mean(np.minimum(psnrs, metrics.CEILING))),
        ssim=float(np.mean([metrics.ssim(*both, border=scale) for both in results])),
        pictures=len(found),
        skipped=_too_small(folder, scale),
    )


def through(run: Callable[[PairPlanes], PairPlanes]) -> Enlarge:
    """A model of ours, given luma of 16 bits as ``Upscaler.luma`` takes it, paired with
    itself; rounded to 8 bits in the end."""

    def enlarge(low: Rgb) -> Luma:
        y = np.rint(DEEP * studio_luma(low)).astype(np.uint16)
        big: Luma = np.rint(run(np.stack([y, y])[None])[0, 0] / DEEP)
        return big

    return enlarge


def bicubic(scale: int) -> Enlarge:
    """The published baseline: the RGB picture is interpolated, then its luma taken."""

    def enlarge(low: Rgb) -> Luma:
        height, width, _ = low.shape
        return studio_luma(_resize(low, (scale * width, scale * height)))

    return enlarge


@lru_cache(maxsize=16)
def cases(folder: Path, scale: int) -> tuple[Case, ...]:
    """The pictures of a folder by name, cropped and shrunk, but those too small."""
    found = tuple(_case(path, scale) for path in _large_enough(folder, scale))
    if not found:
        raise InputError(f"{folder}: {too_small(_too_small(folder, scale), scale)}")
    return found


def too_small(names: Sequence[str], scale: int) -> str:
    """What there is to say of these pictures."""
    least = _least(scale)
    return (
        f"too small to be measured at x{scale}, where {least}x{least} is the least: "
        + ", ".join(names)
    )


@lru_cache(maxsize=16)
def _sizes(folder: Path) -> dict[Path, int]:
    """The shorter side of each picture of a folder, by name."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"no pictures in {folder}; looked for {', '.join(sorted(SUFFIXES))}")
    sizes = {}
    for path in files:
        with _opened(path) as picture:
            sizes[path] = min(picture.size)
    return sizes


def _least(scale: int) -> int:
    """The shortest side that leaves room for SSIM once it is cropped and its border cut."""
    return -(-(2 * scale + metrics.SSIM_LEAST) // scale) * scale


def _large_enough(folder: Path, scale: int) -> list[Path]:
    return [path for path, side in _sizes(folder).items() if side >= _least(scale)]


def _too_small(folder: Path, scale: int) -> tuple[str, ...]:
    return tuple(path.name for path, side in _sizes(folder).items() if side < _least(scale))


def studio_luma(rgb: NDArray[Any]) -> Luma:
    """BT.601 luma in studio range, not rounded, of full-range R'G'B' [H, W, 3] in 0 .. 255."""
    luma: Luma = 16 + rgb @ _WEIGHTS
    return luma


def _fitted(engine: Engine) -> runtimes.Run:
    of = engine.descriptor
    return runtimes.fitted(partial(engine.run, bits=16), scale=of.scale, multiple_of=of.multiple_of)


def _case(path: Path, scale: int) -> Case:
    with _opened(path) as picture:
        if picture.mode == "F" or picture.mode.startswith("I"):
            raise InputError(f"{path} has samples of 16 bits or more; pictures of 8 are measured")
        high = np.asarray(rgb_of(picture))
    height, width = (side - side % scale for side in high.shape[:2])
    high = high[:height, :width]
    low = _resize(high, (width // scale, height // scale))
    return Case(name=path.name, low=low, luma=studio_luma(high))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A picture, and whatever is wrong with it, however Pillow says so, as an ``InputError``."""
    try:
        with Image.open(path) as picture:
            yield picture
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"cannot read the picture {path}: {error}") from error


def _resize(rgb: Rgb, size: tuple[int, int]) -> Rgb:
    return np.stack([resample.resize(rgb[..., i], size) for i in range(3)], axis=-1)
