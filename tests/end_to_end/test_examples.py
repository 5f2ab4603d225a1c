"""The examples run as they stand, as a reader would run them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.clips import make_clip

EXAMPLES = Path(__file__).parents[2] / "examples"


def start(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def run(name: str, *arguments: object) -> str:
    done = start(name, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "upscale_frames.py",
        "upscale_picture.py",
    }


def test_a_picture(tmp_path: Path) -> None:
    small = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(small).save(tmp_path / "small.png")
    run("upscale_picture.py", tmp_path / "small.png", tmp_path / "big.png")
    with Image.open(tmp_path / "big.png") as big:
        assert big.size == (120, 80)


def test_a_grey_picture_of_16_bits(tmp_path: Path) -> None:
    dark = np.full((20, 30), 80 << 8, np.uint16)
    Image.fromarray(dark).save(tmp_path / "small.png")
    run("upscale_picture.py", tmp_path / "small.png", tmp_path / "big.png")
    with Image.open(tmp_path / "big.png") as big:
        assert abs(int(np.asarray(big).mean()) - 80) <= 2


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("upscale_picture.py", ()),
        ("upscale_picture.py", ("small.png",)),
        ("upscale_picture.py", ("small.png", "big.png", "more")),
        ("upscale_frames.py", ()),
        ("upscale_frames.py", ("film.mp4", "three")),
        ("upscale_frames.py", ("film.mp4", "3", "more")),
    ],
)
def test_wrong_use(name: str, arguments: tuple[str, ...]) -> None:
    done = start(name, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"usage: python examples/{name} ")


def test_frames(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=5)
    lines = run("upscale_frames.py", clip, 3).splitlines()
    assert [line.split()[-1] for line in lines] == ["128x96"] * 3
    assert [line.split()[0] for line in lines] == ["0.000", "0.042", "0.083"]
