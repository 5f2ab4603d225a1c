"""What a run computes on, and what is measured when it begins."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

import torch

from vidlift.errors import UsageError
from vidlift.training import machine
from vidlift.training.machine import Machine, Setting


def test_only_what_is_left_open_is_measured() -> None:
    said = Machine(device="cpu", threads=3, bf16=True)
    assert machine.candidates(said, "cpu") == [Setting(threads=3, bf16=True)]
    threads = {each.threads for each in machine.candidates(Machine(bf16=False), "cpu")}
    assert {1, torch.get_num_threads()} <= threads
    bodies = [each.bf16 for each in machine.candidates(Machine(threads=1), "cpu")]
    assert bodies == [False, True]
    on_gpu = machine.candidates(Machine(), "cuda:0")
    assert [each.bf16 for each in on_gpu] == [True]
    assert [each.bf16 for each in machine.candidates(Machine(bf16=False), "cuda:0")] == [False]


def test_the_setting_with_the_quickest_run_is_taken() -> None:
    choices = [Setting(threads=count, bf16=False) for count in (1, 2, 4)]
    now = 0.0
    # Seconds a run takes, by threads; the machine is busy now and then.
    takes = {1: iter([9.0, 9, 9, 9]), 2: iter([99.0, 5, 99, 99]), 4: iter([7.0, 7, 7, 7])}

    def work(choice: Setting) -> None:
        nonlocal now
        now += next(takes[choice.threads])

    assert machine.fastest(choices, work, lambda: now) == 1
    assert next(takes[1], None) is None


def test_what_needs_no_choice_is_not_tried() -> None:
    only = [Setting(threads=1, bf16=False)]
    assert machine.fastest(only, lambda _: pytest.fail("tried")) == 0


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Machine().resolved() == "cpu"
    with pytest.raises(UsageError, match="no GPU here"):
        Machine(device="cuda").resolved()
    with pytest.raises(UsageError, match="none of auto, cpu, cuda"):
        Machine(device="tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert Machine().resolved() == "cuda:3"
    assert Machine(device="cpu").resolved() == "cpu"
