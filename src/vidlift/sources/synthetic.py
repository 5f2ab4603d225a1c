"""A source that computes its frames: any size, rate and length, no file needed."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import gcd

import numpy as np

from vidlift.frame import Frame, Plane
from vidlift.video import VideoInfo


class SyntheticSource:
    """A zone plate that drifts: every spatial frequency, every direction, smooth motion."""

    def __init__(
        self,
        *,
        width: int = 480,
        height: int = 270,
        frames: int = 48,
        rate: Fraction = Fraction(24),
        bits: int = 8,
        start: Fraction = Fraction(0),
    ) -> None:
        self._start = start
        self.lost: dict[str, int] = {}
        self.info = VideoInfo(
            width=width,
            height=height,
            bits=bits,
            layout="yuv420p",
            codec="raw",
            time_base=_common_unit(1 / rate, start),
            rate=rate,
            frames=frames,
            duration=frames / rate,
        )

    def __iter__(self) -> Iterator[Frame]:
        info = self.info
        assert info.frames is not None
        assert info.rate is not None
        for index in range(info.frames):
            yield Frame(
                planes=(
                    self._plane(index, info.width, info.height, np.pi / 2),
                    self._plane(index, -(-info.width // 2), -(-info.height // 2), np.pi / 6),
                    self._plane(-index, -(-info.width // 2), -(-info.height // 2), np.pi / 6),
                ),
                pts=self._start + index / info.rate,
                duration=1 / info.rate,
                bits=info.bits,
            )

    def close(self) -> None:
        """Nothing is held."""

    def _plane(self, index: int, width: int, height: int, steepness: float) -> Plane:
        """A zone plate in studio-range code values; its phase grows by 1/10 turn a frame."""
        y = (np.arange(height, dtype=np.float32)[:, None] - height / 2) ** 2 / height
        x = (np.arange(width, dtype=np.float32)[None, :] - width / 2) ** 2 / width
        wave = np.cos(steepness * (x + y) + 2 * np.pi * index / 10)
        code = (126 + 109 * wave) * (1 << (self.info.bits - 8))
        return code.astype(np.uint8 if self.info.bits == 8 else np.uint16)


def _common_unit(a: Fraction, b: Fraction) -> Fraction:
    """The largest unit of which both are multiples."""
    return Fraction(
        gcd(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator
    )
