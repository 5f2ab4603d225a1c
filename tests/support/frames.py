"""Frames out of nothing."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from vidlift.frame import Frame, chroma_shape


def make_frame(
    pts: Fraction | int = 0,
    *,
    size: tuple[int, int] = (32, 24),
    layout: str = "yuv420p",
    bits: int = 8,
    seed: int = 0,
    **fields: Any,
) -> Frame:
    """A frame of noise in studio range; ``fields`` are further ones of ``Frame``."""
    width, height = size
    shapes = [(height, width)]
    if layout != "gray":
        shapes += [chroma_shape((height, width), layout)] * 2
    rng = np.random.default_rng(seed)
    low, high = (code << (bits - 8) for code in (16, 235))
    kind = np.uint8 if bits == 8 else np.uint16
    return Frame(
        planes=tuple(rng.integers(low, high + 1, shape, dtype=kind) for shape in shapes),
        pts=Fraction(pts),
        duration=fields.pop("duration", Fraction(1, 24)),
        bits=bits,
        **fields,
    )


def letters(text: str) -> list[Frame]:
    """A frame for each letter, a 24th of a second apart; its ``seed`` is the letter's number."""
    return [make_frame(Fraction(index, 24), seed=ord(letter)) for index, letter in enumerate(text)]
