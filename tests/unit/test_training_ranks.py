"""Two processes make the steps that one with the whole batch would have made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

import torch

from support.pictures import make_pictures
from vidlift.training import checkpoint, history, loop, ranks
from vidlift.training import recipe as recipes
from vidlift.training.machine import Machine

RECIPE = """
name = "t"
tier = "s"
scale = 2
architecture = "plain-8x1"
pictures = ["."]
steps = 6
batch = 4
patch = 16
warmup = 2
"""


def train_by_two(recipe: Path, folder: Path, out: Path) -> None:
    own = [sys.executable, "-c", "from vidlift.cli import run; run()"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    options = ["--device", "cpu", "--threads", "1", "--no-bf16"]
    what = ["model", "train", recipe, "--data", folder, "--out", out, *options]
    command = [*launch, "--nproc-per-node=2", "--no-python", *own, *map(str, what)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("6 steps in") == 1, ended.stdout


def test_two_processes_train_as_one_with_twice_the_batch(tmp_path: Path) -> None:
    folder = make_pictures(tmp_path / "pictures", count=8)
    recipe = tmp_path / "t.toml"
    recipe.write_text(RECIPE)
    alone, both = tmp_path / "alone", tmp_path / "both"
    on = Machine(device="cpu", threads=1, bf16=False)
    one = loop.train(recipes.read(recipe), data=folder, out=alone, on=on)
    train_by_two(recipe, folder, both)
    ((step, _, loss),) = history.read(both).loss
    assert step == 6
    assert loss == pytest.approx(history.read(alone).loss[0][2], rel=1e-4)
    two = checkpoint.load(both / checkpoint.FILE)
    for name, weight in one.average.items():
        assert torch.allclose(two.average[name], weight, atol=1e-4), name


@pytest.mark.parametrize("launched", [False, True], ids=["by another program", "by torchrun"])
def test_who_is_alone_is_first(monkeypatch: pytest.MonkeyPatch, launched: bool) -> None:
    """Processes that are not joined would each write the run; the lock keeps one of them out."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    if launched:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "r")
        assert (ranks.is_alone(), ranks.is_first()) == (False, False)
        return
    assert (ranks.is_alone(), ranks.is_first()) == (True, True)
    with ranks.joined("cpu") as own:
        assert own is ranks.ALONE
