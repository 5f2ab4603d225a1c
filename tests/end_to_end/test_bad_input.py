"""What is wrong is said in one line, with the exit code of its kind, and nothing is left behind."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from support.cli import Ended, vidlift
from support.clips import make_clip
from support.networks import plain_network

FAST = ("-m", "bicubic-x2")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


def _refused(folder: Path, ended: Ended, code: int, *words: str) -> None:
    """It ended with that code and those words, and made no file in ``folder``."""
    assert ended.code == code, ended.err
    for word in words:
        assert word in ended.complaint
    assert not list(folder.glob("out*")), "something was left behind"


def _cut(clip: Path, where: Path, *, keep: float) -> Path:
    content = clip.read_bytes()
    where.write_bytes(content[: int(len(content) * keep)])
    return where


class TestInput:
    def test_missing(self, tmp_path: Path) -> None:
        ended = vidlift("upscale", tmp_path / "none.mp4", tmp_path / "out.mp4", *FAST)
        _refused(tmp_path, ended, 3, "no file", "none.mp4")

    def test_a_folder(self, tmp_path: Path) -> None:
        ended = vidlift("upscale", tmp_path, tmp_path / "out.mp4", *FAST)
        _refused(tmp_path, ended, 3, "is not a file")

    def test_a_text_named_mp4(self, tmp_path: Path) -> None:
        text = tmp_path / "text.mp4"
        text.write_text("All happy families are alike.\n" * 50)
        ended = vidlift("upscale", text, tmp_path / "out.mp4", *FAST)
        _refused(tmp_path, ended, 3, "text.mp4", "not a video that can be read")

    def test_an_empty_file(self, tmp_path: Path) -> None:
        empty = tmp_path / "empty.mkv"
        empty.touch()
        ended = vidlift("upscale", empty, tmp_path / "out.mp4", *FAST)
        _refused(tmp_path, ended, 3, "empty.mkv")

    def test_cut_before_its_index(self, clip: Path, tmp_path: Path) -> None:
        cut = _cut(clip, tmp_path / "cut.mp4", keep=0.6)
        ended = vidlift("upscale", cut, tmp_path / "out.mp4", *FAST)
        _refused(tmp_path, ended, 3, "cut.mp4", "cut short")

    def test_cut_in_the_middle(self, tmp_path: Path) -> None:
        whole = make_clip(tmp_path / "whole.mkv", frames=72)
        cut = _cut(whole, tmp_path / "cut.mkv", keep=0.5)
        ended = vidlift("upscale", cut, tmp_path / "out.mp4", *FAST)
        _refused(tmp_path, ended, 3, "cut.mkv", "it ends at", "--keep-going")

    def test_no_video_stream(self, tmp_path: Path) -> None:
        sound = tmp_path / "sound.m4a"
        with av.open(str(sound), "w", format="mp4") as container:
            stream = container.add_stream("aac", rate=48_000)
            silence = np.zeros((2, 1024), np.float32)
            chunk = av.AudioFrame.from_ndarray(silence, format="fltp", layout="stereo")
            chunk.sample_rate = 48_000
            container.mux(stream.encode(chunk))
            container.mux(stream.encode(None))
        ended = vidlift("upscale", sound, tmp_path / "out.mp4", *FAST)
        _refused(tmp_path, ended, 3, "holds no video stream, only audio")

    @pytest.mark.parametrize("command", ["probe", "verify"])
    def test_the_other_commands_say_the_same(self, command: str, tmp_path: Path) -> None:
        missing = tmp_path / "none.mp4"
        ended = vidlift(command, missing, *([missing] if command == "verify" else []))
        _refused(tmp_path, ended, 3, "no file")


class TestModel:
    def test_unknown(self, clip: Path, tmp_path: Path) -> None:
        ended = vidlift("upscale", clip, tmp_path / "out.mp4", "-m", "enormous-x2")
        _refused(tmp_path, ended, 6, "no model named 'enormous-x2'", "bicubic-x2")

    def test_no_such_file(self, clip: Path, tmp_path: Path) -> None:
        ended = vidlift("upscale", clip, tmp_path / "out.mp4", "-m", tmp_path / "none.onnx")
        _refused(tmp_path, ended, 6, "no model file")

    def test_not_onnx(self, clip: Path, tmp_path: Path) -> None:
        fake = tmp_path / "fake.onnx"
        fake.write_text("weights")
        ended = vidlift("upscale", clip, tmp_path / "out.mp4", "-m", fake)
        _refused(tmp_path, ended, 6, "not an ONNX file")

    def test_an_onnx_file_that_is_not_ours(self, clip: Path, tmp_path: Path) -> None:
        foreign = tmp_path / "foreign.onnx"
        onnx.save(_double(), foreign)
        ended = vidlift("upscale", clip, tmp_path / "out.mp4", "-m", foreign)
        _refused(tmp_path, ended, 6, "foreign.onnx", "not a Vidlift model")

    def test_operators_that_are_not_allowed(self, clip: Path, tmp_path: Path) -> None:
        model = onnx.load_model_from_string(plain_network().data)
        model.graph.node.append(helper.make_node("Loop", ["y", "y"], ["z"]))
        sly = tmp_path / "sly.onnx"
        onnx.save(model, sly)
        ended = vidlift("upscale", clip, tmp_path / "out.mp4", "-m", sly)
        _refused(tmp_path, ended, 6, "sly.onnx", "Loop")

    def test_of_another_scale(self, clip: Path, tmp_path: Path) -> None:
        ended = vidlift("upscale", clip, tmp_path / "out.mp4", "-s", 3, *FAST)
        _refused(tmp_path, ended, 2, "bicubic-x2 is for scale 2, not 3")


class TestOutput:
    def test_a_folder_that_cannot_be_written(self, clip: Path, tmp_path: Path) -> None:
        folder = Path("/sys")  # nobody can, not even root
        if os.geteuid() != 0:
            folder = tmp_path / "locked"
            folder.mkdir(mode=0o555)
        ended = vidlift("upscale", clip, folder / "out.mp4", *FAST)
        _refused(tmp_path, ended, 4, "cannot write beside the output", "out.mp4")

    def test_a_folder_that_is_not_there(self, clip: Path, tmp_path: Path) -> None:
        ended = vidlift("upscale", clip, tmp_path / "none" / "out.mp4", *FAST)
        _refused(tmp_path, ended, 4, "no folder")

    def test_it_exists(self, clip: Path, tmp_path: Path) -> None:
        there = tmp_path / "there.mp4"
        there.write_text("keep me")
        ended = vidlift("upscale", clip, there, *FAST)
        _refused(tmp_path, ended, 4, "there.mp4 exists", "--overwrite")
        assert there.read_text() == "keep me"

    @pytest.mark.parametrize("more", [(), ("--overwrite",)], ids=["plain", "overwrite"])
    def test_it_is_a_folder(self, more: tuple[str, ...], clip: Path, tmp_path: Path) -> None:
        folder = tmp_path / "folder.mp4"
        folder.mkdir()
        ended = vidlift("upscale", clip, folder, *FAST, *more)
        _refused(tmp_path, ended, 4, "folder.mp4 is a folder")

    @pytest.mark.parametrize("way", ["itself", "link", "detour"])
    def test_it_is_the_input(self, way: str, clip: Path, tmp_path: Path) -> None:
        output = {
            "itself": clip,
            "link": tmp_path / "link.mp4",
            "detour": clip.parent / ".." / clip.parent.name / clip.name,
        }[way]
        if way == "link":
            output.symlink_to(clip)
        before = clip.read_bytes()
        ended = vidlift("upscale", clip, output, *FAST, "--overwrite")
        _refused(tmp_path, ended, 2, "output and input are the same file")
        assert clip.read_bytes() == before

    @pytest.mark.parametrize("name", ["out.avi", "out.webm", "out"])
    def test_an_ending_that_is_not_known(self, name: str, clip: Path, tmp_path: Path) -> None:
        ended = vidlift("upscale", clip, tmp_path / name, *FAST)
        _refused(tmp_path, ended, 2, name, ".mp4", ".mkv")

    def test_none_given(self, clip: Path, tmp_path: Path) -> None:
        _refused(tmp_path, vidlift("upscale", clip, *FAST), 2, "no OUTPUT given")


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (("-s", 5), ("scale 5", "2, 3 and 4")),
            (("--codec", "vp9"), ("no codec named 'vp9'", "h264, hevc, av1")),
            (("--crf", 52), ("crf of h264 is 0 to 51, got 52",)),
            (("--codec", "av1", "--crf", -1), ("crf of av1 is 0 to 63, got -1",)),
            (("--verify", "0" * 64), ("--sink digest",)),
            (("--sink", "digest"), ("writes no file",)),
            (("--sink", "film"), ("writes no file",)),
        ],
        ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else None,
    )
    def test_refused(
        self,
        options: tuple[str | int, ...],
        words: tuple[str, ...],
        clip: Path,
        tmp_path: Path,
    ) -> None:
        ended = vidlift("upscale", clip, tmp_path / "out.mp4", *options)
        _refused(tmp_path, ended, 2, *words)

    def test_no_such_sink(self, clip: Path, tmp_path: Path) -> None:
        ended = vidlift("upscale", clip, "--sink", "film", *FAST)
        _refused(tmp_path, ended, 2, "no sink named 'film'", "digest", "null")

    def test_no_digest(self, clip: Path, tmp_path: Path) -> None:
        ended = vidlift("upscale", clip, "--sink", "digest", "--verify", "abc", *FAST)
        _refused(tmp_path, ended, 2, "64 hexadecimal digits", "abc")

    def test_a_codec_that_cannot_hold_it(self, tmp_path: Path) -> None:
        full = make_clip(tmp_path / "444.mp4", pix_fmt="yuv444p")
        ended = vidlift("upscale", full, tmp_path / "out.mp4", "--codec", "av1", *FAST)
        _refused(tmp_path, ended, 2, "av1 cannot hold yuv444p", "h264")


class TestReport:
    """It is looked at before the work: nothing has been made when it is refused."""

    @pytest.mark.parametrize("command", ["upscale", "verify"])
    def test_cannot_be_written(self, command: str, clip: Path, tmp_path: Path) -> None:
        report = tmp_path / "none" / "report.json"
        ended = vidlift(command, clip, tmp_path / "out.mp4", "--report", report)
        _refused(tmp_path, ended, 4, "cannot write the report")

    def test_is_a_folder(self, clip: Path, tmp_path: Path) -> None:
        ended = vidlift("upscale", clip, tmp_path / "out.mp4", *FAST, "--report", tmp_path)
        _refused(tmp_path, ended, 4, "cannot write the report")

    def test_would_replace_the_input(self, clip: Path, tmp_path: Path) -> None:
        before = clip.read_bytes()
        ended = vidlift("upscale", clip, tmp_path / "out.mp4", *FAST, "--report", clip)
        _refused(tmp_path, ended, 2, "would replace")
        assert clip.read_bytes() == before

    def test_leaves_nothing_where_the_run_fails(self, clip: Path, tmp_path: Path) -> None:
        report = tmp_path / "report.json"
        vidlift("upscale", clip, tmp_path / "out.mp4", "-m", "none", "--report", report)
        assert not report.exists()


def _double() -> onnx.ModelProto:
    """Somebody's ONNX file."""
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["z"])],
        "double",
        [info("x", TensorProto.FLOAT, [1])],
        [info("z", TensorProto.FLOAT, [1])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
