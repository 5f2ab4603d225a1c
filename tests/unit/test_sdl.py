"""Loading SDL."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

LOAD = """
import ctypes.util

def searched(name):
    raise SystemExit(f"searched for {name}")

ctypes.util.find_library = searched
from vidlift.sinks import sdl
assert sdl.load().SDL_GetTicks() >= 0
assert ctypes.util.find_library is searched
"""
"""Ends with a word on stderr if the system is searched for a library."""


def _loaded(**changes: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYSDL2_DLL_PATH"} | changes
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_library_that_comes_with_us_is_taken_without_a_search() -> None:
    ended = _loaded()
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("where", ["system", "."])
def test_one_that_the_user_names_is_searched_for(where: str) -> None:
    assert "searched for SDL2" in _loaded(PYSDL2_DLL_PATH=where).stderr


def test_a_folder_that_is_not_there_is_said() -> None:
    assert "SDL 2, which windows and sound need, cannot be loaded" in (
        _loaded(PYSDL2_DLL_PATH="/nowhere").stderr
    )
