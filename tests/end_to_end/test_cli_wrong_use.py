"""What a new user gets wrong is told before any work is done, in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.cli import vidlift
from support.clips import make_clip
from support.servers import Asked, answer, scripted


@pytest.mark.parametrize("group", ["model", "data", "cloud"])
def test_a_group_of_commands_alone_is_its_help(group: str) -> None:
    ended = vidlift(group)
    assert ended.code == 2
    assert f"Usage: vidlift {group} " in ended.err.splitlines()[0]
    assert len(ended.err.splitlines()) > 5


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("upscale URL out.avi", 2, "the ending says the container"),
        ("upscale URL there.mp4", 4, "there.mp4 exists"),
        ("upscale URL no/out.mp4", 4, "no folder no"),
        ("upscale URL out.mp4 -m nope", 6, "no model named 'nope'"),
        ("upscale URL out.mp4 -m xs-x2 -s 3", 2, "xs-x2 is for scale 2"),
        ("upscale URL out.mp4 --report no/report.json", 4, "cannot write the report"),
        ("upscale URL kept.mp4", 2, "output and --save"),
        ("upscale URL", 2, "no OUTPUT given"),
        ("upscale URL out.mp4 --sink null", 2, "writes no file"),
        ("upscale URL --sink film", 2, "no sink named 'film'"),
    ],
)
def test_nothing_is_received_for_a_job_that_cannot_be_done(
    line: str, code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.mp4").touch()
    with scripted(lambda _: [answer("404 Not Found")]) as (url, asked):
        words = [f"{url}/film.mp4" if word == "URL" else word for word in line.split()]
        ended = vidlift(*words, "--save", "kept.mp4")
    assert ended.code == code
    assert said in ended.complaint
    assert asked == []
    assert [path.name for path in tmp_path.iterdir()] == ["there.mp4"]


@pytest.mark.parametrize(
    ("save", "code", "said"),
    [("no/kept.mp4", 4, "no folder no"), ("kept.avi", 2, "the ending says the container")],
)
def test_nor_where_it_cannot_be_kept(
    save: str, code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def refuse(_: Asked) -> list[bytes]:
        return [answer("404 Not Found")]

    with scripted(refuse) as (url, asked):
        ended = vidlift("upscale", f"{url}/film.mp4", "out.mp4", "--save", save)
    assert (ended.code, asked) == (code, [])
    assert said in ended.complaint


@pytest.mark.parametrize(
    ("chart", "code", "said"),
    [
        ("chart.foo", 2, ".png, .svg, .pdf"),
        ("chart", 2, ".png, .svg, .pdf"),
        ("folder.png", 4, "cannot write the chart"),
        ("no/chart.png", 4, "cannot write the chart"),
    ],
)
@pytest.mark.parametrize(
    "line",
    ["bench -s 2 --rounds 1 --seconds 0 --size 16x16", "model eval bicubic-x2 --data set --time"],
    ids=["bench", "eval"],
)
def test_a_chart_is_looked_at_before_the_work(
    line: str, chart: str, code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "set").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "set" / "noise.png")
    ended = vidlift(*line.split(), "--chart", chart)
    assert ended.code == code
    assert said in ended.complaint, "and nothing was timed"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bench --rounds 1000000000", "at most 10000"),
        ("bench --threads 0", "at least one thread"),
        ("model eval xs-x2 --data . --threads 1000000000", "1<=x<=1024"),
        ("model train none.toml --threads 1000000000", "1<=x<=1024"),
        ("bench --engine foo", "no engine named 'foo'"),
        ("demo --display tv --out demo", "display 'tv'"),
    ],
)
def test_refused_at_once(
    line: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = vidlift(*line.split())
    assert ended.code == 2
    assert said in ended.complaint
    assert not list(tmp_path.iterdir())


def test_doctor_looks_at_its_report_first(tmp_path: Path) -> None:
    ended = vidlift("doctor", "--report", tmp_path / "no" / "report.json")
    assert (ended.code, ended.out) == (4, "")
    assert "cannot write the report" in ended.complaint


def test_a_name_with_brackets_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_clip(tmp_path / "clip.mp4").rename("[red]clip.mp4")
    ended = vidlift("play", "[red]clip.mp4", "--dry-run", "-s", 2, "-m", "bicubic-x2")
    assert ended.code == 0
    assert "[red]clip.mp4" in ended.out
