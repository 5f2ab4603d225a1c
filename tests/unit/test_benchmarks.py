"""What the benchmarks keep: of runs side by side nothing is lost, and what is old is told apart."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from onnx import TensorProto, helper

from vidlift.descriptor import SCALES
from vidlift.errors import OutputError
from vidlift.evaluation import machine, report, script, sets, subjects
from vidlift.evaluation.clips import ClipScore, SetScore
from vidlift.evaluation.domination import CLIPS, PICTURES, STREAM, Verdict
from vidlift.evaluation.pictures import Score
from vidlift.evaluation.report import Figures

FOLDER = Path(__file__).parents[2] / "benchmarks"


def benchmark(name: str) -> ModuleType:
    spec = spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


quality, domination, colour, speed, variants, peers_int8 = map(
    benchmark, ("quality", "domination", "colour", "speed", "variants", "peers_int8")
)

SCORE = Score(psnr=30.0, ssim=0.9, pictures=1)
CLIP = SetScore(mean=ClipScore(**dict.fromkeys(ClipScore.__dataclass_fields__, 30.0)), clips={})


def figures(name: str, *sets: str, sha256: str = "1", streams: tuple[str, ...] = ()) -> Figures:
    return Figures(
        name=name,
        tier="m",
        scale=4,
        sha256=sha256,
        setup="onnxruntime f32",
        pictures=dict.fromkeys(sets, SCORE),
        clips={"vid4": dict.fromkeys(streams, CLIP)} if streams else {},
    )


def test_runs_side_by_side_lose_nothing_of_one_another(tmp_path: Path) -> None:
    where = tmp_path / "quality.json"
    quality.keep(where, figures("a", "Set5", streams=("clean",)))
    # Another run began before that, and knows nothing of it.
    quality.keep(where, figures("b", "Set5"))
    kept = quality.keep(where, figures("a", "Set14", streams=("h264-28",)))
    assert kept == report.load(where)
    (a, b) = kept
    assert (a.name, set(a.pictures), set(a.clips["vid4"])) == (
        "a",
        {"Set5", "Set14"},
        {"clean", "h264-28"},
    )
    assert (b.name, set(b.pictures)) == ("b", {"Set5"})
    assert [file.name for file in tmp_path.iterdir()] == ["quality.json"]


def test_a_network_that_was_trained_anew_takes_the_place_of_the_old(tmp_path: Path) -> None:
    where = tmp_path / "quality.json"
    quality.keep(where, figures("a", "Set5", "Set14"))
    (kept,) = quality.keep(where, figures("a", "Set5", sha256="2"))
    assert (kept.sha256, set(kept.pictures)) == ("2", {"Set5"})


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "quality.json"
    quality.keep(where, figures("a", "Set5"))

    def fails(part: Path, *_: object, **__: object) -> None:
        part.write_text("half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "save", fails)
    with pytest.raises(KeyboardInterrupt):
        quality.keep(where, figures("b", "Set5"))
    assert [each.name for each in report.load(where)] == ["a"]


def verdict(ours: str, setup: str) -> Verdict:
    setups = (setup, "openvino bf16")
    return Verdict(peer="p", scale=4, ours=ours, share=0.5, margin=0.1, worst="Set5", setups=setups)


def test_quality_that_is_taken_for_granted_is_named() -> None:
    verdicts = [
        verdict("a", "openvino f32"),
        verdict("b", "openvino mixed"),
        verdict("c", "openvino mixed"),
        verdict("c", "openvino bf16"),
    ]
    measured = [figures("b"), Figures(name="c", tier="m", scale=4, setup="openvino bf16")]
    found = domination.granted(verdicts, measured)
    assert found == ["b in mixed", "c in mixed"]


def test_a_page_of_colour_keeps_the_scales_that_are_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = {scale: subjects.load(f"bicubic-x{scale}") for scale in SCALES}

    def scored(found: Figures) -> Figures:
        return replace(
            found, pictures=dict.fromkeys(PICTURES, SCORE), clips={CLIPS: {STREAM: CLIP}}
        )

    monkeypatch.setattr(colour, "RESULTS", tmp_path)
    monkeypatch.setattr(sets, "find", lambda *_: [])
    monkeypatch.setattr(colour, "_subjects", lambda _: list(networks.values()))
    monkeypatch.setattr(colour, "_measured", lambda _subject, found, _tests: scored(found))
    usual = [scored(report.about(each, scale=scale)) for scale, each in networks.items()]
    report.save(tmp_path / "quality.json", usual, made={})
    report.save(tmp_path / "speed.json", [], made={})
    for scale in (2, 4):
        given = ["colour.py", "--data", "D", "--peers", "P", "--scales", str(scale)]
        monkeypatch.setattr(sys, "argv", given)
        colour.main()
    page = (tmp_path / "colour.md").read_text()
    assert [f"bicubic-x{scale}" in page for scale in SCALES] == [True, False, True]


def test_times_of_another_day_are_kept_and_those_of_another_machine_are_not(tmp_path: Path) -> None:
    where = tmp_path / "speed.json"
    made = {**machine.about(), "threads": 2}
    report.save(where, [figures("a", "Set5")], made={**made, "command": "other", "date": "1999"})
    assert [each.name for each in speed.kept(where, made)] == ["a"]
    assert not speed.kept(where, {**made, "threads": 1})
    assert not speed.kept(where, {**made, "processor": "another"})
    assert not speed.kept(tmp_path / "none.json", made)


def test_times_are_of_all_commands_that_they_were_taken_by(tmp_path: Path) -> None:
    where = tmp_path / "speed.json"
    made = {**machine.about(), "command": "second"}
    report.save(where, [figures("a", "Set5")], made={**made, "command": "first"})
    assert speed.by_both(where, made) == {**made, "command": "first; second"}


def _raising(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("main", "code", "said"),
    [
        (lambda: None, None, ""),
        (lambda: 1, 1, ""),
        (_raising(OutputError("no room")), 4, "speed: no room\n"),
        (_raising(FileNotFoundError(2, "none", "a")), 3, "speed: [Errno 2] none: 'a'\n"),
        (_raising(KeyboardInterrupt()), 130, "speed: interrupted\n"),
    ],
)
def test_how_a_script_ends(
    main: Callable[[], int | None],
    code: int | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks/speed.py"])
    with pytest.raises(SystemExit) as ended:
        script.run(main)
    assert ended.value.code == code
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "many"])
def test_how_many_is_one_at_least(text: str) -> None:
    assert script.count("12") == 12
    with pytest.raises(ArgumentTypeError):
        script.count(text)


@pytest.mark.parametrize(
    ("module", "arguments", "code", "said"),
    [
        (quality, ["--data", "{}", "--only", "none"], 2, "no network is named or begins with none"),
        (quality, ["--data", "{}", "--peers", "{}"], 3, "no published network (*.onnx) in {}"),
        (colour, ["--data", "{}", "--peers", "{}"], 3, "no published network (*.onnx) in {}"),
        (speed, ["--only", "none", "no"], 2, "no network is named or begins with none or no"),
        (speed, ["--peers", "{}"], 3, "no published network (*.onnx) in {}"),
        (variants, ["{}", "--out", "{}", "--only", "n"], 2, "no network is named or begins with n"),
    ],
)
def test_results_stay_where_a_script_is_told_wrong(
    module: ModuleType,
    arguments: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    results, empty = tmp_path / "results", tmp_path / "empty"
    results.mkdir()
    empty.mkdir()
    report.save(results / "quality.json", [], made={})
    monkeypatch.setattr(module, "RESULTS", results)
    monkeypatch.setattr(sets, "find", lambda *_: [])
    name = module.__name__.removeprefix("benchmark_")
    monkeypatch.setattr(sys, "argv", [name, *(each.format(empty) for each in arguments)])
    with pytest.raises(SystemExit) as ended:
        script.run(module.main)
    assert ended.value.code == code
    assert capsys.readouterr().err == f"{name}: {said.format(empty)}\n"
    assert [file.name for file in results.iterdir()] == ["quality.json"]


def test_of_a_published_network_what_sees_the_picture_stays_in_float32() -> None:
    steps = {
        "scaled": ("Mul", "y"),
        "head": ("Conv", "scaled"),
        "active": ("Relu", "head"),
        "body": ("Conv", "active"),
        "tail": ("Conv", "body"),
        "sum": ("Add", "tail", "scaled"),
        "big": ("DepthToSpace", "sum"),
    }
    nodes = [helper.make_node(kind, inputs, [name]) for name, (kind, *inputs) in steps.items()]
    y, big = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", "big"))
    found = peers_int8._tries(helper.make_graph(nodes, "net", [y], [big]))
    assert [set(names) for names in found] == [
        {"scaled", "head", "sum", "big"},
        {"scaled", "head", "sum", "big", "tail"},
    ]
