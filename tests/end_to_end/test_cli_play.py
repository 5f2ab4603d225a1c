"""What ``vidlift play`` makes of its options."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from support.cli import vidlift
from support.clips import make_clip
from support.servers import part_of, scripted

SILENT = ("--display", "none", "-s", 2, "-m", "bicubic-x2")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", sounds=2)


class TestDryRun:
    @pytest.mark.parametrize(("more", "kept"), [([], True), (["--no-cache"], False)])
    def test_keeps_what_it_received_unless_told_not_to(
        self, more: list[str], kept: bool, clip: Path
    ) -> None:
        content = clip.read_bytes()
        with scripted(lambda asked: [part_of(content, asked, etag='"a"')]) as (url, _):
            assert vidlift("play", f"{url}/film.mp4", "--dry-run", "-s", 2, *more).code == 0
        assert (Path(os.environ["XDG_CACHE_HOME"]) / "vidlift" / "received").exists() == kept

    def test_its_report_is_the_plan(self, clip: Path, tmp_path: Path) -> None:
        report = tmp_path / "plan.json"
        ended = vidlift("play", clip, clip, "--dry-run", "-s", 2, "--report", report)
        assert ended.code == 0
        plans = json.loads(report.read_text())["plans"]
        assert [plan["source"] for plan in plans] == [str(clip)] * 2
        assert plans[0]["size"] == [64, 48]
        assert plans[0]["network"] in {each["network"] for each in plans[0]["candidates"]}
        assert {"network", "engine", "ms_a_frame", "verdict"} == set(plans[0]["candidates"][0])


class TestTracks:
    @pytest.mark.parametrize("none", ["none", "NONE"])
    def test_no_sound(self, none: str, clip: Path, tmp_path: Path) -> None:
        report = tmp_path / "report.json"
        ended = vidlift("play", clip, *SILENT, "--sound", none, "--report", report)
        assert (ended.code, ended.err) == (0, "")
        assert json.loads(report.read_text())["extra"]["clock"] == "wall"

    def test_no_subtitles_however_it_is_written(self, clip: Path) -> None:
        ended = vidlift("play", clip, *SILENT, "--subtitles", "None")
        assert (ended.code, ended.err) == (0, "")

    def test_a_track_that_is_not_there_is_named(self, clip: Path) -> None:
        ended = vidlift("play", clip, *SILENT, "--sound", 3)
        assert ended.code == 0
        assert "has no sound 3; it has 1, 2" in ended.complaint


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--duration", "nan"), "a duration is"),
        (("--duration", "inf"), "a duration is"),
        (("--duration", 0), "a duration is"),
        (("--threads", 0), "at least one thread"),
        (("--threads", -3), "at least one thread"),
        (("--threads", 1_000_000_000), "at most 1024"),
        (("--scale", "5"), "scale 5"),
        (("--scale", "x"), "none of auto, 2, 3, 4"),
        (("--display", "tv"), "display 'tv'"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["play", "dry run"])
def test_numbers_that_are_none(
    dry: list[str], options: tuple[str | int, ...], said: str, clip: Path
) -> None:
    ended = vidlift("play", clip, "--display", "none", *options, *dry)
    assert ended.code == 2
    assert said in ended.complaint


@pytest.mark.parametrize(
    ("options", "remarks"),
    [(("--duration", "0"), 0), (("--dry-run",), 0), (("--duration", "0.1"), 1)],
)
def test_that_there_is_no_screen_is_said_once_it_matters(
    options: tuple[str, ...], remarks: int, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    ended = vidlift("play", clip, "-s", 2, "-m", "bicubic-x2", *options)
    assert ended.err.count("no screen found") == remarks


@pytest.mark.parametrize("content", [None, "no film"], ids=["missing", "no video"])
def test_what_is_wrong_with_the_film_is_said_before_that_there_is_no_screen(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    film = tmp_path / "film.mp4"
    if content is not None:
        film.write_text(content)
    ended = vidlift("play", film, "-s", 2, "-m", "bicubic-x2")
    assert ended.code == 3
    assert "film.mp4" in ended.complaint
    assert "no screen" not in ended.err
