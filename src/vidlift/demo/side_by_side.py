"""One detail of several versions of a picture, side by side, none of them scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vidlift.errors import OutputError
from vidlift.frame import Plane

SIDE = 400
"""Width and height of the detail, in samples."""

STEP = 40
"""Samples between the places that are looked at for the detail."""

TITLE = 28
GAP = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    title: str
    rgb: NDArray[np.uint8]
    """``[H, W, 3]``; all panels have one size."""


def save_side_by_side(where: Path, panels: Sequence[Panel], *, like: Plane) -> None:
    """Write a PNG of the busiest part of ``like``, from each panel. Raises ``OutputError``."""
    top, left = busiest(like)
    height = TITLE + min(SIDE, like.shape[0])
    sheet = Image.new("RGB", ((SIDE + GAP) * len(panels) - GAP, height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=16)
    for index, panel in enumerate(panels):
        x = index * (SIDE + GAP)
        draw.text((x + 2, 4), panel.title, fill="black", font=font)
        detail = panel.rgb[top : top + SIDE, left : left + SIDE]
        sheet.paste(Image.fromarray(np.ascontiguousarray(detail)), (x, TITLE))
    try:
        sheet.save(where)
    except OSError as error:
        raise OutputError(f"cannot write {where}: {error.strerror or error}") from error


def busiest(luma: Plane) -> tuple[int, int]:
    """Top and left of the square of ``SIDE`` in which neighbours differ most."""
    values = luma.astype(np.float32)
    busy = np.abs(np.diff(values, axis=1))[:-1] + np.abs(np.diff(values, axis=0))[:, :-1]
    total = np.pad(busy.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    rows = range(0, max(1, busy.shape[0] - SIDE), STEP)
    columns = range(0, max(1, busy.shape[1] - SIDE), STEP)

    def sum_of(place: tuple[int, int]) -> float:
        top, left = place
        bottom, right = min(top + SIDE, len(busy)), min(left + SIDE, busy.shape[1])
        corners = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
        return float(corners)

    return max(((top, left) for top in rows for left in columns), key=sum_of)
