"""What super-resolution gains on a title, measured while the original is at hand.

For each segment two frames are decoded from each rung as a viewer will get them, brought to the
size of the original in every way that a viewer may have, and compared with it:

    bilinear      what plain players do
    bicubic-x4    what ours does where it does not super-resolve
    m-x4          the network of a tier
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from statistics import fmean

import numpy as np
from PIL import Image

from vidlift import models, vmaf
from vidlift.cloud.ladder import Rung
from vidlift.descriptor import SCALES
from vidlift.frame import Frame, Plane
from vidlift.metrics import psnr
from vidlift.models import family
from vidlift.models.family import Training
from vidlift.resample import quick_resize
from vidlift.sources.file import FileSource
from vidlift.upscaler import Upscaler
from vidlift.video import VideoInfo

PLAIN = "bilinear"
"""The way of players that know nothing of super-resolution."""

MEASURES = ("psnr_y", "vmaf", "vmaf_neg")
"""Measures by their names in a card: dB, and twice 0 to 100. VMAF only where it is at hand."""

HIGHEST = 99.0
"""What is written for pictures without any difference: JSON has no infinity."""

Gain = dict[str, dict[str, dict[str, float]]]
"""Figures by rung, way and measure: means over the frames that were compared."""

_Way = Callable[[Sequence[Frame]], list[Plane]]


def scale_for(rung: Rung, info: VideoInfo) -> int:
    """The smallest scale that brings a rung to the video's size, or the largest there is."""
    enough = [s for s in SCALES if s * rung.height >= info.height and s * rung.width >= info.width]
    return min(enough, default=max(SCALES))


def networks(tiers: Iterable[str], scale: int) -> Iterator[str]:
    """Of each tier the one for what codecs leave; players take those of one tier for alike."""
    for tier in tiers:
        yield from family.members(models.names(), tier=tier, scale=scale, training=Training.CODED)[
            :1
        ]


class GainMeter:
    """Measures segments; holds a network a rung and tier. Use as ``pack.Measure``."""

    def __init__(self, info: VideoInfo, rungs: Iterable[Rung], *, tiers: Sequence[str]) -> None:
        """Tiers of which there is no network for a rung's scale are passed over."""
        self._size = info.width, info.height
        self._names: dict[str, list[str]] = {}
        self._opened: dict[str, Upscaler] = {}
        for rung in rungs:
            scale = scale_for(rung, info)
            wanted = [f"{models.BICUBIC}-x{scale}", *networks(tiers, scale)]
            for name in wanted:
                if name not in self._opened:
                    self._opened[name] = Upscaler(name)
            self._names[rung.name] = wanted

    @property
    def models(self) -> dict[str, str]:
        """SHA-256 of each network, by name."""
        return {name: way.model.sha256 for name, way in self._opened.items()}

    def __call__(self, segments: dict[str, bytes], originals: Sequence[Frame]) -> Gain:
        """Compare coded segments, by rung, with original frames, at the title's times."""
        return {
            rung: self._figures(names, _frames_at(segments[rung], originals), originals)
            for rung, names in self._names.items()
        }

    def close(self) -> None:
        for way in self._opened.values():
            way.close()

    def _figures(
        self, names: list[str], small: Sequence[Frame], originals: Sequence[Frame]
    ) -> dict[str, dict[str, float]]:
        """Of one rung, by way and measure."""
        if not small:
            return {}
        ways: dict[str, _Way] = {PLAIN: self._bilinear}
        ways |= {name: self._by(self._opened[name]) for name in names}
        shown = {n: [_eight_bits(p, small[0].bits) for p in way(small)] for n, way in ways.items()}
        wanted = {frame.pts: frame for frame in originals}
        high = [_eight_bits(wanted[f.pts].luma, wanted[f.pts].bits) for f in small]
        found = {name: {"psnr_y": _psnr(planes, high)} for name, planes in shown.items()}
        if vmaf.is_there():
            for name, seen in _vmaf(shown, high).items():
                found[name] |= {"vmaf": round(seen.vmaf, 2), "vmaf_neg": round(seen.neg, 2)}
        return found

    def _bilinear(self, small: Sequence[Frame]) -> list[Plane]:
        pictures = (Image.fromarray(frame.luma.astype(np.float32)) for frame in small)
        resized = (p.resize(self._size, Image.Resampling.BILINEAR) for p in pictures)
        return [np.rint(np.asarray(p)).astype(small[0].luma.dtype) for p in resized]

    def _by(self, upscaler: Upscaler) -> _Way:
        def enlarge(small: Sequence[Frame]) -> list[Plane]:
            big = upscaler.luma(np.stack([f.luma for f in small]), bits=small[0].bits)
            return [p if p.shape == self._size[::-1] else quick_resize(p, self._size) for p in big]

        return enlarge


def _frames_at(data: bytes, originals: Sequence[Frame]) -> list[Frame]:
    """The frames of a coded segment that are shown when ``originals`` are."""
    wanted = {frame.pts for frame in originals}
    found = list[Frame]()
    with closing(FileSource(io.BytesIO(data), name="a segment just made")) as source:
        for frame in source:
            if frame.pts in wanted:
                found.append(frame)
            if len(found) == len(wanted):
                break
    return found


def _psnr(planes: Sequence[Plane], high: Sequence[Plane]) -> float:
    return round(fmean(min(psnr(*both), HIGHEST) for both in zip(planes, high, strict=True)), 3)


def _vmaf(shown: dict[str, list[Plane]], high: list[Plane]) -> dict[str, vmaf.Vmaf]:
    """One run for all ways, one after the other, so that each frame comes between others.

    What moves counts, and a first frame would count as one on which nothing does: so the run
    begins with a frame more.
    """
    planes = [plane for way in shown.values() for plane in way]
    each = iter(vmaf.measure_each([planes[-1], *planes], [high[-1], *high * len(shown)])[1:])
    return {name: vmaf.average([next(each) for _ in high]) for name in shown}


def _eight_bits(plane: Plane, bits: int) -> Plane:
    """Code values as if of 8 bits, fractions kept: figures of all depths are alike."""
    if bits == 8:
        return plane
    scaled: Plane = plane / float(1 << (bits - 8))
    return scaled


def is_needless(quality: float, smaller: Iterable[float], *, margin: float = 0.1) -> bool:
    """Whether a rung is no better, by more than ``margin`` dB, than a smaller one looks."""
    return any(other >= quality - margin for other in smaller)
