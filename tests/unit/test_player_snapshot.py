"""The saved picture looks as the window shows it."""

from __future__ import annotations

import errno
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from io import FileIO
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from support.frames import make_frame
from vidlift.color import ColorTags, Siting
from vidlift.frame import Frame
from vidlift.player.schedule import Picture
from vidlift.player.snapshot import save
from vidlift.sinks.window import Window

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

ONE = 1 << 16


def spots(*, sar: Fraction = Fraction(1)) -> Frame:
    """Grey, brighter to the right and below, so that each way round is another picture."""
    frame = make_frame(size=(48, 32), sar=sar, color=ColorTags(matrix=1))
    down, across = np.mgrid[:32, :48]
    y = (40 + 3 * across + 2 * down).astype(np.uint8)
    grey = np.full((16, 24), 128, np.uint8)
    return replace(frame, planes=(y, grey, grey))


@pytest.mark.parametrize("sar", [Fraction(1), Fraction(4, 3), Fraction(1, 2)], ids=str)
@pytest.mark.parametrize(
    ("a", "b", "c", "d"),
    [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0), (-1, 0, 0, 1), (0, 1, 1, 0)],
    ids=["as it is", "clockwise", "upside down", "anticlockwise", "mirrored", "both"],
)
def test_it_has_the_shape_and_the_way_up_of_the_window(
    a: int, b: int, c: int, d: int, sar: Fraction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    matrix = (a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)
    frame = spots(sar=sar)
    info = SimpleNamespace(height=32, siting=Siting.LEFT, display_matrix=matrix)
    film: Any = SimpleNamespace(name="film.mp4", span=SimpleNamespace(start=0.0), info=info)
    assert save(Picture(frame=frame, by="m-x4"), film) == "saved film-0.00-m-x4.png"
    with Image.open(tmp_path / "film-0.00-m-x4.png") as picture:
        saved = np.asarray(picture).astype(int)
    with closing(Window("test", source_height=32, display_matrix=matrix, dummy=True)) as window:
        window.show(frame)
        shown = window.pixels().astype(int)
    assert saved.shape == shown.shape
    assert np.abs(saved - shown)[2:-2, 2:-2].max() <= 6, "rounding, and the way of stretching"


def test_a_full_disk_leaves_no_torn_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(FileIO):
        def write(self, data: Buffer, /) -> int:
            super().write(bytes(data)[:20])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "open", lambda where, mode: Full(where, mode))
    info = SimpleNamespace(height=32, siting=Siting.LEFT, display_matrix=None)
    film: Any = SimpleNamespace(name="film.mp4", span=SimpleNamespace(start=0.0), info=info)
    said = save(Picture(frame=spots(), by="m-x4"), film)
    assert said == "cannot write film-0.00-m-x4.png: No space left on device"
    assert not list(tmp_path.iterdir())
