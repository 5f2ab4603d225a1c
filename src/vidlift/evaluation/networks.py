"""Networks as the protocols see them: an RGB picture or frames of a clip in, luma out.

Both kinds run in a plain runtime, in float32 unless another is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidlift import models, resample
from vidlift.color import MATRIX_WEIGHTS, Range, matrix_for_display
from vidlift.engines import open_engine
from vidlift.engines.base import Engine, from_core, to_core
from vidlift.errors import ModelError
from vidlift.evaluation import pictures, runtimes
from vidlift.evaluation.pictures import Luma, Rgb
from vidlift.evaluation.runtimes import EXACT, Run, Setup
from vidlift.evaluation.subjects import Subject
from vidlift.frame import Frame
from vidlift.models import core


class Network(Protocol):
    """What the protocols measure. Not thread-safe; ``close`` it."""

    @property
    def scale(self) -> int: ...

    @property
    def paired(self) -> bool:
        """Whether frames are enlarged two at a time."""
        ...

    def picture(self, low: Rgb) -> Luma:
        """BT.601 studio luma of the picture, ``scale`` times as large, in 8-bit steps."""
        ...

    def frames(self, low: Sequence[Frame], *, first_pair: int = 0) -> Iterator[NDArray[Any]]:
        """Luma of each frame in its own range, ``scale`` times as large, 0 .. 255.

        Pairs start at the frame ``first_pair``, 0 or 1; a frame without a partner is paired with
        itself.
        """
        ...

    def close(self) -> None: ...


def open_network(subject: Subject, *, setup: Setup = EXACT, threads: int = 2) -> Network:
    """Load a subject. Raises ``ModelError`` where it cannot be run."""
    kind = Peer if subject.model is None else Ours
    return kind(subject, setup=setup, threads=threads)


class Bicubic:
    """The baseline, as published: RGB pictures, or planes of luma, interpolated."""

    paired = False

    def __init__(self, scale: int) -> None:
        self.scale = scale
        self.picture = pictures.bicubic(scale)

    def frames(self, low: Sequence[Frame], *, first_pair: int = 0) -> Iterator[NDArray[Any]]:
        size = self.scale * low[0].width, self.scale * low[0].height
        return (resample.resize(frame.luma, size) for frame in low)

    def close(self) -> None:
        """Nothing is held."""


class Ours:
    """A model of ours: two planes of luma at a time, as code values.

    Pictures go through its float core in 16 bits, as ``Upscaler.luma`` has it, frames through
    the whole graph in 8.
    """

    paired = True

    def __init__(self, subject: Subject, *, setup: Setup, threads: int) -> None:
        assert subject.model is not None
        self.scale = subject.scale
        self._run = _load(subject, setup, threads)
        self._core = runtimes.any_size(core.extract(subject.model), setup, threads=threads)
        self._deep = runtimes.fitted(
            self._through_core,
            scale=subject.scale,
            multiple_of=subject.multiple_of,
            name=subject.name,
        )

    def picture(self, low: Rgb) -> Luma:
        return pictures.through(self._deep)(low)

    def _through_core(self, planes: NDArray[Any]) -> NDArray[Any]:
        return from_core(self._core(to_core(planes, bits=16)), bits=16)

    def frames(self, low: Sequence[Frame], *, first_pair: int = 0) -> Iterator[NDArray[Any]]:
        starts = [0] * first_pair + list(range(first_pair, len(low), 2))
        for i, start in enumerate(starts):
            end = starts[i + 1] if i + 1 < len(starts) else len(low)
            couple = [low[start].luma, low[max(start, end - 1)].luma]
            # A copy: the runtime writes the next pair over this one.
            yield from self._run(np.stack(couple)[None])[0, : end - start].copy()

    def close(self) -> None:
        """Nothing is held that outlives it."""


class Peer:
    """A published network, one frame at a time, fed as its authors meant it.

    Input is not rounded to 8 bits after a change of colour space, output is.
    """

    paired = False

    def __init__(self, subject: Subject, *, setup: Setup, threads: int) -> None:
        self.subject = subject
        self.scale = subject.scale
        self._threads = threads
        self._chroma: Engine | None = None
        self._run = _load(subject, setup, threads)

    def picture(self, low: Rgb) -> Luma:
        if self.subject.takes == "rgb":
            return pictures.studio_luma(self._rgb(low / 255.0))
        return self._luma(pictures.studio_luma(low), black=16, span=219)

    def frames(self, low: Sequence[Frame], *, first_pair: int = 0) -> Iterator[NDArray[Any]]:
        return (self._frame(frame) for frame in low)

    def close(self) -> None:
        if self._chroma is not None:
            self._chroma.close()

    def _frame(self, frame: Frame) -> NDArray[Any]:
        black, span = (0, 255) if frame.color.range is Range.FULL else (16, 219)
        if self.subject.takes == "y":
            return self._luma(frame.luma.astype(np.float64), black=black, span=span)
        red, blue = MATRIX_WEIGHTS[matrix_for_display(frame.color, height=frame.height)]
        weights = np.array([red, 1 - red - blue, blue])
        big = self._rgb(_to_rgb(frame, self._large_chroma(frame), weights, black=black, span=span))
        luma: NDArray[np.float32] = (black + span * (big @ weights) / 255).astype(np.float32)
        return luma

    def _luma(self, y: Luma, *, black: int, span: int) -> Luma:
        if not self.subject.full_range:
            black, span = 0, 255
        low = ((y - black) / span)[None, None].astype(np.float32)
        return _to_codes(self._run(low)[0, 0].astype(np.float64) * span + black)

    def _rgb(self, low: NDArray[np.float64]) -> NDArray[np.float64]:
        """``[H, W, 3]`` in 0 .. 1 -> ``[s*H, s*W, 3]`` in 8-bit steps, 0 .. 255."""
        planes = np.ascontiguousarray(low.transpose(2, 0, 1)[None], np.float32)
        big = self._run(planes)[0].transpose(1, 2, 0)
        return _to_codes(big.astype(np.float64) * 255)

    def _large_chroma(self, frame: Frame) -> NDArray[Any]:
        """Both chroma planes at the luma's size, ``[2, H, W]``."""
        if frame.layout == "yuv444p":
            return np.stack(frame.planes[1:])
        if frame.layout != "yuv420p":
            raise ModelError(
                f"{self.subject.name} takes RGB, which {frame.layout} is not made into"
            )
        if self._chroma is None:
            kernel = models.kernel(scale=2)
            self._chroma = open_engine(kernel, engine="onnxruntime", threads=self._threads)
        both: NDArray[Any] = self._chroma.run(np.stack(frame.planes[1:])[None])[0]
        return both[:, : frame.height, : frame.width]


def _load(subject: Subject, setup: Setup, threads: int) -> Run:
    run = runtimes.any_size(subject.data, setup, threads=threads)
    return runtimes.fitted(
        run, scale=subject.scale, multiple_of=subject.multiple_of, name=subject.name
    )


def _to_rgb(
    frame: Frame, chroma: NDArray[Any], weights: NDArray[np.float64], *, black: int, span: int
) -> NDArray[np.float64]:
    """R'G'B' in 0 .. 1, ``[H, W, 3]``, of 8-bit Y'CbCr."""
    luma = (frame.luma.astype(np.float64) - black) / span
    blue_less, red_less = (chroma.astype(np.float64) - 128) / (255 if black == 0 else 224)
    red = luma + 2 * (1 - weights[0]) * red_less
    blue = luma + 2 * (1 - weights[2]) * blue_less
    green = (luma - weights[0] * red - weights[2] * blue) / weights[1]
    rgb: NDArray[np.float64] = np.stack([red, green, blue], axis=-1).clip(0, 1)
    return rgb


def _to_codes(values: NDArray[np.float64]) -> NDArray[np.float64]:
    rounded: NDArray[np.float64] = np.floor(np.clip(values, 0, 255) + 0.5)
    return rounded
