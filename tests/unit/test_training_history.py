"""The log of a run, its curves, and what a person sees while it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

import numpy as np
from PIL import Image

from support.cli import vidlift
from support.shared import require
from vidlift.cli import training_progress
from vidlift.cli.console import err
from vidlift.errors import InputError
from vidlift.training import history
from vidlift.training.history import Log
from vidlift.training.loop import Status


def run_of(folder: Path) -> Path:
    folder.mkdir()
    log = Log(folder, step=0)
    for step in range(200, 2200, 200):
        if step == 1000:
            log.write(step=step, psnr=30.5)
        log.write(step=step, loss=10 / step, seconds=step / 10)
    return folder


def test_a_log_is_read_as_columns(tmp_path: Path) -> None:
    read = history.read(run_of(tmp_path / "m"))
    assert read.name == "m"
    assert read.loss[1] == (400, 40.0, 0.025)
    assert read.psnr == [(1000, 100.0, 30.5)]


def test_a_log_loses_the_lines_of_steps_that_come_again(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "m")
    Log(folder, step=900).write(step=1000, loss=1.0, seconds=99.0)
    assert [step for step, _, _ in history.read(folder).loss] == [200, 400, 600, 800, 1000]


def test_a_line_that_lost_its_end_alone_does_not_swallow_the_next(tmp_path: Path) -> None:
    where = run_of(tmp_path / "m") / history.LOG
    where.write_text(where.read_text().removesuffix("\n"))
    Log(where.parent, step=2000).write(step=2200, loss=1.0, seconds=220.0)
    assert [step for step, _, _ in history.read(where.parent).loss] == [*range(200, 2400, 200)]


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no training run"):
        history.read(tmp_path)
    (tmp_path / history.LOG).write_text("nonsense\n")
    with pytest.raises(InputError, match="not the log of a training run"):
        history.read(tmp_path)


def test_runs_are_drawn(tmp_path: Path) -> None:
    require("charts")
    chart = tmp_path / "chart.png"
    ended = vidlift("model", "plot", run_of(tmp_path / "a"), run_of(tmp_path / "b"), chart)
    assert ended.code == 0, ended.err
    with Image.open(chart) as picture:
        assert picture.size == (1500, 1050)
        assert len(np.unique(np.asarray(picture.convert("L")))) > 50
    assert vidlift("model", "plot", chart).code == 2
    assert vidlift("model", "plot", tmp_path / "a", tmp_path / "no" / "c.png").code == 4


@pytest.mark.parametrize(
    ("signs", "unit"),
    [([1], "code values"), ([-1], "minus dB"), ([1, -1, -1], "code values or minus dB")],
)
def test_a_chart_says_what_the_loss_is_counted_in(
    tmp_path: Path, signs: list[int], unit: str
) -> None:
    require("charts")
    runs = [tmp_path / f"r{number}" for number in range(len(signs))]
    for run, sign in zip(runs, signs, strict=True):
        run.mkdir()
        Log(run, step=0).write(step=200, loss=20.0 * sign, seconds=9.0)
    assert vidlift("model", "plot", *runs, tmp_path / "chart.svg").code == 0
    assert f"loss, {unit} -->" in (tmp_path / "chart.svg").read_text()


@pytest.mark.parametrize(
    ("loss", "psnr", "left", "text"),
    [
        (None, None, 59.6, "1:00 left"),
        (2.5, None, 61, "loss 2.500, 1:01 left"),
        (2.5, 31.256, 3725, "loss 2.500, 31.26 dB, 1:02:05 left"),
    ],
)
def test_what_is_known_is_shown(
    loss: float | None, psnr: float | None, left: float, text: str
) -> None:
    status = Status(step=1, steps=10, loss=loss, psnr=psnr, seconds_left=left)
    assert training_progress.figures(status) == text


def test_lines_come_now_and_then_and_at_the_end() -> None:
    now = 0.0
    report = training_progress.plain(clock=lambda: now)
    with err.capture() as capture:
        for step in range(1, 101):
            now += 1.0
            report(Status(step=step, steps=100, loss=1.0, psnr=None, seconds_left=1))
    steps = [line.split(",")[0] for line in capture.get().splitlines()]
    assert steps == ["step 1/100", "step 31/100", "step 61/100", "step 91/100", "step 100/100"]
