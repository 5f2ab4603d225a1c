"""Small pictures to train on, made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def make_pictures(folder: Path, *, count: int = 3, side: int = 72) -> Path:
    """Write ``count`` PNGs of overlapping shapes, the same for the same numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    for index in range(count):
        picture = np.full((side, side, 3), 128, np.uint8)
        for _ in range(40):
            top, left, height, width = rng.integers(0, side, 4)
            picture[top : top + height // 3, left : left + width // 3] = rng.integers(0, 256, 3)
        Image.fromarray(picture).save(folder / f"made_{index}.png")
    return folder
