"""What a test needs beside the package, and what happens where it is missing.

A test asks for it in its first line. Where it is missing the test is skipped with a clear
reason, or fails if the environment variable ``VIDLIFT_REQUIRE`` (names, comma-separated) holds
its name: a CI machine that lost something must not pass by skipping.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
"""Root of the repository."""

PACKAGES = {
    "openvino": ("openvino",),
    "train": ("torch", "pytorch_optimizer"),
    "vmaf": ("imageio_ffmpeg",),
    "charts": ("matplotlib",),
    "quantize": ("nncf",),
}
"""Needs that are packages: name -> modules."""

PROGRAMS = {
    "ffmpeg": "ffmpeg",
    "chromium": "chromium",
    "nginx": "nginx",
    "make": "make",
    "git": "git",
}
"""Needs that are programs: name -> what is looked up on the path."""

REQUIRABLE = ("shared", *PACKAGES, *PROGRAMS)


def shared(*parts: str) -> Path:
    """A file or folder of the shared data: ``$VIDLIFT_SHARED``, ``../shared`` unless set."""
    path = Path(os.environ.get("VIDLIFT_SHARED") or ROOT.parent / "shared").joinpath(*parts)
    if not path.exists():
        _missing("shared", f"no shared data at {path}; set VIDLIFT_SHARED to where they lie")
    return path


def require(name: str) -> None:
    """Go on only where a package or program of the tables above is there."""
    if name in PACKAGES:
        lacking = [module for module in PACKAGES[name] if find_spec(module) is None]
        if lacking:
            _missing(name, f"not installed: {', '.join(lacking)}")
    elif shutil.which(PROGRAMS[name]) is None:
        _missing(name, f"no program {PROGRAMS[name]} on the path")


def required() -> frozenset[str]:
    """The names in ``VIDLIFT_REQUIRE``."""
    return frozenset(_words(os.environ.get("VIDLIFT_REQUIRE", "")))


def _words(text: str) -> Iterable[str]:
    return (word for word in (part.strip() for part in text.split(",")) if word)


def _missing(name: str, why: str) -> None:
    if name in required():
        pytest.fail(f"VIDLIFT_REQUIRE holds {name}, but: {why}", pytrace=False)
    pytest.skip(why)
