"""The main job on a tiny clip, from publishing to the receipt."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.clips import make_clip
from vidlift.demo.run import CLIP, run_demo
from vidlift.demo.side_by_side import SIDE, busiest
from vidlift.jobs.verify import verify
from vidlift.sources.file import FileSource


def test_the_whole_of_it(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=6, width=256, height=192)
    told: list[str] = []
    found = run_demo(tmp_path / "out", display="none", clip=clip, say=told.append)
    assert len(told) == 6
    # What was written is the rung that was received, four times the size, with its sound.
    checked = verify(found.received, found.video)
    assert (checked.frames, checked.scale) == (6, 4)
    assert any("audio" in stream for stream in checked.streams)
    with Image.open(found.picture) as picture:
        assert picture.width > 3 * SIDE
    report = json.loads(found.report.read_text())
    assert report["frames_in"] == 6
    assert report["frames_out"] + sum(report["dropped"].values()) == 6
    assert report["extra"]["psnr_y"]["vidlift"] > 10
    assert report["input"].endswith("/master.m3u8")
    (network,) = report["extra"]["network"]
    assert set(network["rungs"]) <= {"32p", "48p"}, "as the network was at that moment"
    assert sum(network["rungs"].values()) == pytest.approx(0.25)
    size = found.received.stat().st_size
    assert 0.8 * size < found.sent < size + 20_000, "the card and the lists beside it"
    again = run_demo(tmp_path / "out", display="none", clip=clip)
    assert again.sent == found.sent


def test_the_bundled_clip_is_what_the_demo_says() -> None:
    assert CLIP.stat().st_size < 3_000_000
    source = FileSource(CLIP)
    info = source.info
    source.close()
    assert (info.width, info.height, info.frames) == (1920, 1080, 120)


def test_the_detail_is_where_the_picture_is_busy() -> None:
    luma = np.full((900, 1200), 100, np.uint8)
    rng = np.random.default_rng(1)
    luma[420:800, 660:1040] = rng.integers(0, 256, (380, 380))
    top, left = busiest(luma)
    assert top <= 420
    assert top + SIDE >= 800
    assert left <= 660
    assert left + SIDE >= 1040


def test_a_picture_smaller_than_the_detail_is_shown_whole() -> None:
    assert busiest(np.zeros((48, 64), np.uint8)) == (0, 0)
