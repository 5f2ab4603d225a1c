"""Letters and lines: a font of this machine that has what a text needs, and lines that fit.

Pillow is loaded with the first text: most films are watched without.
"""

from __future__ import annotations

import shutil
import subprocess
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, Protocol
from unicodedata import bidirectional, category, east_asian_width

import numpy as np

FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "Helvetica.ttc")
"""Looked for in this order; the font that comes with Pillow is there always."""

OTHERS = (
    *("PingFang.ttc", "Hiragino Sans GB.ttc", "AppleSDGothicNeo.ttc", "Arial Unicode.ttf"),
    *("GeezaPro.ttc", "Kohinoor.ttc", "Thonburi.ttc"),
    *("msyh.ttc", "YuGothM.ttc", "malgun.ttf", "segoeui.ttf", "Nirmala.ttf", "Nirmala.ttc"),
    *("LeelawUI.ttf", "seguisym.ttf", "NotoSansCJK-Regular.ttc"),
)
"""With the letters of other scripts, where macOS and Windows have them and there is no fontconfig
to ask."""

ASKING = 2.0
"""Seconds that fontconfig may take to answer."""

PROBED = 16
"""Size in which a font is asked for a letter."""

NO_LETTER = "\U0010fffd"
"""What no font has, so that it looks like all that a font lacks."""

INVISIBLE = {"Cc", "Cf", "Mn", "Me", "Zs", "Zl", "Zp", "Cn", "Co", "Cs"}
"""Kinds of characters that no font needs to have."""

NOT_FIRST = "、。，．・：；？！…ー～」』）］｝〉》】〕”’,.:;?!)]}"
"""What stays on the line of what it follows."""

Face = tuple[str, int]
"""A file, or the name of one that Pillow finds, and which of the fonts in it."""


class Wide(Protocol):
    """What lines are measured with: ``Letters``."""

    def width(self, text: str) -> int: ...


class Letters:
    """Letters of a size, each from a font that has it."""

    def __init__(self, size: int) -> None:
        """``size`` is the height in dots of a line without what is between lines."""
        self._size = size

    @property
    def ascent(self) -> int:
        """Dots from the top of a line to where its letters stand."""
        ascent: int = _opened(_first(), self._size).getmetrics()[0]
        return ascent

    def width(self, text: str) -> int:
        """Dots that a line takes."""
        return int(np.ceil(sum(font.getlength(run) for font, run in self._runs(text))))

    def draw(self, draw: Any, at: tuple[int, int], text: str, *, ink: Any, stroke: int = 0) -> None:
        """Draw a line on a picture, from the upper left corner of its first letter, with a black
        outline of so many dots.
        """
        x, y = float(at[0]), at[1] + self.ascent
        for font, run in self._runs(text):
            where = (round(x), y)
            outline = {"stroke_width": stroke, "stroke_fill": (0, 0, 0, 255)} if stroke else {}
            draw.text(where, run, font=font, fill=ink, anchor="ls", **outline)
            x += font.getlength(run)

    def _runs(self, text: str) -> list[tuple[Any, str]]:
        """Parts of a line that are of one font, from left to right."""
        runs: list[tuple[Face, str]] = []
        _find_homes({c for c in text if category(c) not in INVISIBLE})
        for c in text:
            home = _homes.get(c)
            if runs and (home is None or home == runs[-1][0] or _has(runs[-1][0], c)):
                runs[-1] = runs[-1][0], runs[-1][1] + c
            else:
                runs.append((home or _first(), c))
        strong = (bidirectional(c) for c in text)
        if next((kind for kind in strong if kind in ("L", "R", "AL")), "L") != "L":
            runs.reverse()
        return [(_opened(face, self._size), run) for face, run in runs]


def lines(text: str, letters: Wide, *, room: int, balanced: bool = False) -> list[str]:
    """The lines of a text, those broken that are wider than so many dots.

    They are broken between words, and inside those that are too wide alone; a script that has no
    spaces is broken between any two letters. ``balanced``: so that the last line is not much
    shorter than those before it, where that can be had.
    """
    found: list[str] = []
    for line in text.split("\n"):
        parts = [_Part(part, letters) for part in _parts(line, letters, room)]
        made = _filled(parts, room)
        least = max(part.bare for part in parts)
        for twelfths in range(11, 5, -1) if balanced else ():
            narrower = room * twelfths // 12
            other = _filled(parts, narrower)
            if narrower < least or len(other) > len(made):
                break
            made = other
        found += made
    return found


