"""Figures are gathered over sets, saved and read back; the chart shows them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from support.clips import make_clip
from support.shared import require
from vidlift.errors import InputError, OutputError, UsageError
from vidlift.evaluation import chart, machine, report, sets, streams, subjects, tables
from vidlift.evaluation.chart import draw
from vidlift.evaluation.report import Figures
from vidlift.evaluation.timing import Time


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "photos").mkdir()
    (folder / "films").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "photos" / "noise.png")
    make_clip(folder / "films" / "zone.mkv", frames=3, sounds=0)
    return folder


@pytest.fixture(scope="module")
def figures(data: Path) -> list[Figures]:
    told: list[str] = []
    found = report.measure(
        [subjects.load("bicubic-x2"), subjects.load("bicubic-x3")],
        sets.find(data),
        streams=[streams.parse("clean"), streams.parse("h264-23")],
        threads=1,
        tell=told.append,
    )
    assert "bicubic-x3 x3 on films" in told
    return found


def test_bicubic_comes_first_of_each_scale(figures: list[Figures]) -> None:
    assert [(each.name, each.scale) for each in figures] == [
        ("bicubic", 2),
        ("bicubic-x2", 2),
        ("bicubic", 3),
        ("bicubic-x3", 3),
    ]
    for each in figures:
        assert list(each.pictures) == ["photos"]
        assert list(each.clips["films"]) == ["clean", "h264-23"]
        assert list(each.clips["films"]["clean"].clips) == ["zone"]


def test_figures_are_read_back_as_saved(figures: list[Figures], tmp_path: Path) -> None:
    where = tmp_path / "figures.json"
    report.save(where, timed(figures), made={"processor": "abacus"})
    assert report.load(where) == timed(figures)


def test_files_that_cannot_be_read_or_written(figures: list[Figures], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere"):
        report.save(tmp_path / "nowhere" / "figures.json", figures, made={})
    (tmp_path / "other.json").write_text('{"networks": [{}]}')
    (tmp_path / "lists.json").write_text('{"networks": [{"cost": null, "pictures": []}]}')
    for name in ("none.json", "other.json", "lists.json"):
        with pytest.raises(InputError, match=name):
            report.load(tmp_path / name)


def test_the_chart_is_drawn(figures: list[Figures], tmp_path: Path) -> None:
    require("charts")
    where = tmp_path / "chart.png"
    draw(timed(figures), where)
    with Image.open(where) as picture:
        assert picture.width < picture.height, "two scales below one another, one set"
    with pytest.raises(OutputError, match="chart"):
        draw(timed(figures), tmp_path / "nowhere" / "chart.png")


def test_a_chart_leaves_out_what_was_not_measured_on_a_set(
    figures: list[Figures], tmp_path: Path
) -> None:
    require("charts")
    where = tmp_path / "chart.svg"
    draw([*timed(figures), *(replace(each, pictures={}) for each in timed(figures))], where)
    assert where.stat().st_size > 0


def test_labels_of_points_in_one_place_are_apart(
    figures: list[Figures], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("charts")
    labels: list[Any] = []
    place = chart._keep_apart

    def placed(figure: Any, found: Sequence[Any]) -> None:
        place(figure, found)
        labels.extend(found)

    monkeypatch.setattr(chart, "_keep_apart", placed)
    of_one = next(each for each in timed(figures) if each.speed)
    draw([replace(of_one, name=f"network-{name}") for name in "abcd"], tmp_path / "chart.png")
    boxes = [label.get_window_extent() for label in labels]
    assert len(boxes) == 4
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_a_chart_of_what_was_not_timed_is_refused(figures: list[Figures], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--time"):
        draw(figures, tmp_path / "chart.png")


def test_without_the_extra_the_error_names_it(
    figures: list[Figures], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError, match=r"vidlift\[charts\]"):
        draw(timed(figures), tmp_path / "chart.png")


def timed(figures: list[Figures]) -> list[Figures]:
    """The figures, as if each but the baseline took five milliseconds."""
    taken = Time(median_ms=5.0, least_ms=4.0, ratio=1.0, runs=50)
    return [replace(each, speed={"openvino f32": taken} if each.cost else {}) for each in figures]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("m-x4", "m"),
        ("m-x4-clean", "m-clean"),
        ("xl-x2-low-int8", "xl-low-int8"),
        ("xlsr-x3", "xlsr"),
        ("fsrcnnx-8-0-4-1-x2", "fsrcnnx-8-0-4-1"),
        ("net-x40", "net-x40"),
    ],
)
def test_networks_of_one_tier_are_told_apart_in_the_chart(name: str, label: str) -> None:
    assert chart.label(name) == label


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["/home/me/vidlift/benchmarks/play.py", "--minutes", "5"], "python benchmarks/play.py"),
        (["/usr/bin/vidlift", "bench", "--minutes", "5"], "vidlift bench"),
    ],
)
def test_figures_say_by_what_command_they_came(
    monkeypatch: pytest.MonkeyPatch, typed: list[str], said: str
) -> None:
    monkeypatch.setattr("sys.argv", typed)
    assert tables.machine(machine.about()).startswith(f"`{said} --minutes 5`, 20")
