"""Commands that train and measure: wrong use is told before the work, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

from support import trained
from support.cli import vidlift
from support.pictures import make_pictures
from vidlift.cli.model_train import LOCK
from vidlift.errors import InputError
from vidlift.jobs.notes import alone
from vidlift.training import architectures, checkpoint, gather, tune
from vidlift.training.history import Log

ON = ("--threads", 1, "--no-bf16", "--device", "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"), count=30)


def recipe_file(where: Path, *, architecture: str = "plain-4x1", **more: str) -> Path:
    values = {"name": '"t"', "tier": '"s"', "scale": "2", "architecture": f'"{architecture}"'}
    values |= {"pictures": '["."]', "steps": "2", "batch": "2", "patch": "16", **more}
    where.write_text("".join(f"{key} = {value}\n" for key, value in values.items()))
    return where


def run_of(where: Path, architecture: str = "plain-4x1") -> Path:
    """The folder of a run that is done."""
    where.mkdir(parents=True)
    network = architectures.build(architecture, scale=2)
    state = trained.checkpoint_of(network, architecture, scale=2, name="t")
    checkpoint.save(where / checkpoint.FILE, state)
    Log(where, step=1).write(step=1, loss=1.0, seconds=1.0)
    return where


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("data", "pack", "IN", "OUT", "--max-mb", "nan"), "MB"),
        (("data", "pack", "IN", "OUT", "--max-mb", "inf"), "MB"),
        (("data", "pack", "IN", "OUT", "--seed", "-1"), "--seed"),
        (("data", "pack", "IN", "OUT", "-s", "2"), "give --sequences"),
        (("data", "pack", "IN", "OUT", "--sequences", "--codecs", "h264=nan"), "shares"),
        (("data", "pack", "IN", "OUT", "--sequences", "--codecs", "clean=1,av1=nan"), "shares"),
        (("model", "tune", "s-x2", "--on", "FILM", "--minutes", "nan"), "minutes"),
        (("model", "tune", "s-x2", "--on", "FILM", "--minutes", "inf"), "minutes"),
        (("bench", "--seconds", "nan"), "seconds"),
        (("bench", "--seconds", "-1"), "seconds"),
        (("bench", "--seconds", "inf"), "seconds"),
        (("bench", "-s", "2", "--size", "100000x100000"), "size"),
        (("bench", "-s", "2", "--size", "50000x50000"), "at most"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_numbers_that_are_none_are_refused(
    tmp_path: Path, folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    places = {"IN": folder, "OUT": tmp_path / "out", "FILM": next(folder.glob("*.png"))}
    more = ("--out", tmp_path / "run", "--to", tmp_path) if arguments[1] == "tune" else ()
    ended = vidlift(*(places.get(each, each) for each in arguments), *more)
    assert ended.code == 2
    assert said in ended.err.splitlines()[-1]
    assert len(ended.err.splitlines()) <= 2
    assert not list(tmp_path.iterdir())


def test_a_chart_of_runs_has_an_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c.png"):
        run_of(tmp_path / "runs" / name)
    for last in ("b", "c.png"):
        ended = vidlift("model", "plot", "runs/a", f"runs/{last}")
        assert ended.code == 2
        assert ".png, .svg, .pdf" in ended.complaint
    assert [each.name for each in tmp_path.iterdir()] == ["runs"]
    assert not list((tmp_path / "runs").glob("*.png.png"))


def test_a_start_that_gives_some_layers_is_told(tmp_path: Path, folder: Path) -> None:
    start = run_of(tmp_path / "start", "plain-4x2")
    where = recipe_file(tmp_path / "r.toml", architecture="plain-4x3", start=f'"{start}"')
    command = ("model", "train", where, "--data", folder, "--out", tmp_path / "run", *ON)
    ended = vidlift(*command)
    assert ended.code == 0, ended.err
    assert f"5 of the 6 layers of t come from {start}" in ended.err
    assert "layers" not in vidlift(*command).err  # it has begun already
    same = recipe_file(tmp_path / "r.toml", architecture="plain-4x2", start=f'"{start}"')
    ended = vidlift("model", "train", same, "--data", folder, "--out", tmp_path / "same", *ON)
    assert ended.code == 0
    assert "layers" not in ended.err


def test_a_file_in_the_way_is_told_before_the_work(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_args: object, **_more: object) -> None:
        pytest.fail("the work was begun")

    run, there = run_of(tmp_path / "run", "plain-8x1"), tmp_path / "there"
    there.write_text("mine")
    (tmp_path / "folder.png").mkdir()
    monkeypatch.setattr(gather, "_planes", work)
    monkeypatch.setattr(tune, "tune", work)
    monkeypatch.setattr("vidlift.evaluation.foretell.foretell", work)
    monkeypatch.setattr("vidlift.training.dataset.load", work)
    film = next(folder.glob("*.png"))
    for command in (
        ("data", "pack", folder, there),
        ("model", "tune", "s-x2", "--on", film, "--to", there, "--out", tmp_path / "new"),
        ("model", "prune", run, there, "--to", "plain-4x1", "--data", folder),
        ("model", "prune", run, there / "below", "--to", "plain-4x1", "--data", folder),
        ("model", "export", run, there),
        ("bench", "-s", "2", "--report", there / "below.json"),
        ("bench", "-s", "2", "--chart", tmp_path / "folder.png"),
    ):
        ended = vidlift(*command)
        assert ended.code == 4, command
        assert "cannot write" in ended.complaint
    assert there.read_text() == "mine"
    assert not (tmp_path / "new").exists()


def test_one_run_is_trained_by_one_process(tmp_path: Path, folder: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    command = ("model", "train", recipe_file(tmp_path / "r.toml"), "--data", folder, "--out", out)
    with alone(out / LOCK, busy="not yet", cannot=""):
        ended = vidlift(*command, *ON)
        assert ended.code == 2
        assert f"another vidlift is training in {out}" in ended.complaint
        assert not (out / checkpoint.FILE).exists()
    assert vidlift(*command, *ON).code == 0
    assert vidlift(*command, *ON).code == 0  # nobody holds it any more


def test_a_run_that_never_began_leaves_no_folder(tmp_path: Path) -> None:
    where = recipe_file(tmp_path / "r.toml")
    (tmp_path / "empty").mkdir()
    command = ("model", "train", where, "--data", tmp_path / "empty", "--out", tmp_path / "run")
    assert vidlift(*command, *ON).code == InputError.exit_code
    assert not (tmp_path / "run").exists()