class _Part:
    """What a line is not broken inside of, and how wide it is, with and without its last spaces."""

    __slots__ = ("bare", "text", "wide")

    def __init__(self, text: str, letters: Wide) -> None:
        bare = text.rstrip()
        self.text, self.bare = text, letters.width(bare)
        self.wide = self.bare if bare == text else letters.width(text)


def _filled(parts: Sequence[_Part], room: int) -> list[str]:
    """Lines of as many parts as there is room for."""
    found, made, wide = [], "", 0
    for part in parts:
        if made and wide + part.bare > room:
            found.append(made.rstrip())
            made, wide = "", 0
        made += part.text
        wide += part.wide
    return [*found, made.rstrip()]


def _parts(line: str, letters: Wide, room: int) -> Iterator[str]:
    """What a line may be broken between: words with the space after them, wide letters."""
    made = ""
    for before, c in pairwise(" " + line):
        opens = _wide(c) or _wide(before) or before == " "
        if made and opens and c != " " and c not in NOT_FIRST:
            yield from _pieces(made, letters, room)
            made = ""
        made += c
    yield from _pieces(made, letters, room)


def _pieces(word: str, letters: Wide, room: int) -> Iterator[str]:
    """A word as it is, or as much of it at a time as there is room for."""
    while len(word) > 1 and letters.width(word.rstrip()) > room:
        fitting = bisect_right(range(1, len(word)), room, key=lambda n: letters.width(word[:n]))
        yield word[: max(1, fitting)]
        word = word[max(1, fitting) :]
    yield word


def _wide(c: str) -> bool:
    return east_asian_width(c) in "WF"


_found: list[Face] = []
"""Fonts that were found for other scripts."""

_homes: dict[str, Face] = {}
"""For letters that were looked for, a font that has them, or the first where none does."""


def _find_homes(letters: set[str]) -> None:
    """Look for fonts for those letters that were not looked for yet."""
    lacking = letters - _homes.keys()
    for face in (_first(), *_found):
        lacking -= _settle(lacking, face)
    while lacking:
        for face in _others(frozenset(lacking)):
            if there := _settle(lacking, face):
                _found.append(face)
                lacking -= there
                break
        else:
            _homes.update(dict.fromkeys(lacking, _first()))
            return


def _settle(letters: set[str], face: Face) -> set[str]:
    """Take those letters from a font that it has; returns them."""
    there = {c for c in letters if _has(face, c)}
    _homes.update(dict.fromkeys(there, face))
    return there


@cache
def _first() -> Face:
    return next(((name, 0) for name in FONTS if _opens((name, 0))), ("", 0))


def _others(letters: frozenset[str]) -> Iterator[Face]:
    """Fonts of this machine that may have some of these letters, the one that has most first."""
    asked = shutil.which("fc-match")
    if asked is None:
        yield from ((name, 0) for name in OTHERS if _opens((name, 0)))
        return
    codes = " ".join(f"{ord(c):x}" for c in sorted(letters))
    try:
        answer = subprocess.run(
            [asked, "-f", "%{file}\n%{index}", f"sans-serif:charset={codes}"],
            capture_output=True,
            timeout=ASKING,
            check=True,
        ).stdout.decode()
        name, _, index = answer.rpartition("\n")
        face = name, int(index) & 0xFFFF  # above it is which form of a variable font
    except (OSError, ValueError, subprocess.SubprocessError):
        return
    if _opens(face):
        yield face


@cache
def _opens(face: Face) -> bool:
    try:
        _opened(face, PROBED)
    except OSError:
        return False
    return True


@cache
def _has(face: Face, letter: str) -> bool:
    return _drawn(face, letter) != _drawn(face, NO_LETTER)


def _drawn(face: Face, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = _opened(face, PROBED).getmask(letter)
    return mask.size, bytes(mask)


@cache
def _opened(face: Face, size: int) -> Any:
    """Raises ``OSError`` where there is none of that name, or not in such a size."""
    from PIL import ImageFont

    name, index = face
    return ImageFont.truetype(name, size, index) if name else ImageFont.load_default(size)
