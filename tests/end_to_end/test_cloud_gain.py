"""What a title tells of super-resolution: measured when it is published, reported afterwards."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from statistics import fmean
from typing import Any

import jsonschema
import pytest
from PIL import Image

from support.cli import vidlift
from support.clips import make_clip
from support.shared import ROOT, require
from vidlift import models, vmaf
from vidlift.cloud import publish as publishing
from vidlift.cloud.gain import Gain, GainMeter, networks
from vidlift.cloud.ladder import Rung
from vidlift.cloud.library import Title
from vidlift.cloud.publish import PublishOptions, publish
from vidlift.frame import Frame
from vidlift.video import VideoInfo

OPTIONS = PublishOptions(rungs=(48, 64), tiers=("s",), crf=28)


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "docs" / "card.schema.json").read_text())
    return found


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("clip") / "film.mp4"
    return make_clip(where, frames=100, width=192, height=128)


@pytest.fixture(scope="module")
def measured(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Title:
    return publish(clip, tmp_path_factory.mktemp("library"), OPTIONS)


def test_the_card_says_how_each_rung_looks_in_each_way(measured: Title) -> None:
    jsonschema.Draft202012Validator(schema()).validate(measured.card)
    ways = [["bilinear", f"bicubic-x{scale}", *networks(("s",), scale)] for scale in (3, 2)]
    for rendition, expected in zip(measured.renditions, ways, strict=True):
        quality = rendition["psnr_y"]
        assert list(quality["segments"]) == list(quality["mean"]) == expected
        for way, values in quality["segments"].items():
            assert len(values) == len(measured.card["segments"]) == 2
            assert quality["mean"][way] == pytest.approx(fmean(values), abs=0.001)
    for name in ways[1][1:]:
        assert measured.card["models"][name] == models.load(name).sha256
    best = measured.renditions[-1]["psnr_y"]["mean"]
    assert best["bilinear"] < best["bicubic-x2"]


def test_vmaf_is_measured_where_it_is_at_hand(measured: Title) -> None:
    require("vmaf")
    for rendition in measured.renditions:
        for measure in ("vmaf", "vmaf_neg"):
            quality = rendition[measure]
            assert list(quality["mean"]) == list(rendition["psnr_y"]["mean"])
            assert all(0 <= value <= 100 for value in quality["mean"].values())
    small, large = (rendition["vmaf"]["mean"] for rendition in measured.renditions)
    assert small["bilinear"] < large["bilinear"] < large["bicubic-x2"]


def test_without_vmaf_a_title_is_published_all_the_same(
    clip: Path, measured: Title, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vmaf, "is_there", lambda: False)
    title = publish(clip, tmp_path, PublishOptions(rungs=(64,), tiers=("s",), crf=28))
    jsonschema.Draft202012Validator(schema()).validate(title.card)
    (only,) = title.renditions
    assert "vmaf" not in only
    # x264 gives now and then a few other bits to the same pictures.
    assert only["psnr_y"]["mean"] == pytest.approx(
        measured.renditions[-1]["psnr_y"]["mean"], abs=0.2
    )


class Judge(GainMeter):
    """Says of each rung what it was told."""

    says: dict[str, tuple[float, float]] = {}  # noqa: RUF012
    seen: list[list[Fraction]] = []  # noqa: RUF012
    """Times of the frames of each segment that it was asked to judge by."""

    def __init__(self, info: VideoInfo, rungs: Iterable[Rung], *, tiers: Sequence[str]) -> None:
        super().__init__(info, rungs, tiers=())

    def __call__(self, segments: dict[str, bytes], originals: Sequence[Frame]) -> Gain:
        self.seen.append([frame.pts for frame in originals])
        return {
            rung: {"bicubic-x2": {"psnr_y": plain}, "m-x2": {"psnr_y": ours}}
            for rung, (plain, ours) in self.says.items()
        }


def test_a_segment_is_judged_away_from_where_it_begins(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where a film fades in from black, interpolation looks as good as anything.
    monkeypatch.setattr(publishing, "GainMeter", Judge)
    monkeypatch.setattr(Judge, "says", {"64p": (30, 31)})
    monkeypatch.setattr(Judge, "seen", [])
    title = publish(clip, tmp_path, PublishOptions(rungs=(64,), tiers=("m",), crf=28))
    whole, short = Judge.seen
    assert whole[0] < whole[1] == Fraction(5, 2)
    end = Fraction(title.card["segments"][1]["end"])
    assert short[0] < short[1] < end < 6, "the last two of a segment that is shorter than that"
    assert short[0] > 4


@pytest.mark.parametrize(
    ("says", "needless"),
    [
        ({"32p": (30, 31), "48p": (31.05, 32), "64p": (33, 34)}, ["48p"]),
        ({"32p": (30, 31), "48p": (31.5, 32), "64p": (31.9, 34)}, ["64p"]),
        ({"32p": (30, 31), "48p": (31, 33), "64p": (32, 34)}, ["48p"]),
        ({"32p": (30, 35), "48p": (31, 33), "64p": (32, 34)}, ["48p", "64p"]),
        ({"32p": (30, 31), "48p": (32, 33), "64p": (34, 35)}, []),
    ],
    ids=["as-good-within-a-tenth", "the-best", "what-is-left-out-replaces-none", "all", "none"],
)
def test_needless_rungs_are_named_and_left_out(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    says: dict[str, tuple[float, float]],
    needless: list[str],
) -> None:
    monkeypatch.setattr(publishing, "GainMeter", Judge)
    monkeypatch.setattr(Judge, "says", says)
    clip = make_clip(tmp_path / "film.mp4", frames=4, width=96, height=80)
    common = "--rungs", "32,48,64", "--no-progress"
    ended = vidlift("cloud", "publish", clip, tmp_path / "all", *common)
    for name in needless:
        assert f"{name} is needless with super-resolution: --prune leaves it out" in ended.out
    ended = vidlift("cloud", "publish", clip, tmp_path / "pruned", *common, "--prune")
    assert ended.code == 0
    folder = tmp_path / "pruned" / "film"
    card = json.loads((folder / "vidlift.json").read_text())
    jsonschema.Draft202012Validator(schema()).validate(card)
    kept = [name for name in says if name not in needless]
    assert card["needless"] == needless
    assert [r["name"] for r in card["renditions"]] == kept
    assert card["renditions"][-1]["file"].endswith(f"/{kept[-1]}.mp4")
    content = folder / card["version"]
    assert {p.name for p in content.iterdir() if p.name.endswith("p")} == set(kept)
    master = (folder / "master.m3u8").read_text()
    assert [name for name in says if f"/{name}/" in master] == kept


def test_the_report_shows_it(measured: Title, tmp_path: Path) -> None:
    require("vmaf")
    figures = tmp_path / "figures.json"
    ended = vidlift("cloud", "report", measured.folder, "--json", figures)
    assert ended.code == 0
    assert "VMAF-NEG" in ended.out
    assert "s against bicubic at equal PSNR-Y: " in ended.out
    found = json.loads(figures.read_text())
    assert found["rungs"] == ["48p", "64p"]
    assert list(found["curves"]) == list(found["saved"]) == ["psnr_y", "vmaf", "vmaf_neg"]
    assert list(found["curves"]["vmaf"]) == ["bilinear", "bicubic", "s"]
    assert list(found["saved"]["vmaf"]) == ["s"]
    large = measured.renditions[-1]
    assert found["rates"][-1] == large["bits_per_second"]
    assert found["curves"]["vmaf"]["s"][-1] == large["vmaf"]["mean"][next(networks(("s",), 2))]


def test_the_report_is_drawn(measured: Title, tmp_path: Path) -> None:
    require("charts")
    chart = tmp_path / "chart.png"
    assert vidlift("cloud", "report", measured.folder, "--chart", chart).code == 0
    with Image.open(chart) as picture:
        assert picture.width > picture.height > 300


@pytest.mark.parametrize(
    ("option", "file", "code"),
    [
        ("--json", "no/figures.json", 4),
        ("--json", ".", 4),
        ("--chart", "no/chart.png", 4),
        ("--chart", "chart.xyz", 2),
    ],
)
def test_where_the_report_goes_is_looked_at_first(
    option: str, file: str, code: int, measured: Title, tmp_path: Path
) -> None:
    ended = vidlift("cloud", "report", measured.folder, option, tmp_path / file)
    assert (ended.code, ended.out) == (code, "")
    assert str(tmp_path / file) in ended.complaint


def test_the_report_does_not_take_the_place_of_the_title(measured: Title) -> None:
    card = measured.folder / "vidlift.json"
    before = card.read_bytes()
    ended = vidlift("cloud", "report", measured.folder, "--json", card)
    assert ended.code == 2
    assert card.read_bytes() == before


def test_no_chart_without_matplotlib(measured: Title, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    ended = vidlift("cloud", "report", measured.folder, "--chart", "chart.png")
    assert ended.code == 2
    assert "vidlift[charts]" in ended.complaint


def test_nothing_to_report(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "film.mp4", frames=2)
    title = publish(clip, tmp_path / "library", PublishOptions(rungs=(32,)))
    for folder, why in ((title.folder, "--gain m"), (tmp_path, "is no title")):
        ended = vidlift("cloud", "report", folder)
        assert ended.code == 3
        assert why in ended.complaint


def test_a_tiny_video_is_published_without_the_gain(tmp_path: Path) -> None:
    tiny = make_clip(tmp_path / "tiny.mp4", frames=3, width=64, height=16)
    title = publish(tiny, tmp_path / "library", OPTIONS)
    (only,) = title.renditions
    assert (only["width"], only["height"]) == (64, 16)
    assert "psnr_y" not in only
    assert title.card["warnings"] == ["the gain is not measured: 64x16 is too small for it"]
