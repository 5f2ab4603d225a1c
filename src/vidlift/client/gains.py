"""What super-resolution gains at a moment of a published title, as its card says."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

WORTH = 0.1
"""Decibels of PSNR-Y over bicubic below which super-resolution is not worth its work."""


class Gains:
    """The measured gains of a title. Made from a card of any kind: what it lacks is not known."""

    def __init__(self, card: Mapping[str, Any]) -> None:
        self._starts: list[Fraction] = []
        self._psnr: dict[tuple[int, int], dict[str, list[float | None]]] = {}
        try:
            self._starts = [Fraction(row["start"]) for row in card["segments"]]
            for rendition in card["renditions"]:
                size = int(rendition["width"]), int(rendition["height"])
                self._psnr[size] = dict(rendition["psnr_y"]["segments"])
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            pass  # not measured, or not by us

    def gain(self, seconds: float, size: tuple[int, int], model: str) -> float | None:
        """Decibels that ``model`` gains over bicubic there; None where nobody measured.

        Networks of one tier and scale are taken for alike: ``m-x4-int8`` gains what ``m-x4`` does.
        """
        found = self._psnr.get(size, {})
        place = bisect_right(self._starts, seconds) - 1
        tier, _, rest = model.partition("-")
        scale = rest.partition("-")[0]
        alike = [name for name in found if f"{name}-".startswith(f"{tier}-{scale}-")]
        known = model if model in found else min(alike, default=model)
        try:
            ours, theirs = found[known][max(place, 0)], found[f"bicubic-{scale}"][max(place, 0)]
        except (KeyError, IndexError, TypeError):
            return None
        if not isinstance(ours, int | float) or not isinstance(theirs, int | float):
            return None
        return ours - theirs
