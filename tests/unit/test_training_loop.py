"""Training goes on where it was stopped, to the bit, and from the same pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

import torch
from pytorch_optimizer import Muon

from support.pictures import make_pictures
from vidlift import resample
from vidlift.errors import InputError, UsageError
from vidlift.training import checkpoint, loop, machine, patches, pictures, recipe
from vidlift.training.recipe import Recipe
from vidlift.training.run import Run

MACHINE = machine.Machine(device="cpu", threads=1, bf16=False)


def tiny(**changes: object) -> Recipe:
    values = {"name": "t", "tier": "s", "scale": 2, "architecture": "plain-8x1"}
    sizes = {"pictures": ["."], "steps": 6, "batch": 2, "patch": 16, "warmup": 2}
    return recipe.parse({**values, **sizes, **changes}, where="test")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # The validation split is by name: with so many, some are of it.
    return make_pictures(tmp_path / "pictures", count=30)


@pytest.mark.parametrize("bits", [0, 7])
def test_a_run_that_was_stopped_goes_on_to_the_bit(bits: int, tmp_path: Path, folder: Path) -> None:
    asked = tiny(bits=bits)
    whole = loop.train(asked, data=folder, out=tmp_path / "whole", on=MACHINE)
    parts = tmp_path / "parts"
    loop.train(asked, data=folder, out=parts, on=MACHINE, stop_at=2)
    resumed = loop.train(asked, data=folder, out=parts, on=MACHINE)
    assert resumed.step == whole.step == 6
    for name, weight in whole.average.items():
        assert torch.equal(weight, resumed.average[name]), name


def test_what_is_learnt_with_bits_is_another_network(tmp_path: Path, folder: Path) -> None:
    exact, rounded = (
        loop.train(tiny(bits=bits), data=folder, out=tmp_path / str(bits), on=MACHINE)
        for bits in (0, 3)
    )
    assert not torch.equal(exact.average["head.weight"], rounded.average["head.weight"])


def test_runs_side_by_side_are_what_each_is_alone(tmp_path: Path, folder: Path) -> None:
    recipes = [tiny(name="a"), tiny(name="b", architecture="plain-4x2", steps=9)]
    alone = [loop.train(r, data=folder, out=tmp_path / r.name, on=MACHINE) for r in recipes]
    jobs = [loop.Job(recipe=r, out=tmp_path / f"{r.name}-too") for r in recipes]
    together = loop.train_together(jobs, data=folder, on=MACHINE)
    assert [state.step for state in together] == [6, 9]
    for one, other in zip(alone, together, strict=True):
        for name, weight in one.average.items():
            assert torch.equal(weight, other.average[name]), name


def test_runs_side_by_side_keep_each_its_threads(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of its checkpoint: with others the last bits of its weights would be others."""
    recipes = [tiny(name="a"), tiny(name="b")]
    for recipe_, threads in zip(recipes, (1, 2), strict=True):
        on = replace(MACHINE, threads=threads)
        loop.train(recipe_, data=folder, out=tmp_path / recipe_.name, on=on, stop_at=2)
    used: dict[str, set[int]] = {"a": set(), "b": set()}
    gradient = Run._gradient

    def watched(self: Run, batch: patches.Batch) -> torch.Tensor:
        used[self._recipe.name].add(torch.get_num_threads())
        return gradient(self, batch)

    monkeypatch.setattr(Run, "_gradient", watched)
    jobs = [loop.Job(recipe=r, out=tmp_path / r.name) for r in recipes]
    states = loop.train_together(jobs, data=folder, on=replace(MACHINE, threads=None))
    assert used == {"a": {1}, "b": {2}}
    assert [state.threads for state in states] == [1, 2]


def test_each_of_several_runs_is_measured_with_all_threads(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []

    def first(choices: list[machine.Setting], _work: object) -> int:
        asked.append([choice.threads for choice in choices])
        return 0

    monkeypatch.setattr(machine, "fastest", first)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        jobs = [loop.Job(recipe=tiny(name=name, steps=1), out=tmp_path / name) for name in "ab"]
        loop.train_together(jobs, data=folder, on=replace(MACHINE, threads=None))
    finally:
        torch.set_num_threads(before)
    assert asked == [[1, 2], [1, 2]]


def test_the_time_left_is_that_of_all_that_take_turns(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    advance = Run.advance

    def a_second_long(self: Run) -> torch.Tensor:
        now[0] += 1
        return advance(self)

    monkeypatch.setattr(Run, "advance", a_second_long)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now[0]))
    told: list[tuple[int, float]] = []
    jobs = [
        loop.Job(
            recipe=tiny(name=name),
            out=tmp_path / name,
            report=lambda status: told.append((status.step, status.seconds_left)),
        )
        for name in "ab"
    ]
    loop.train_together(jobs, data=folder, on=MACHINE)
    assert len(told) >= 6
    for step, left in told:
        assert left == pytest.approx(2 * (6 - step), abs=1.5 * (6 - step) / step)


