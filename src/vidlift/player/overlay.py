"""Draws what lies over the film: panels of text, the bar, labels. Pictures only, no state.

Pillow is loaded with the first that is drawn: most films are watched without.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rgba = NDArray[np.uint8]
"""Red, green, blue and opacity, [H, W, 4]."""

Rows = Sequence[tuple[str, str]]

FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "Helvetica.ttc")
"""Looked for in this order; the font that comes with Pillow is there always."""

GROUND = (12, 14, 18, 190)
INK = (255, 255, 255, 255)
DIM = (176, 184, 196, 255)
ACCENT = (88, 176, 255, 255)


def text_size(area: tuple[int, int]) -> int:
    """Height of letters for a window of that size, in dots."""
    return max(13, min(area[1] // 36, area[0] // 48))


def panel(rows: Rows, *, size: int) -> Rgba:
    """Two columns of text on a dark ground."""
    from PIL import ImageDraw

    font = _font(size)
    left = max((_width(font, name) for name, _ in rows), default=0)
    right = max((_width(font, value) for _, value in rows), default=0)
    gap, margin, line = (size if left else 0), size * 3 // 4, size * 3 // 2
    picture = _ground(2 * margin + left + gap + right, 2 * margin + line * len(rows) - line // 4)
    draw = ImageDraw.Draw(picture)
    for index, (name, value) in enumerate(rows):
        y = margin + index * line
        draw.text((margin, y), name, font=font, fill=DIM)
        draw.text((margin + left + gap, y), value, font=font, fill=INK)
    return np.asarray(picture)


def label(text: str, *, size: int) -> Rgba:
    """One line of text on a dark ground."""
    return panel([("", text)], size=size)


def subtitle(text: str, *, size: int) -> Rgba:
    """Lines of text, centred, white with a black outline."""
    from PIL import Image, ImageDraw

    font, stroke = _font(size), max(1, size // 12)
    probe = ImageDraw.Draw(Image.new("RGBA", (1, 1)))
    box = probe.multiline_textbbox((0, 0), text, font=font, stroke_width=stroke, align="center")
    picture = Image.new("RGBA", (int(box[2] - box[0]) + 1, int(box[3] - box[1]) + 1))
    ImageDraw.Draw(picture).multiline_text(
        (-box[0], -box[1]),
        text,
        font=font,
        fill=INK,
        stroke_width=stroke,
        stroke_fill=(0, 0, 0, 255),
        align="center",
    )
    return np.asarray(picture)


def bar_box(area: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where the bar lies: x, y, width and height."""
    size = text_size(area)
    height = size * 5 // 2
    return size, area[1] - height - size, max(1, area[0] - 2 * size), height


def bar(share: float, text: str, *, area: tuple[int, int]) -> Rgba:
    """How much of the film has been shown, and in words."""
    from PIL import ImageDraw

    _, _, width, height = bar_box(area)
    size = text_size(area)
    picture = _ground(width, height)
    draw = ImageDraw.Draw(picture)
    left, right = bar_track(area)
    x = left - bar_box(area)[0]
    end, y = x + right - left, height // 2
    draw.rounded_rectangle((x, y - 3, end, y + 2), 3, fill=(255, 255, 255, 70))
    at = x + round((end - x) * min(max(share, 0), 1))
    draw.rounded_rectangle((x, y - 3, max(at, x + 1), y + 2), 3, fill=ACCENT)
    draw.ellipse((at - size // 3, y - size // 3, at + size // 3, y + size // 3), fill=INK)
    font = _font(size)
    draw.text((end + size, y), text, font=font, fill=INK, anchor="lm")
    return np.asarray(picture)


def bar_track(area: tuple[int, int]) -> tuple[int, int]:
    """First and last x, in the window's area, of the line that stands for the film."""
    x, _, width, _ = bar_box(area)
    size = text_size(area)
    return x + size, max(x + size + 1, x + width - 11 * size)


def bar_share(at: tuple[int, int], *, area: tuple[int, int]) -> float | None:
    """Which share of the film a point of the window stands for, None beside the bar."""
    x, y, width, height = bar_box(area)
    if not (x <= at[0] < x + width and y <= at[1] < y + height):
        return None
    left, right = bar_track(area)
    return min(max((at[0] - left) / (right - left), 0.0), 1.0)


def clock_text(seconds: float) -> str:
    """``1:02:03``, or ``2:03`` below an hour."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _ground(width: int, height: int) -> Any:
    from PIL import Image, ImageDraw

    picture = Image.new("RGBA", (width, height))
    ImageDraw.Draw(picture).rounded_rectangle((0, 0, width - 1, height - 1), 8, fill=GROUND)
    return picture


@cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _width(font: Any, text: str) -> int:
    return int(np.ceil(font.getlength(text)))
