"""Where times jump, as where an encoder is started anew, a film goes on and loses nothing."""

from __future__ import annotations

import io
from contextlib import closing
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from support.clips import make_clip
from vidlift.sources.onward import Onward

RATE = Fraction(24)


def clip(where: Path, *, start: Fraction, frames: int = 36) -> bytes:
    return make_clip(where, frames=frames, rate=RATE, start=start, sounds=0).read_bytes()


@pytest.mark.parametrize("begins", ["0", "0.5", "0.75", "1.25", "2.25", "100", "9000"])
def test_no_picture_is_lost_where_times_jump(begins: str, tmp_path: Path) -> None:
    """The first part is shown from 1 to 2.5; ``begins`` is where the second one does."""
    parts = (
        clip(tmp_path / "a.ts", start=Fraction(1)),
        clip(tmp_path / "b.ts", start=Fraction(begins)),
    )
    with closing(Onward(cast(BinaryIO, io.BytesIO(b"".join(parts))))) as film:
        times = [frame.pts for frame in film.pictures]
        assert film.pictures.lost == {}
    assert len(times) == 72
    steps = [b - a for a, b in pairwise(times)]
    if begins != "100":  # so far on is a gap
        assert max(steps) < 3 / RATE
    assert min(steps) > 0


@pytest.mark.parametrize(
    "options", [{}, {"bf": "0"}, {"g": "6", "bf": "3", "x264opts": "open-gop"}]
)
def test_times_that_do_not_jump_are_left_alone(options: dict[str, str], tmp_path: Path) -> None:
    """Though parts that were encoded apart are decoded in times that overlap."""
    parts = []
    for number in range(4):
        where, start = tmp_path / f"{number}.ts", number + Fraction(1)
        make_clip(where, frames=24, rate=RATE, start=start, sounds=0, options=options or None)
        parts.append(where.read_bytes())
    with closing(Onward(cast(BinaryIO, io.BytesIO(b"".join(parts))))) as film:
        times = [frame.pts for frame in film.pictures]
    assert [time - times[0] for time in times] == [n / RATE for n in range(96)]
