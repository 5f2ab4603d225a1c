"""A run that cannot go on says why in one line, and keeps the last state that was good."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

import torch
from pytorch_optimizer import Muon

from support import trained
from support.cli import vidlift
from support.pictures import make_pictures
from vidlift.errors import InputError, ModelError, OutputError
from vidlift.training import architectures, checkpoint, loop, recipe
from vidlift.training.history import LOG
from vidlift.training.machine import Machine
from vidlift.training.recipe import Recipe
from vidlift.training.run import Run

MACHINE = Machine(device="cpu", threads=1, bf16=False)


def tiny(**changes: object) -> Recipe:
    values = {"name": "t", "tier": "s", "scale": 2, "architecture": "plain-4x1"}
    sizes = {"pictures": ["."], "steps": 6, "batch": 2, "patch": 16, "warmup": 2}
    return recipe.parse({**values, **sizes, **changes}, where="test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"), count=30)


def diverging(monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    """Have the weights of a run be no numbers from a step on."""
    real = Run.advance

    def advance(self: Run) -> torch.Tensor:
        loss = real(self)
        if self.step > after:
            with torch.no_grad():
                self._network.tail.weight.fill_(float("nan"))
        return loss

    monkeypatch.setattr(Run, "advance", advance)


def test_a_run_that_diverges_stops_and_keeps_its_last_good_state(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    whole = loop.train(tiny(), data=folder, out=tmp_path / "whole", on=MACHINE)
    out = tmp_path / "run"
    loop.train(tiny(), data=folder, out=out, on=MACHINE, stop_at=2)
    with monkeypatch.context() as broken:
        diverging(broken, after=3)
        with pytest.raises(ModelError, match=r"diverged: .*step 4.* keeps step 2"):
            loop.train(tiny(), data=folder, out=out, on=MACHINE)
    assert checkpoint.load(out / checkpoint.FILE).step == 2
    assert "NaN" not in (out / LOG).read_text()
    resumed = loop.train(tiny(), data=folder, out=out, on=MACHINE)
    for name, weight in whole.average.items():
        assert torch.equal(weight, resumed.average[name]), name


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_a_step_is_whole(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    whole = loop.train(tiny(), data=folder, out=tmp_path / "whole", on=MACHINE)
    real, taken = Muon.step, []

    def step(self: Muon) -> None:
        taken.append(1)
        if len(taken) == 4:
            signal.raise_signal(number)
        real(self)

    def end(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(number, end)
    try:
        with monkeypatch.context() as slow:
            slow.setattr(Muon, "step", step)
            with pytest.raises(KeyboardInterrupt):
                loop.train(tiny(), data=folder, out=tmp_path / "run", on=MACHINE)
        assert signal.getsignal(number) is end
    finally:
        signal.signal(number, before)
    assert checkpoint.load(tmp_path / "run" / checkpoint.FILE).step == 4
    resumed = loop.train(tiny(), data=folder, out=tmp_path / "run", on=MACHINE)
    for name, weight in whole.average.items():
        assert torch.equal(weight, resumed.average[name]), name


def test_a_state_without_numbers_is_not_kept(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)  # before any line of the log is due
    diverging(monkeypatch, after=3)
    with pytest.raises(ModelError, match=r"diverged: .*step 4.* keeps step 3"):
        loop.train(tiny(), data=folder, out=tmp_path, on=MACHINE)
    assert checkpoint.load(tmp_path / checkpoint.FILE).step == 3


def test_a_rate_far_too_large_ends_with_a_line(tmp_path: Path, folder: Path) -> None:
    where, out = tmp_path / "r.toml", tmp_path / "run"
    where.write_text(
        'name = "t"\ntier = "s"\nscale = 2\narchitecture = "plain-4x1"\npictures = ["."]\n'
        "steps = 6\nbatch = 2\npatch = 16\nwarmup = 0\nrate = 1e30\n"
    )
    options = ("--data", folder, "--out", out, "--threads", 1, "--no-bf16", "--device", "cpu")
    ended = vidlift("model", "train", where, *options)
    assert ended.code == 6
    assert "diverged" in ended.complaint
    assert "lower rate" in ended.complaint
    assert not (out / checkpoint.FILE).exists()


def test_a_run_that_diverged_once_is_not_exported(tmp_path: Path) -> None:
    network = architectures.build("plain-4x1", scale=2)
    with torch.no_grad():
        network.tail.weight.fill_(float("nan"))
    state = trained.checkpoint_of(network, "plain-4x1", scale=2, name="t")
    checkpoint.save(tmp_path / checkpoint.FILE, state)
    ended = vidlift("model", "export", tmp_path, tmp_path / "out")
    assert ended.code == 6
    assert "diverged" in ended.complaint


def without(*keys: str) -> Callable[[dict[str, Any]], object]:
    def change(content: dict[str, Any]) -> object:
        for key in keys:
            del content[key]
        return content

    return change


def of(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: {**content, key: value}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(without("threads"), "threads", id="no threads"),
        pytest.param(without("recipe"), "recipe", id="no recipe"),
        pytest.param(without("average"), "average", id="no weights"),
        pytest.param(of("speed", 3), "speed", id="an extra key"),
        pytest.param(of("step", "two"), "step", id="a step in words"),
        pytest.param(of("average", {}), "head.weight", id="empty weights"),
        pytest.param(of("network", {"head.weight": torch.zeros(1)}), "head", id="other weights"),
        pytest.param(of("average", {"head.weight": 3}), "head", id="weights that are none"),
        pytest.param(of("recipe", []), "recipe", id="a recipe that is a list"),
        pytest.param(of("recipe", {"name": "t"}), "lacks tier", id="half a recipe"),
        pytest.param(lambda content: list(content), "not a checkpoint", id="a list"),
    ],
)
def test_a_checkpoint_that_is_damaged_is_told_in_a_line(
    tmp_path: Path, folder: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    where = tmp_path / checkpoint.FILE
    loop.train(tiny(), data=folder, out=tmp_path, on=MACHINE, stop_at=1)
    torch.save(change(torch.load(where, weights_only=True)), where)
    ended = vidlift("model", "export", tmp_path, tmp_path / "out")
    assert ended.code == 3
    assert str(where) in ended.complaint
    assert said in ended.complaint


@pytest.mark.parametrize("content", [b"", b"no", b"PK\x03\x04"], ids=["empty", "text", "torn"])
def test_a_file_that_is_no_checkpoint_is_told_in_a_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / checkpoint.FILE).write_bytes(content)
    ended = vidlift("model", "export", tmp_path, tmp_path / "out")
    assert ended.code == 3
    assert "is not a checkpoint" in ended.complaint


@pytest.mark.parametrize("optimizer", [{}, {"state": {}, "param_groups": []}, {"state": 3}])
def test_an_optimiser_of_another_network_is_told_in_a_line(
    tmp_path: Path, folder: Path, optimizer: dict[str, Any]
) -> None:
    where = tmp_path / checkpoint.FILE
    loop.train(tiny(), data=folder, out=tmp_path, on=MACHINE, stop_at=1)
    content = torch.load(where, weights_only=True)
    torch.save({**content, "optimizer": optimizer}, where)
    with pytest.raises(InputError, match=r"cannot go on from its checkpoint.*") as told:
        loop.train(tiny(), data=folder, out=tmp_path, on=MACHINE)
    assert "\n" not in str(told.value)


def test_a_full_disk_leaves_the_last_state_and_no_part(tmp_path: Path, folder: Path) -> None:
    loop.train(tiny(), data=folder, out=tmp_path, on=MACHINE, stop_at=2)
    part = tmp_path / "checkpoint.part"
    part.symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"cannot write the checkpoint .*No space left"):
        loop.train(tiny(), data=folder, out=tmp_path, on=MACHINE)
    assert not part.is_symlink()
    assert checkpoint.load(tmp_path / checkpoint.FILE).step == 2


def test_a_full_disk_leaves_the_log(tmp_path: Path, folder: Path) -> None:
    loop.train(tiny(), data=folder, out=tmp_path, on=MACHINE, stop_at=2)
    whole = (tmp_path / LOG).read_text()
    (tmp_path / LOG).write_text(whole + '{"step": 4, "loss": 1}\n')  # to be dropped
    (tmp_path / "log.part").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"cannot write the log .*No space left"):
        loop.train(tiny(), data=folder, out=tmp_path, on=MACHINE)
    assert (tmp_path / LOG).read_text().startswith(whole)


def test_a_full_disk_leaves_the_model_that_was_there(tmp_path: Path) -> None:
    network = architectures.build("plain-4x1", scale=2)
    where = trained.model_file(tmp_path, network, "plain-4x1")
    before, card = where.read_bytes(), where.with_suffix(".json").read_bytes()
    with torch.no_grad():
        network.head.weight.zero_()
    for part in ("s-x2.onnx.part", "s-x2.json.part"):
        (tmp_path / part).symlink_to("/dev/full")
        with pytest.raises(OutputError, match="No space left"):
            trained.model_file(tmp_path, network, "plain-4x1")
        assert (where.read_bytes(), where.with_suffix(".json").read_bytes()) == (before, card)
        assert sorted(file.name for file in tmp_path.iterdir()) == ["s-x2.json", "s-x2.onnx"]


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path, folder: Path) -> None:
    (tmp_path / LOG).symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"cannot write the log .*No space left"):
        loop.train(tiny(), data=folder, out=tmp_path, on=MACHINE)
    assert checkpoint.load(tmp_path / checkpoint.FILE).step == 6


def test_a_line_that_was_torn_is_dropped_from_the_log(tmp_path: Path, folder: Path) -> None:
    loop.train(tiny(), data=folder, out=tmp_path, on=MACHINE, stop_at=2)
    whole = (tmp_path / LOG).read_text()
    (tmp_path / LOG).write_text(whole + '{"step": 2, "lo')
    loop.train(tiny(), data=folder, out=tmp_path, on=MACHINE)
    steps = [json.loads(line)["step"] for line in (tmp_path / LOG).read_text().splitlines()]
    assert steps[0] == 2
    assert set(steps[1:]) == {6}
