"""HDR and wide gamut on an ordinary screen: neutral stays neutral, order and black are kept."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from vidlift.sources.sdr import HLG, PQ, ToSdr, is_foreign

BLACK, WHITE, GREY = 64, 940, 512
"""Studio range of 10 bits."""


def picture(
    codes: list[tuple[int, int, int]], *, transfer: int, primaries: int = 9, matrix: int = 9
) -> av.VideoFrame:
    """A row of flat squares of 16 dots, 10 bit 4:2:0."""
    made = av.VideoFrame(16 * len(codes), 16, "yuv420p10le")
    for index, plane in enumerate(made.planes):
        side = 16 if index == 0 else 8
        row = np.repeat([code[index] for code in codes], side).astype("<u2")
        rows = np.frombuffer(memoryview(plane), "<u2").reshape(plane.height, -1)
        rows[:, : plane.width] = row
    tagged: Any = made
    tagged.color_trc, tagged.color_primaries, tagged.colorspace = transfer, primaries, matrix
    tagged.color_range = 1
    made.pts, made.time_base = 7, Fraction(1, 24)
    return made


def mapped(made: av.VideoFrame) -> list[tuple[int, int, int]]:
    """The squares' codes as an ordinary screen gets them."""
    found = ToSdr(time_base=Fraction(1, 24))(made)
    assert (found.pts, found.time_base) == (7, Fraction(1, 24))
    assert (found.format.name, found.width) == ("yuv420p10le", made.width)
    assert (int(found.colorspace), int(found.color_trc), int(found.color_primaries)) == (1, 1, 1)
    planes = [
        np.frombuffer(memoryview(p), "<u2").reshape(p.height, -1)[p.height // 2, : p.width]
        for p in found.planes
    ]
    columns = [
        plane[len(plane) // (made.width // 16) // 2 :: 16 // (1 + (i > 0))]
        for i, plane in enumerate(planes)
    ]
    return [(int(y), int(u), int(v)) for y, u, v in zip(*columns, strict=True)]


@pytest.mark.parametrize("transfer", [PQ, HLG], ids=["pq", "hlg"])
def test_grey_stays_grey_black_stays_black_and_brighter_stays_brighter(transfer: int) -> None:
    codes = [(y, GREY, GREY) for y in range(BLACK, WHITE + 1, 73)]
    found = mapped(picture(codes, transfer=transfer))
    lumas = [y for y, _, _ in found]
    assert lumas == sorted(lumas)
    assert abs(lumas[0] - BLACK) <= 4
    assert lumas[-1] <= WHITE + 4
    assert len(set(lumas)) > len(lumas) // 2, "bright light is rolled off, not cut off"
    assert max(abs(c - GREY) for _, u, v in found for c in (u, v)) <= 4


def test_wide_colours_become_stronger_numbers_of_the_narrower_space() -> None:
    # A muted green in BT.2020: the same light needs purer BT.709 numbers.
    muted = (500, 480, 470)
    ((_, u, v),) = mapped(picture([muted], transfer=14))
    assert u < 480
    assert v < 470


def test_ordinary_pictures_are_not_touched() -> None:
    made = picture([(500, 480, 470)], transfer=1, primaries=1, matrix=1)
    assert not is_foreign(made)
    assert ToSdr(time_base=Fraction(1, 24))(made) is made


@pytest.mark.parametrize(
    ("transfer", "primaries", "matrix"), [(PQ, 9, 9), (HLG, 9, 9), (14, 9, 9), (2, 2, 9)]
)
def test_what_is_foreign(transfer: int, primaries: int, matrix: int) -> None:
    made = picture([(500, 500, 500)], transfer=transfer, primaries=primaries, matrix=matrix)
    assert is_foreign(made)


def test_tags_may_change_on_the_way() -> None:
    to_sdr = ToSdr(time_base=Fraction(1, 24))
    for transfer, primaries in ((14, 9), (1, 1), (14, 9)):
        made = picture([(500, 480, 470)], transfer=transfer, primaries=primaries, matrix=primaries)
        assert int(to_sdr(made).colorspace) == 1
