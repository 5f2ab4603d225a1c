"""Learning from a teacher: who may teach, what it says, and that a run goes on with it."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread, current_thread, main_thread

import numpy as np
import onnx
import pytest

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from support.cli import vidlift
from support.pictures import make_pictures
from support.shared import shared
from vidlift.cli import teachers
from vidlift.errors import InputError, UsageError
from vidlift.evaluation import subjects
from vidlift.evaluation.networks import open_network
from vidlift.training import architectures, checkpoint, loop, pictures, recipe, teach
from vidlift.training.machine import Machine
from vidlift.training.objective import Objective
from vidlift.training.patches import Batch
from vidlift.training.pictures import Picture
from vidlift.training.recipe import Recipe
from vidlift.training.teach import Teacher

MACHINE = Machine(device="cpu", threads=1, bf16=False)


def doubled(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.kron(plane, np.ones((2, 2))).astype(np.float32)


def teacher(cache: Path, **changes: object) -> Teacher:
    values = {"name": "old", "sha256": "1" * 64, "licence": "MIT", "scale": 2, "enlarge": doubled}
    return Teacher(cache=cache, **{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"), count=5)


def attach(found: list[Picture], by: Teacher, *, ensemble: bool = False) -> list[Picture]:
    return teach.taught(found, by, ensemble=ensemble, training_data="2" * 64)


def test_every_picture_gets_what_the_teacher_makes_of_it(tmp_path: Path, folder: Path) -> None:
    found = pictures.load([folder], scale=2)
    for picture in attach(found, teacher(tmp_path)):
        assert picture.taught is not None
        assert (picture.taught == doubled(picture.low)).all()


def test_of_full_range_a_teacher_knows_nothing(tmp_path: Path, folder: Path) -> None:
    """A published network of R'G'B' has never seen it, and would cut it off at 16 and 235."""
    found = pictures.load([folder], scale=2)
    for picture in attach(pictures.stretched(found, 1.7, scale=2), teacher(tmp_path)):
        assert picture.taught is not None
        assert (picture.taught == picture.high).all()


