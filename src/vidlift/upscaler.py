"""Pictures in, bigger pictures out: a network for luma, bicubic for chroma."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidlift import models
from vidlift.color import Siting
from vidlift.descriptor import Descriptor
from vidlift.engines import open_engine
from vidlift.engines.base import MIN_SIDE, Engine, PairPlanes
from vidlift.errors import UsageError
from vidlift.frame import Frame, Plane, chroma_shape
from vidlift.models import auto
from vidlift.models.reach import reach

DEFAULT_SCALE = 4


class Upscaler:
    """Super-resolves by the scale of its model, on one engine.

    Legend: n pictures, H and W their height and width, s the scale. Results are new arrays.
    Not thread-safe: one caller at a time. Use it as a context manager, or ``close`` it.
    """

    def __init__(
        self,
        model: str | models.Model = auto.AUTO,
        *,
        scale: int | None = None,
        stream: auto.Stream | None = None,
        engine: str = "auto",
        threads: int | None = None,
        siting: Siting = Siting.LEFT,
        chroma_of: Upscaler | None = None,
    ) -> None:
        """``model`` is a name of the catalogue or an ``.onnx`` file; ``siting`` is that of 4:2:0.

        With ``auto`` it is the network of tier ``m`` for ``scale``, 4 unless said, that suits
        ``stream``: for pictures that went through no codec where that is not given.
        ``chroma_of`` is another of the same scale whose engines for chroma serve this one too,
        which is closed after this one and used by the same caller. Raises ``ModelError`` for a
        model that is unknown or not one of ours.
        """
        if model == auto.AUTO:
            model = auto.choose(stream, scale=scale or DEFAULT_SCALE).name
        self.model = model if isinstance(model, models.Model) else models.load(model)
        if scale not in (None, self.scale):
            raise UsageError(f"model {self.descriptor.name} is for scale {self.scale}, not {scale}")
        self._options: dict[str, Any] = {"engine": engine, "threads": threads}
        self._siting = siting
        self._luma = open_engine(self.model, **self._options)
        self._chroma: dict[Siting, Engine] = {}
        self._chroma_of = chroma_of

    @property
    def descriptor(self) -> Descriptor:
        return self.model.descriptor

    @property
    def scale(self) -> int:
        return self.descriptor.scale

    @property
    def engine(self) -> str:
        """Name and version of the engine that runs the network."""
        return self._luma.name

    def luma(self, y: NDArray[Any], *, bits: int | None = None) -> NDArray[Any]:
        """``uint8 | uint16 [n, H, W] -> [n, s*H, s*W]``; ``uint16`` is 10 bits unless said."""
        depth = bits or (8 if y.dtype == np.uint8 else 10)
        kind = np.uint8 if depth == 8 else np.uint16
        if y.ndim != 3 or 0 in y.shape[1:] or y.dtype != kind or not 8 <= depth <= 16:
            raise UsageError(
                "luma is [n, H, W], uint8 of 8 bits or uint16 of 9 to 16, "
                f"got {list(y.shape)}, {y.dtype}" + ("" if bits is None else f" of {bits}")
            )
        out = np.empty((len(y), y.shape[1] * self.scale, y.shape[2] * self.scale), y.dtype)
        for i in range(0, len(y), 2):
            couple = y[i : i + 2]
            out[i : i + 2] = self._run(self._luma, list(couple), depth)
        return out

    @property
    def reach(self) -> int | None:
        """Input samples on each side that a sample of luma depends on; None: nobody knows."""
        return reach(self.model)

    @property
    def least_side(self) -> int:
        """Height and width of the smallest plane that is given to the network as it is."""
        return MIN_SIDE

    @property
    def any_size(self) -> bool:
        """Whether the engine runs parts of pictures at their share of the cost."""
        return self._luma.any_size

    @property
    def same_in_parts(self) -> bool:
        """Whether the engine makes of a part, bit for bit, what it makes of it in the picture."""
        return self._luma.same_in_parts

    def planned(self, size: tuple[int, int], *, bits: int) -> bool:
        """Whether parts of luma of such a height and width can be made with nothing compiled."""
        return self._luma.planned(size, bits=bits)

    def plan(self, size: tuple[int, int], *, bits: int) -> None:
        """Compile a piece of what they need: again until they are ``planned``. One other thread may
        call it while this one makes pictures.
        """
        self._luma.plan(size, bits=bits)

    def luma_planes(self, planes: Sequence[Plane], *, bits: int) -> PairPlanes:
        """Planes of luma [H, W], or parts of them, of one size -> [n, s*H, s*W]."""
        return self._run(self._luma, planes, bits)

    def chroma_planes(self, planes: Sequence[Plane], *, layout: str, bits: int) -> PairPlanes:
        """One or two planes of chroma of a frame of that layout -> [n, s*H, s*W]."""
        # 4:2:2 is sub-sampled across only, as LEFT is; the rows of 4:4:4 and 4:2:2 lie in line.
        siting = Siting.CENTER if layout == "yuv444p" else self._siting
        if layout == "yuv422p" and siting is Siting.TOPLEFT:
            siting = Siting.LEFT
        return self._run(self._kernel(siting), planes, bits)

    def pair(self, first: Frame, second: Frame) -> tuple[Frame, Frame]:
        """Two consecutive frames of one size, layout and depth; the same two, super-resolved.

        ``second`` may be ``first`` itself: a frame that stands alone.
        """
        if first.form != second.form:
            raise UsageError(
                f"frames of a pair have one size, layout and depth, got {first} and {second}"
            )
        apart = (first, second)[: 1 if second is first else 2]
        lumas = self.luma_planes([frame.luma for frame in apart], bits=first.bits)
        one = self._with_chroma(first, lumas[0])
        return one, one if second is first else self._with_chroma(second, lumas[1])

    def frame(self, frame: Frame) -> Frame:
        return self.pair(frame, frame)[0]

    def warm(self, first: Frame, second: Frame) -> None:
        """Load and compile the network for such frames; only an engine that compiles nothing ahead
        runs it, too. Touches no engine for chroma.
        """
        size, bits = _filled_up(first.luma.shape, self._luma), first.bits
        if self.planned(size, bits=bits):
            self.luma_planes([first.luma, second.luma], bits=bits)
        while not self.planned(size, bits=bits):
            self.plan(size, bits=bits)

    def rest(self) -> None:
        """Give back memory that only running needs, until it runs again. Touches no engine for
        chroma.
        """
        self._luma.rest()

    def picture(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """``uint8 [H, W, 3]`` sRGB -> ``[s*H, s*W, 3]``.

        R', G' and B' go through the network one by one, as luma of 16 bits in studio range would:
        three times the work of a frame of video, for colours as sharp as the rest, and luma
        0.1 dB nearer at four times (``benchmarks/colour.py``).
        """
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise UsageError(f"a picture is uint8 [H, W, 3], got {rgb.dtype} {list(rgb.shape)}")
        planes = np.rint(_BLACK + _STEP * np.moveaxis(rgb, -1, 0)).astype(np.uint16)
        big = (np.moveaxis(self._run(self._luma, list(planes), 16), 0, -1) - _BLACK) / _STEP
        rounded: NDArray[np.uint8] = np.rint(big).clip(0, 255).astype(np.uint8)
        return rounded

    def close(self) -> None:
        for engine in (self._luma, *self._chroma.values()):
            engine.close()

    def __enter__(self) -> Upscaler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _with_chroma(self, frame: Frame, luma: Plane) -> Frame:
        if len(frame.planes) == 1:
            return replace(frame, planes=(luma,))
        chroma = self.chroma_planes(frame.planes[1:], layout=frame.layout, bits=frame.bits)
        # An odd side has half a chroma sample too many, and as many times more as it grows.
        height, width = chroma_shape(luma.shape, frame.layout)
        return replace(frame, planes=(luma, *chroma[:, :height, :width]))

    def _kernel(self, siting: Siting) -> Engine:
        if self._chroma_of is not None:
            return self._chroma_of._kernel(siting)
        if siting not in self._chroma:
            kernel = models.kernel(scale=self.scale, siting=siting)
            self._chroma[siting] = open_engine(kernel, **self._options)
        return self._chroma[siting]

    def _run(self, engine: Engine, apart: Sequence[Plane], bits: int) -> PairPlanes:
        """Planes [H, W] -> [n, s*H, s*W]; what is smaller than a model takes is padded."""
        height, width = apart[0].shape
        planes = np.stack(apart)[None]
        rows, columns = _filled_up((height, width), engine)
        if (rows, columns) != (height, width):
            margin = [(0, 0), (0, 0), (0, rows - height), (0, columns - width)]
            planes = np.pad(planes, margin, mode="edge")
        big: PairPlanes = engine.run(planes, bits=bits)[0]
        return big[:, : height * self.scale, : width * self.scale]


def _filled_up(shape: tuple[int, ...], engine: Engine) -> tuple[int, int]:
    """Height and width of the planes that a model is given for planes of a shape."""
    whole = engine.descriptor.multiple_of
    height, width = (side + -side % whole for side in np.maximum(shape, MIN_SIDE).tolist())
    return height, width


_BLACK = 16 * 256.0
_STEP = 219 / 255 * 256
"""Studio range in 16 bits: code value of black, and a step of 8 bits full range."""
