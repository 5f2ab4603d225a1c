"""Draws what lies over the film: panels of text, the bar, labels. Pictures only, no state.

Pillow is loaded with the first that is drawn: most films are watched without.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidlift.player.lettering import Letters, lines

Rgba = NDArray[np.uint8]
"""Red, green, blue and opacity, [H, W, 4]."""

Rows = Sequence[tuple[str, str]]

SMALLEST = 8
"""Height in dots of the smallest letters that are used to make something fit."""

LINES_MAX = 4
"""Lines that a subtitle is broken into at most before its letters become smaller."""

GROUND = (12, 14, 18, 190)
INK = (255, 255, 255, 255)
DIM = (176, 184, 196, 255)
ACCENT = (88, 176, 255, 255)


def text_size(area: tuple[int, int]) -> int:
    """Height of letters for a window of that size, in dots."""
    return max(13, min(area[1] // 36, area[0] // 48))


def panel(rows: Rows, *, size: int, room: tuple[int, int] | None = None) -> Rgba:
    """Two columns of text on a dark ground.

    Where they do not fit into so much room, the rows lie in two parts side by side, or the letters
    are smaller, whichever leaves them larger.
    """
    from PIL import ImageDraw

    for smaller, parts in product(range(size, SMALLEST - 1, -1), (1, 2)):
        made = _Table(rows, smaller, parts=parts)
        if room is None or (made.width <= room[0] and made.height <= room[1]):
            break
    picture = _ground(made.width, made.height)
    made.draw(ImageDraw.Draw(picture))
    return np.asarray(picture)


class _Table:
    """Rows of two columns, the lower half of them beside the upper where there are two parts."""

    def __init__(self, rows: Rows, size: int, *, parts: int = 1) -> None:
        self._size, self._margin, self._line = size, size * 3 // 4, size * 3 // 2
        self._letters = Letters(size)
        most = max(1, -(-len(rows) // parts))
        self._parts = [rows[at : at + most] for at in range(0, len(rows), most)] or [()]
        self._lefts = [self._widest(name for name, _ in part) for part in self._parts]
        gaps = [size if left else 0 for left in self._lefts]
        self._values = [left + gap for left, gap in zip(self._lefts, gaps, strict=True)]
        self._widths = [
            value + self._widest(text for _, text in part)
            for value, part in zip(self._values, self._parts, strict=True)
        ]
        between = 2 * size * (len(self._parts) - 1)
        self.width = 2 * self._margin + sum(self._widths) + between
        self.height = 2 * self._margin + self._line * most - self._line // 4

    def _widest(self, texts: Iterable[str]) -> int:
        return max((self._letters.width(text) for text in texts), default=0)

    def draw(self, draw: Any) -> None:
        x = self._margin
        for part, value, width in zip(self._parts, self._values, self._widths, strict=True):
            for index, (name, text) in enumerate(part):
                y = self._margin + index * self._line
                self._letters.draw(draw, (x, y), name, ink=DIM)
                self._letters.draw(draw, (x + value, y), text, ink=INK)
            x += width + 2 * self._size


def label(text: str, *, size: int, room: int | None = None) -> Rgba:
    """Text on a dark ground, in one line, or in as many as a width asks for."""
    if room is None:
        return panel([("", text)], size=size)
    broken = lines(text, Letters(size), room=max(4 * size, room - 2 * size))
    return panel([("", line) for line in broken], size=size)


def subtitle(text: str, *, size: int, room: tuple[int, int]) -> Rgba:
    """Lines of text, centred, white with a black outline.

    Lines wider than the room are broken; where too many come of it, or they are too high, the
    letters become smaller.
    """
    from PIL import Image, ImageDraw

    most = max(LINES_MAX, text.count("\n") + 1)
    while True:
        letters, stroke, line = Letters(size), max(1, size // 12), size * 5 // 4
        broken = lines(text, letters, room=room[0] - 2 * stroke, balanced=True)
        height = line * len(broken) + 2 * stroke
        if size <= SMALLEST or (len(broken) <= most and height <= room[1]):
            break
        size = max(SMALLEST, size * 7 // 8)
    widths = [letters.width(each) for each in broken]
    width = max(widths) + 2 * stroke
    picture = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(picture)
    for index, (each, wide) in enumerate(zip(broken, widths, strict=True)):
        at = (width - wide) // 2, stroke + index * line
        letters.draw(draw, at, each, ink=INK, stroke=stroke)
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
    letters = Letters(size)
    letters.draw(draw, (end + size, y - letters.ascent // 2 - size // 8), text, ink=INK)
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