def test_a_teacher_sees_the_clean_picture_where_the_student_sees_a_coded_one(
    tmp_path: Path, folder: Path
) -> None:
    clean = pictures.load([folder], scale=2)
    coded = [replace(picture, low=picture.low // 8 * 8) for picture in clean]
    wanted = attach(clean, teacher(tmp_path / "clean"))
    for picture, other in zip(attach(coded, teacher(tmp_path / "coded")), wanted, strict=True):
        assert picture.taught is not None
        assert other.taught is not None
        assert (picture.taught == other.taught).all()


def test_a_teacher_is_asked_once(tmp_path: Path, folder: Path) -> None:
    found = pictures.load([folder], scale=2)
    asked: list[int] = []

    def counting(limit: int) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
        def enlarge(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
            if len(asked) == limit:
                raise KeyboardInterrupt
            asked.append(1)
            return doubled(plane)

        return enlarge

    with pytest.raises(KeyboardInterrupt):
        attach(found, teacher(tmp_path, enlarge=counting(3)))
    attach(found, teacher(tmp_path, enlarge=counting(99)))
    assert len(asked) == 5
    attach(found, teacher(tmp_path, enlarge=counting(5)))
    with pytest.raises(InputError, match="does not fit the training set"):
        attach(found[1:], teacher(tmp_path))


def test_two_runs_do_not_make_the_same_pictures_at_once(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = pictures.load([folder], scale=2)
    waits = Event()
    lock = fcntl.flock

    def locking(file: int, how: int) -> None:
        if current_thread() is not main_thread():
            waits.set()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", locking)
    asked: list[Thread] = []

    def enlarge(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
        asked.append(current_thread())
        if not other.is_alive() and not waits.is_set():
            other.start()
            assert waits.wait(60)
        return doubled(plane)

    came: list[Picture] = []
    other = Thread(target=lambda: came.extend(attach(found, teacher(tmp_path, enlarge=enlarge))))
    first = attach(found, teacher(tmp_path, enlarge=enlarge))
    other.join()
    assert asked == [main_thread()] * 5
    assert len(list(tmp_path.iterdir())) == 1
    for one, two in zip(first, came, strict=True):
        assert one.taught is not None
        assert two.taught is not None
        assert (one.taught == two.taught).all()


@pytest.mark.parametrize("licence", ["LGPL-3.0", "CC-BY-NC-SA-4.0", ""])
def test_a_teacher_whose_licence_forbids_it_is_refused(tmp_path: Path, licence: str) -> None:
    with pytest.raises(UsageError, match="teacher old: its licence is"):
        teacher(tmp_path, licence=licence)


def test_a_teacher_of_another_scale_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(UsageError, match="is for scale 3, not 2"):
        attach(pictures.load([folder], scale=2), teacher(tmp_path, scale=3))


def test_the_published_networks_that_may_teach() -> None:
    said = {
        where.stem: teach.licence_of(where.read_bytes())
        for where in shared("peers").glob("*.onnx")
        if where.stem.startswith(("rlfn", "span", "cunny", "fsrcnnx", "bicubicpp"))
    }
    allowed = {name for name, licence in said.items() if licence in teach.LICENCES}
    assert allowed == {name for name in said if name.startswith(("rlfn", "span"))}
    assert len(allowed) < len(said)


def test_an_ensemble_does_not_prefer_a_direction() -> None:
    rng = np.random.default_rng(1)
    kernel = rng.normal(size=(3, 3))

    def lopsided(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
        around = np.pad(plane.astype(np.float32), 1, mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3))
        return doubled(np.einsum("hwij,ij->hw", windows, kernel))

    plane = rng.integers(0, 256, (6, 9), np.uint8)
    mean = teach.ensembled(lopsided)
    assert mean(plane).shape == (12, 18)
    assert np.allclose(mean(np.rot90(plane)), np.rot90(mean(plane)), atol=1e-2)
    assert np.allclose(mean(plane[:, ::-1]), mean(plane)[:, ::-1], atol=1e-2)
    assert np.allclose(teach.ensembled(doubled)(plane), doubled(plane))


def peer(where: Path, takes: str, **metadata: str) -> Path:
    """A published network that doubles samples."""
    channels = {"rgb": 3, "y": 1}[takes]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Resize", [takes, "", "scales"], ["out"], mode="nearest")],
        "peer",
        [value(takes, TensorProto.FLOAT, ["N", channels, "H", "W"])],
        [value("out", TensorProto.FLOAT, ["N", channels, "H2", "W2"])],
        [numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"scale": "2", **metadata})
    onnx.save(model, where)
    return where


@pytest.mark.parametrize("takes", ["rgb", "y"])
def test_a_published_network_is_given_grey(tmp_path: Path, takes: str) -> None:
    where = peer(tmp_path / "peer.onnx", takes, y_range="full")
    plane = np.random.default_rng(2).integers(16, 236, (17, 20), np.uint8)
    network = open_network(subjects.load(where), threads=1)
    made = teachers.enlarge(network)(plane)
    assert np.abs(made - doubled(plane)).max() <= 0.5  # rounded by the network's own steps
    network.close()


def tiny(**changes: object) -> Recipe:
    values = {"name": "t", "tier": "s", "scale": 2, "architecture": "plain-8x1"}
    sizes = {"pictures": ["."], "steps": 6, "batch": 2, "patch": 16, "warmup": 2}
    return recipe.parse({**values, **sizes, **changes}, where="test")


def test_a_teacher_that_says_the_truth_changes_nothing() -> None:
    network = architectures.build("plain-8x1", scale=2)
    low, high = torch.rand(2, 1, 16, 16), torch.rand(2, 1, 32, 32)
    alone = Objective(tiny(), network)(network, Batch(low, high))
    taught = Objective(tiny(teacher="x"), network)(network, Batch(low, high, high))
    assert torch.allclose(alone, taught)
    other = Objective(tiny(teacher="x", teacher_share=1.0), network)
    assert torch.equal(other(network, Batch(low, 1 - high, high)), alone)


@pytest.mark.parametrize("padded", [("", ""), ("-edge", "-edge"), ("", "-edge")])
def test_features_are_followed_across_widths_depths_and_paddings(padded: tuple[str, str]) -> None:
    torch.set_num_threads(1)  # two that wait for one another on a busy machine take a minute
    names = (f"plain-8x2{padded[0]}", f"plain-16x4{padded[1]}")
    network, guide = (architectures.build(n, scale=2) for n in names)
    wanted = tiny(teacher="x", feature_share=1.0)
    objective = Objective(wanted, network, guide=guide)
    batch = Batch(torch.rand(2, 1, 16, 16), torch.rand(2, 1, 32, 32))
    learning = [*network.parameters(), *objective.adapters.parameters()]
    optimizer = torch.optim.Adam(learning, 1e-2)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = objective(network, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]
    folded = architectures.build("plain-8x2-fold2", scale=2)
    with pytest.raises(UsageError, match="as many positions"):
        Objective(wanted, folded, guide=guide)


@pytest.mark.parametrize("kind", ["", "-edge", "-fold2", "-fold2-edge"])
def test_features_are_followed_all_over_the_picture(kind: str) -> None:
    torch.manual_seed(0)
    network, guide = (architectures.build(n + kind, scale=2) for n in ("plain-8x1", "plain-8x3"))
    objective = Objective(tiny(teacher="x", feature_share=1.0), network, guide=guide)
    plain = Objective(tiny(), network)

    def features_apart(low: torch.Tensor) -> float:
        batch = Batch(low, torch.rand(1, 1, 80, 80, generator=torch.manual_seed(1)))
        with torch.no_grad():
            return float(objective(network, batch) - plain(network, batch))

    low = torch.rand(1, 1, 40, 40)
    before = features_apart(low)
    for corner in ((0, 0), (0, 39), (39, 0), (39, 39)):
        other = low.clone()
        other[0, 0, corner[0], corner[1]] += 5
        assert abs(features_apart(other) - before) > 1e-4


def test_a_taught_run_goes_on_to_the_bit(tmp_path: Path, folder: Path) -> None:
    torch.manual_seed(3)
    by = teacher(tmp_path / "cache", network=architectures.build("plain-8x3", scale=2))
    wanted = tiny(teacher="old", feature_share=0.5)
    whole = loop.train(wanted, data=folder, out=tmp_path / "whole", on=MACHINE, teacher=by)
    parts = tmp_path / "parts"
    loop.train(wanted, data=folder, out=parts, on=MACHINE, teacher=by, stop_at=3)
    resumed = loop.train(wanted, data=folder, out=parts, on=MACHINE, teacher=by)
    assert whole.adapters
    for one, other in ((whole.average, resumed.average), (whole.adapters, resumed.adapters)):
        for name, weight in one.items():
            assert torch.equal(weight, other[name]), name
    changed = replace(by, sha256="3" * 64)
    with pytest.raises(UsageError, match="another teacher"):
        loop.train(wanted, data=folder, out=parts, on=MACHINE, teacher=changed)


def test_a_run_teaches_another_from_the_command_line(tmp_path: Path, folder: Path) -> None:
    loop.train(tiny(name="big"), data=folder, out=tmp_path / "big", on=MACHINE)
    student = tmp_path / "small.toml"
    student.write_text(
        'name = "small"\ntier = "s"\nscale = 2\narchitecture = "plain-8x1"\npictures = ["."]\n'
        "steps = 3\nbatch = 2\npatch = 16\nfeature_share = 0.1\n"
    )
    options = ("--data", folder, "--out", tmp_path / "small", "--device", "cpu", "--threads", 1)
    ended = vidlift("model", "distill", student, "--teacher", tmp_path / "big", *options)
    assert ended.code == 0, ended.err
    state = checkpoint.load(tmp_path / "small" / checkpoint.FILE)
    assert (state.step, state.recipe.teacher) == (3, str(tmp_path / "big"))
    assert len(list((tmp_path / "taught").glob("*.luma"))) == 1
    ended = vidlift("model", "distill", student, *options)
    assert ended.code == 2
    assert "names no teacher" in ended.complaint
    published = peer(tmp_path / "peer.onnx", "y", licence="LGPL-3.0")
    ended = vidlift("model", "distill", student, "--teacher", published, *options)
    assert ended.code == 2
    assert "teaches pictures only" in ended.complaint
