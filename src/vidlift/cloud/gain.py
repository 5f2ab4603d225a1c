"""What super-resolution gains on a title, measured while the original is at hand.

For each segment two frames are decoded from each rung as a viewer will get them, brought to the
size of the original by bicubic interpolation and by each network, and compared with it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import closing

from vidlift import models
from vidlift.cloud.ladder import Rung
from vidlift.descriptor import SCALES
from vidlift.errors import ModelError
from vidlift.frame import Frame, Plane
from vidlift.metrics import psnr
from vidlift.resample import quick_resize
from vidlift.sources.file import FileSource
from vidlift.upscaler import Upscaler
from vidlift.video import VideoInfo

HIGHEST = 99.0
"""What is written for pictures without any difference: JSON has no infinity."""

TIERS = ("s", "m", "l", "xl")


def scale_for(rung: Rung, info: VideoInfo) -> int:
    """The smallest scale that brings a rung to the video's size, or the largest there is."""
    enough = [s for s in SCALES if s * rung.height >= info.height and s * rung.width >= info.width]
    return min(enough, default=max(SCALES))


class GainMeter:
    """Measures segments; holds a network a rung and tier. Use as ``pack.Measure``."""

    def __init__(self, info: VideoInfo, rungs: Iterable[Rung], *, tiers: Iterable[str]) -> None:
        """Tiers of which there is no network for a rung's scale are passed over."""
        self._size = info.width, info.height
        self._bits = info.bits
        self._rungs = tuple(rungs)
        self._ways: dict[str, list[Upscaler]] = {}
        opened: dict[str, Upscaler] = {}
        for rung in self._rungs:
            scale = scale_for(rung, info)
            wanted = [f"{models.BICUBIC}-x{scale}", *(f"{tier}-x{scale}" for tier in tiers)]
            for name in wanted:
                if name not in opened and (model := _load(name)) is not None:
                    opened[name] = Upscaler(model)
            self._ways[rung.name] = [opened[name] for name in wanted if name in opened]
        self._opened = opened

    @property
    def models(self) -> dict[str, str]:
        """SHA-256 of each network, by name."""
        return {name: way.model.sha256 for name, way in self._opened.items()}

    def __call__(
        self, segments: dict[str, bytes], originals: list[Frame]
    ) -> dict[str, dict[str, float]]:
        """PSNR-Y in dB by rung and model: the mean over ``originals``, at the title's times."""
        found = {}
        for rung in self._rungs:
            wanted = {frame.pts: frame for frame in originals}
            scores: dict[str, list[float]] = {}
            for small in _decoded(segments[rung.name]):
                if small.pts in wanted:
                    for way in self._ways[rung.name]:
                        quality = self._quality(way, small, wanted[small.pts])
                        scores.setdefault(way.descriptor.name, []).append(quality)
            found[rung.name] = {
                name: round(sum(values) / len(values), 3) for name, values in scores.items()
            }
        return found

    def close(self) -> None:
        for way in self._opened.values():
            way.close()

    def _quality(self, way: Upscaler, small: Frame, original: Frame) -> float:
        big = way.luma(small.luma[None], bits=small.bits)[0]
        shown = big if big.shape == original.luma.shape else quick_resize(big, self._size)
        found = psnr(_eight_bits(shown, small.bits), _eight_bits(original.luma, original.bits))
        return min(found, HIGHEST)


def _load(name: str) -> models.Model | None:
    if not name.startswith(models.BICUBIC) and name not in models.names():
        return None
    try:
        return models.load(name)
    except ModelError:
        return None


def _decoded(data: bytes) -> Iterable[Frame]:
    with closing(FileSource(io.BytesIO(data), name="a segment just made")) as source:
        yield from source


def _eight_bits(plane: Plane, bits: int) -> Plane:
    """Code values as if of 8 bits, fractions kept: figures of all depths are alike."""
    if bits == 8:
        return plane
    scaled: Plane = plane / float(1 << (bits - 8))
    return scaled


def is_needless(quality: float, smaller: Iterable[float], *, margin: float = 0.1) -> bool:
    """Whether a rung is no better, by more than ``margin`` dB, than a smaller one looks."""
    return any(other >= quality - margin for other in smaller)