def test_an_interruption_of_one_keeps_all(tmp_path: Path, folder: Path) -> None:
    one = loop.Job(recipe=tiny(name="a", steps=300), out=tmp_path / "a")

    def interrupt(status: loop.Status) -> None:
        raise KeyboardInterrupt

    other = loop.Job(recipe=tiny(name="b", steps=300), out=tmp_path / "b", report=interrupt)
    with pytest.raises(KeyboardInterrupt):
        loop.train_together([one, other], data=folder, on=MACHINE)
    ahead, behind = (checkpoint.load(job.out / checkpoint.FILE).step for job in (one, other))
    assert 0 < behind < ahead == behind + 1 < 300


def test_several_are_not_shared_by_processes(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "r")
    with pytest.raises(UsageError, match="by one process"):
        loop.train_together([loop.Job(recipe=tiny(), out=tmp_path)], data=folder, on=MACHINE)


def test_an_interruption_leaves_a_state_to_go_on_from(tmp_path: Path, folder: Path) -> None:
    out = tmp_path / "run"
    real = loop.LOG_EVERY
    loop.LOG_EVERY = 2
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.train(tiny(), data=folder, out=out, on=MACHINE, report=_interrupt)
    finally:
        loop.LOG_EVERY = real
    assert checkpoint.load(out / "checkpoint.pt").step == 2
    loop.train(tiny(), data=folder, out=out, on=MACHINE)
    steps = [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert steps == [2, 6, 6]


def into(losses: list[float]) -> loop.Report:
    """Keeps the losses that are reported, each as often as it is."""

    def report(status: loop.Status) -> None:
        if status.loss is not None:
            losses.append(status.loss)

    return report


def _interrupt(status: loop.Status) -> None:
    if status.step == 2:
        raise KeyboardInterrupt


def test_a_step_that_is_cut_in_two_is_not_kept(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = loop.train(tiny(), data=folder, out=tmp_path / "whole", on=MACHINE)
    real, taken = Muon.step, []

    def step(self: Muon) -> None:
        real(self)  # the weights have moved, their average has not
        taken.append(1)
        if len(taken) == 4:
            raise KeyboardInterrupt

    out = tmp_path / "run"
    loop.train(tiny(), data=folder, out=out, on=MACHINE, stop_at=2)
    monkeypatch.setattr(Muon, "step", step)
    with pytest.raises(KeyboardInterrupt):
        loop.train(tiny(), data=folder, out=out, on=MACHINE)
    monkeypatch.undo()
    assert checkpoint.load(out / checkpoint.FILE).step == 2
    resumed = loop.train(tiny(), data=folder, out=out, on=MACHINE)
    for name, weight in whole.average.items():
        assert torch.equal(weight, resumed.average[name]), name


def test_training_brings_the_loss_down(tmp_path: Path, folder: Path) -> None:
    losses: list[float] = []
    real = loop.LOG_EVERY
    loop.LOG_EVERY = 20
    try:
        loop.train(
            tiny(steps=120, architecture="plain-16x2"),
            data=folder,
            out=tmp_path / "run",
            on=MACHINE,
            report=into(losses),
        )
    finally:
        loop.LOG_EVERY = real
    assert losses[-1] < 0.8 * losses[0]


def test_a_run_gives_the_loss_that_it_always_gave(tmp_path: Path, folder: Path) -> None:
    # Of the first version that draws patches in this way. Processors add floats in other orders,
    # hence the width.
    wanted = tiny(architecture="plain-8x2", steps=40, batch=4, warmup=5)
    losses: list[float] = []
    loop.train(
        wanted,
        data=folder,
        out=tmp_path / "run",
        on=MACHINE,
        report=into(losses),
    )
    assert losses[-1] == pytest.approx(7.141, abs=0.01)


@pytest.mark.parametrize(("optimizer", "rate"), [("muon", 1e-2), ("adam", 1e-3)])
def test_either_optimizer_brings_the_loss_down(
    tmp_path: Path, folder: Path, optimizer: str, rate: float
) -> None:
    wanted = tiny(optimizer=optimizer, rate=rate, steps=60)
    short = tiny(optimizer=optimizer, rate=rate, steps=5)
    losses: list[float] = []
    for recipe_, out in ((short, "short"), (wanted, "long")):
        loop.train(
            recipe_,
            data=folder,
            out=tmp_path / out,
            on=MACHINE,
            report=into(losses),
        )
    assert losses[-1] < losses[0]
    with pytest.raises(UsageError, match="one of muon, adam"):
        tiny(optimizer="sgd")


def test_what_is_said_of_the_data_may_change_on_the_way(tmp_path: Path, folder: Path) -> None:
    loop.train(tiny(), data=folder, out=tmp_path, on=MACHINE, stop_at=2)
    said = replace(tiny(), sources="drawn by a program, CC0-1.0")
    assert loop.train(said, data=folder, out=tmp_path, on=MACHINE).recipe == said


def test_features_are_not_passed_over_where_nobody_teaches(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(UsageError, match="feature_share needs a teacher of ours"):
        loop.train(tiny(feature_share=0.5), data=folder, out=tmp_path / "run", on=MACHINE)
    assert not (tmp_path / "run").exists()


def test_another_recipe_does_not_go_on_with_a_run(tmp_path: Path, folder: Path) -> None:
    loop.train(tiny(), data=folder, out=tmp_path, on=MACHINE, stop_at=1)
    with pytest.raises(UsageError, match="another recipe"):
        loop.train(tiny(rate=0.5), data=folder, out=tmp_path, on=MACHINE)


def test_a_start_gives_its_layers_to_a_network_of_another_scale(
    tmp_path: Path, folder: Path
) -> None:
    loop.train(tiny(), data=folder, out=tmp_path / "x2", on=MACHINE)
    start = tmp_path / "x2" / "checkpoint.pt"
    x3 = tiny(scale=3, patch=12, start=str(start))
    run = loop.train(x3, data=folder, out=tmp_path / "x3", on=MACHINE, stop_at=0)
    assert run.step == 0
    begun = run.average
    assert torch.equal(begun["body.0.weight"], checkpoint.load(start).average["body.0.weight"])
    assert begun["tail.weight"].shape[0] == 9


def test_tiles_of_a_photograph_are_on_one_side_of_the_split() -> None:
    assert pictures.source_of(Path("a/lake_t3.webp")) == pictures.source_of(Path("lake.png"))
    assert pictures.source_of(Path("walk_b.mkv#24")) == pictures.source_of(Path("walk.mkv#0"))
    held_out = [pictures.is_held_out(f"photo{index}") for index in range(2000)]
    assert 60 < sum(held_out) < 140


def test_pictures_are_learnt_from_shrunk_as_well(folder: Path) -> None:
    plain, both = (pictures.load([folder], scale=2, shrink=shrink) for shrink in (1.0, 0.5))
    assert [p.source for p in both] == 2 * [p.source for p in plain]
    for old, new, small in zip(plain, both, both[len(plain) :], strict=False):
        assert np.array_equal(old.high, new.high)
        assert small.high.shape == tuple(side // 2 - side // 2 % 4 for side in old.high.shape)
        half = resample.resize(old.high, (old.high.shape[1] // 2, old.high.shape[0] // 2))
        height, width = small.high.shape
        assert np.array_equal(small.high, half[:height, :width])
    assert pictures.digest([folder]) != pictures.digest([folder], shrink=0.5)


def test_pictures_are_left_out_by_name(folder: Path) -> None:
    every = pictures.load([folder], scale=2)
    some = pictures.load([folder], scale=2, leave_out=(f"{every[0].source}.*",))
    assert [p.source for p in some] == [p.source for p in every[1:]]
    with pytest.raises(InputError, match="no picture in"):
        pictures.load([folder], scale=2, leave_out=("*",))


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no picture in"):
        loop.train(tiny(), data=tmp_path, out=tmp_path / "run", on=MACHINE)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    where = tmp_path / "checkpoint.pt"
    where.write_text("no")
    with pytest.raises(InputError, match="is not a checkpoint"):
        checkpoint.load(where)
    with pytest.raises(InputError, match="no checkpoint"):
        checkpoint.load(tmp_path / "none.pt")


WHOLE = """
name = "a"
tier = "s"
scale = 2
architecture = "plain-8x2"
pictures = ["."]
steps = 1
"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('name = "a"', "lacks tier"),
        ('speed = 3\nname = "a"', "no speed"),
        (WHOLE.replace("steps = 1", 'steps = "many"'), "steps is a whole number, got 'many'"),
        (WHOLE.replace("steps = 1", "steps = true"), "steps is a whole number, got True"),
        (WHOLE + 'packs = "p"', "packs is a list of texts, got 'p'"),
        (WHOLE + 'rate = "1e-2"', "rate is a number, got '1e-2'"),
        (WHOLE + 'loss = "l2"', "loss is one of l1, psnr, got 'l2'"),
        (WHOLE + "shrink = 2", "shrink is above 0, up to 1, got 2"),
    ],
)
def test_a_recipe_that_is_wrong_is_told_why(tmp_path: Path, content: str, message: str) -> None:
    where = tmp_path / "r.toml"
    where.write_text(content)
    with pytest.raises(UsageError, match=message):
        recipe.read(where)
