"""What macOS and Windows lack is taken away: what is promised there is to work without it.

What is used only where ``/proc`` is stays.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.clips import make_clip

LACKS = {
    "macos": """
import os
del os.sched_getaffinity
""",
    "windows": """
import os, signal, sys
del os.sched_getaffinity
del signal.SIGHUP
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
""",
}

RUN = "from vidlift.cli import run; run()"

UPSCALER = """
import numpy as np
from vidlift import Upscaler
with Upscaler("xs-x2") as upscaler:
    print(upscaler.luma(np.zeros((1, 20, 30), np.uint8)).shape)
"""


def _run(system: str, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LACKS[system] + program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def _printed(system: str, program: str, *arguments: str | Path) -> str:
    """What the program prints where the system's lacks are; fails where it fails."""
    done = _run(system, program, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("system", LACKS)
def test_films_are_played(system: str, tmp_path: Path) -> None:
    film = make_clip(tmp_path / "film.mp4", frames=6)
    assert "6 out" in _printed(system, RUN, "play", film, "--display", "none")


@pytest.mark.parametrize("system", LACKS)
def test_arrays_are_super_resolved(system: str) -> None:
    assert _printed(system, UPSCALER) == "(1, 40, 60)\n"


@pytest.mark.parametrize("system", LACKS)
def test_the_doctor_comes(system: str) -> None:
    assert "chosen" in _printed(system, RUN, "doctor")


def test_files_are_upscaled_on_macos(tmp_path: Path) -> None:
    film = make_clip(tmp_path / "film.mp4", frames=6)
    _printed("macos", RUN, "upscale", film, tmp_path / "big.mp4", "-m", "xs-x2")
    _printed("macos", RUN, "verify", film, tmp_path / "big.mp4")


def test_what_needs_more_than_windows_has_says_so(tmp_path: Path) -> None:
    film = make_clip(tmp_path / "film.mp4", frames=6)
    done = _run("windows", RUN, "upscale", film, tmp_path / "big.mp4")
    assert done.stderr == "vidlift: this command runs on Linux and macOS: there is no fcntl here\n"
