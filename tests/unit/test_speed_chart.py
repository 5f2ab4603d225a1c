"""The chart of ``vidlift bench``: written in the format of its ending, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.shared import require
from vidlift.errors import OutputError
from vidlift.evaluation.foretell import Speed
from vidlift.evaluation.speed_chart import draw


@pytest.fixture(autouse=True)
def _charts() -> None:
    require("charts")


def speed(scale: int, *, ours: bool = True) -> Speed:
    return Speed(
        scale=scale,
        size=(480, 270),
        network=f"m-x{scale}",
        engine="an engine",
        ours=ours,
        network_ms=16.0,
        frame_ms=20.0 if ours else None,
        ratio=5.0,
        runs=1,
    )


def test_a_panel_a_scale(tmp_path: Path) -> None:
    where = tmp_path / "speeds.svg"
    draw([speed(2), speed(4), speed(4, ours=False)], where)
    assert where.read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize("name", ["gone/speeds.png", "speeds.moon"])
def test_one_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="cannot write the chart"):
        draw([speed(2)], tmp_path / name)
