"""However a command ends: one line and the exit code of its kind, a traceback only when asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import vidlift
from support.clips import make_clip
from vidlift import __version__
from vidlift.errors import VidliftError
from vidlift.jobs import probe as probe_job


def _all_kinds(kind: type[VidliftError] = VidliftError) -> list[type[VidliftError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _all_kinds(child))]


@pytest.mark.parametrize("kind", _all_kinds(), ids=lambda kind: kind.__name__)
def test_errors_for_users(kind: type[VidliftError], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_source: str) -> None:
        raise kind("[this] went wrong: " + "x" * 200)

    monkeypatch.setattr(probe_job, "probe", fail)
    ended = vidlift("probe", "film.mp4")
    assert ended.code == kind.exit_code
    assert ended.complaint.startswith("vidlift: [this] went wrong: xxx")
    with pytest.raises(kind):
        vidlift("--debug", "probe", "film.mp4")


def test_what_nobody_thought_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_source: str) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(probe_job, "probe", fail)
    ended = vidlift("probe", "film.mp4")
    assert ended.code == 1
    assert "ZeroDivisionError: division by zero" in ended.complaint
    assert "vidlift --debug" in ended.complaint
    with pytest.raises(ZeroDivisionError):
        vidlift("--debug", "probe", "film.mp4")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("upscale",), ("INPUT", "vidlift upscale --help")),
        (("upscale", "a.mp4", "b.mp4", "-s", "two"), ("--scale", "'two' is not a valid int")),
        (("upscale", "a.mp4", "b.mp4", "c.mp4"), ("c.mp4",)),
        (("upscale", "a.mp4", "b.mp4", "--faster"), ("--faster",)),
        (("enlarge", "a.mp4"), ("enlarge", "vidlift --help")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_use(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    ended = vidlift(*arguments)
    assert ended.code == 2
    for word in words:
        assert word in ended.complaint


def test_the_version() -> None:
    assert vidlift("--version").out == f"vidlift {__version__}\n"


@pytest.mark.parametrize("command", ["upscale", "verify", "probe", "play"])
def test_help_shows_its_brackets(command: str) -> None:
    ended = vidlift(command, "--help")
    assert ended.code == 0
    if command == "upscale":
        assert "[default: 2, or the model's]" in ended.out


def test_help_is_quick_to_load() -> None:
    """What is heavy is imported by the command that needs it."""
    heavy = ("av", "openvino", "onnxruntime", "torch", "sdl2", "onnx")
    code = f"import sys, vidlift.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_probe_is_for_programs_too(tmp_path: Path) -> None:
    ended = vidlift("probe", make_clip(tmp_path / "clip.mp4"), "--json")
    assert json.loads(ended.out)["video"] == "h264, 64x48, yuv420p 8 bit"
