"""What is imported, and what is loaded with it: a player starts quickly and stays small."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from support.shared import require
from vidlift.memory import forget_layers

PLAYER = """
import vidlift.cli.main, vidlift.player.play
from vidlift import models
from vidlift.models.reach import reach
reach(models.kernel(scale=2)), *map(models.load, models.names())
"""


def loaded(code: str, *, of: set[str]) -> set[str]:
    """Which of these modules a new process has after some code."""
    wanted = f"{code}\nimport sys; print(*(set(sys.modules) & {of}))"
    done = subprocess.run(
        [sys.executable, "-c", wanted], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_player_loads_nothing_that_it_may_not_need() -> None:
    heavy = {"PIL", "onnx", "openvino", "onnxruntime", "sdl2", "torch"}
    heavy |= {"httpx2", "matplotlib", "pydantic", "ssl", "starlette", "urllib.request"}
    assert loaded(PLAYER, of=heavy) == set()


def test_openvino_comes_without_its_converter_which_stays_importable() -> None:
    require("openvino")
    converter = {"openvino.tools.ovc", "openvino_telemetry"}
    engine = "import vidlift.engines.openvino"
    assert loaded(engine, of=converter) == set()
    assert loaded(f"{engine}, openvino.tools.ovc", of=converter) == converter


def test_what_the_user_says_of_the_cache_of_layers_comes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.setenv(name, "7")
    forget_layers()
    assert os.environ[name] == "7"
    monkeypatch.delenv(name)
    forget_layers()
    assert os.environ[name] == "0"
