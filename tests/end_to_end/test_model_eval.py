"""`vidlift model eval` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.cli import vidlift
from support.clips import make_clip
from vidlift import metrics


@pytest.fixture
def data(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    (tmp_path / "sets" / "photos").mkdir(parents=True)
    (tmp_path / "sets" / "films").mkdir()
    Image.fromarray(noise).save(tmp_path / "sets" / "photos" / "noise.png")
    make_clip(tmp_path / "sets" / "films" / "zone.mkv", frames=3, sounds=0)
    return tmp_path / "sets"


def test_tables_and_a_report(data: Path, tmp_path: Path) -> None:
    where = tmp_path / "figures.json"
    ended = vidlift(
        *("model", "eval", "bicubic-x2", "--data", data, "--streams", "clean,h264-35"),
        *("--report", where),
    )
    assert ended.code == 0, ended.err
    for part in ("photos", "films, clean", "films, h264-35", "bicubic-x2", "least gain"):
        assert part in ended.out
    content = json.loads(where.read_text())
    assert content["made"]["versions"]["vidlift"]
    baseline, model = content["networks"]
    assert (baseline["name"], model["name"]) == ("bicubic", "bicubic-x2")
    assert model["pictures"]["photos"]["psnr"] == pytest.approx(
        baseline["pictures"]["photos"]["psnr"], abs=0.3
    )
    films = model["clips"]["films"]
    assert films["h264-35"]["mean"]["psnr"] < films["clean"]["mean"]["psnr"]


def test_pictures_that_come_out_whole_are_a_number(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "set" / "black.png")
    report = tmp_path / "figures.json"
    ended = vidlift("model", "eval", "bicubic-x2", "--data", tmp_path, "--report", report)
    assert ended.code == 0
    for network in json.loads(report.read_text())["networks"]:
        assert network["pictures"]["set"]["psnr"] == metrics.CEILING


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["--sets", "Set5"], 2, "no set Set5"),
        (["--streams", "h264"], 2, "no stream"),
        (["--streams", ","], 2, "--streams names none"),
        (["--chart", "chart.png"], 2, "--time"),
        (["--report", "/nowhere/at/all.json"], 4, "cannot write"),
    ],
)
def test_wrong_use(data: Path, arguments: list[str], code: int, complaint: str) -> None:
    ended = vidlift("model", "eval", "bicubic-x2", "--data", data, *arguments)
    assert ended.code == code
    assert complaint in ended.complaint


def test_what_is_not_there(data: Path, tmp_path: Path) -> None:
    assert vidlift("model", "eval", "q-x9", "--data", data).code == 6
    assert vidlift("model", "eval", "bicubic-x2", "--data", tmp_path / "nowhere").code == 3


def _square(folder: Path, side: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / f"{side}.png")


@pytest.mark.parametrize("side", [1, 3, 4, 16, 19])
def test_pictures_too_small_to_measure_on(side: int, tmp_path: Path) -> None:
    """SSIM needs 11 samples each way; 4 are cut off each side at ×4."""
    _square(tmp_path / "set", side)
    ended = vidlift("model", "eval", "bicubic-x4", "--data", tmp_path)
    assert ended.code == 3
    assert (
        f"too small to be measured at x4, where 20x20 is the least: {side}.png" in ended.complaint
    )


def test_are_passed_over_beside_others(tmp_path: Path) -> None:
    for side in (1, 16, 20, 21):
        _square(tmp_path / "set", side)
    report = tmp_path / "figures.json"
    ended = vidlift("model", "eval", "bicubic-x4", "--data", tmp_path, "--report", report)
    assert ended.code == 0
    assert "warning: set: too small to be measured at x4" in ended.complaint
    assert "1.png, 16.png" in ended.complaint
    (_, model) = json.loads(report.read_text())["networks"]
    assert model["pictures"]["set"]["pictures"] == 2
    assert model["pictures"]["set"]["skipped"] == ["1.png", "16.png"]


def test_a_clip_too_small_to_measure_on(tmp_path: Path) -> None:
    make_clip(tmp_path / "tiny.mkv", frames=3, sounds=0, width=8, height=8)
    ended = vidlift("model", "eval", "bicubic-x4", "--data", tmp_path)
    assert ended.code == 3
    assert "tiny.mkv" in ended.complaint


def test_a_picture_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    ended = vidlift("model", "eval", "bicubic-x4", "--data", tmp_path)
    assert ended.code == 3
    assert "cannot read the picture" in ended.complaint
