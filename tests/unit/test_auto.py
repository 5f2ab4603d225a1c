"""The names of a tier's networks, and which of them a stream is given."""

from __future__ import annotations

import json
import lzma
import statistics
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.clips import make_clip
from support.networks import plain_network
from vidlift import models
from vidlift.descriptor import SCALES, TIERS
from vidlift.errors import ModelError, UsageError
from vidlift.jobs.judge import judge
from vidlift.jobs.upscale import UpscaleOptions
from vidlift.models import auto, family, kernels
from vidlift.models.auto import Stream
from vidlift.models.family import Training
from vidlift.player.calibration import Speeds
from vidlift.player.ladder import Engines, Ladders
from vidlift.sources.synthetic import SyntheticSource
from vidlift.upscaler import Upscaler
from vidlift.video import VideoInfo

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"

BOTH = ("m-x4", "m-x4-clean", "m-x4-clean-int8", "m-x4-int8", "m-x4-low", "s-x4-clean", "l-x4")

FEW, MANY = 0.2, 3.0
"""Bits a pixel of a stream that counts as coded, and of one that counts as clean."""

Ship = Callable[..., None]


@pytest.fixture
def ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ship:
    """A catalogue of networks by these names, in the place of the shipped one."""

    def make(*names: str) -> None:
        folder = tmp_path / "shipped"
        folder.mkdir()
        (folder / models.BICUBIC).symlink_to(kernels.FOLDER)
        for name in names:
            member = family.parse(name)
            assert member is not None
            network = plain_network(scale=member.scale, tier=member.tier, channels=2)
            graph = onnx.load_model_from_string(network.data)
            onnx.helper.set_model_props(graph, replace(network.descriptor, name=name).to_metadata())
            packed = lzma.compress(graph.SerializeToString())
            (folder / f"{name}.onnx.xz").write_bytes(packed)
        monkeypatch.setattr(models, "_FOLDER", folder)

    return make


class TestFamily:
    @given(
        st.sampled_from(TIERS),
        st.sampled_from(SCALES),
        st.sampled_from(Training),
        st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True).filter(lambda v: v not in set(Training))
        | st.just(""),
    )
    def test_a_name_says_what_it_is_made_of(
        self, tier: str, scale: int, training: Training, variant: str
    ) -> None:
        name = "-".join(filter(None, [tier, f"x{scale}", training, variant]))
        found = family.parse(name)
        assert found == family.Member(
            name=name, tier=tier, scale=scale, training=training, variant=variant
        )

    @pytest.mark.parametrize(
        "name",
        ["", "m", "m-x5", "z-x4", "bicubic-x4", "m-x4-", "m-x4-a-b", "m-x4-clean-a-b", "m-x44"],
    )
    def test_other_names_say_nothing(self, name: str) -> None:
        assert family.parse(name) is None

    @pytest.mark.parametrize(
        ("tier", "training", "found"),
        [
            ("m", Training.CODED, ["m-x4", "m-x4-int8"]),
            ("m", Training.CLEAN, ["m-x4-clean", "m-x4-clean-int8"]),
            ("m", Training.LOW, ["m-x4-low"]),
            ("s", Training.CODED, ["s-x4-clean"]),
            ("s", Training.LOW, ["s-x4-clean"]),
            ("l", Training.CLEAN, ["l-x4"]),
            ("l", Training.LOW, ["l-x4"]),
            ("xl", Training.CLEAN, []),
        ],
    )
    def test_a_tier_has_the_training_for_a_stream_or_the_nearest(
        self, tier: str, training: Training, found: list[str]
    ) -> None:
        assert family.members(BOTH, tier=tier, scale=4, training=training) == found
        assert family.members(BOTH, tier=tier, scale=2, training=training) == []

    def test_a_training_stands_for_itself_first(self) -> None:
        for training, others in family.STAND_IN.items():
            assert others[0] is training
            assert sorted(others) == sorted(Training)

    @pytest.mark.parametrize(
        ("name", "file"),
        [
            ("m-x4", "m-x4"),
            ("m-x4-clean", "m-x4-clean"),
            ("s-x4", "s-x4-clean"),
            ("l-x4-clean", None),
            ("s-x4-int8", None),
            ("l-x4-low", None),
            ("xl-x4", None),
            ("../m-x4", None),
        ],
    )
    def test_a_tier_and_a_scale_stand_for_what_is_shipped(
        self, name: str, file: str | None
    ) -> None:
        assert family.shipped_as(name, BOTH) == file

    def test_every_shipped_network_is_of_the_family(self) -> None:
        for name in models.names():
            member, said = family.parse(name), models.describe(name)
            assert member is not None, name
            assert (member.tier, member.scale, member.name) == (said.tier, said.scale, said.name)


class TestChoice:
    @pytest.mark.parametrize(
        ("stream", "training", "reason"),
        [
            (None, Training.CLEAN, "pictures"),
            (Stream(codec="ffv1"), Training.CLEAN, "ffv1 loses nothing"),
            (Stream(codec="rawvideo", bits_per_pixel=8), Training.CLEAN, "loses nothing"),
            (Stream(codec="prores", bits_per_pixel=0.1), Training.CLEAN, "hardly loses"),
            (Stream(codec="h264"), Training.CODED, "unknown bit rate"),
            (Stream(codec="h264", bits_per_pixel=0.2), Training.CODED, "0.20 bits a pixel, coded"),
            (Stream(codec="h264", bits_per_pixel=3), Training.CLEAN, "3.00 bits a pixel, clean"),
            (Stream(codec="h264", bits_per_pixel=0.01), Training.LOW, "0.01 bits a pixel, low"),
            (
                Stream(codec="h264", bits_per_pixel=0.2, quantizer=30),
                Training.LOW,
                "0.20 bits a pixel, quantiser 30, low: from 28.2 on",
            ),
            (
                Stream(codec="h264", quantizer=28.31),
                Training.LOW,
                "quantiser 28.3, low: from 28.2 on",
            ),
            (
                Stream(codec="h264", quantizer=30),
                Training.LOW,
                "unknown bit rate, quantiser 30, low",
            ),
            (Stream(codec="h264", bits_per_pixel=0.2, quantizer=20), Training.CODED, "coded"),
            (Stream(codec="h264", bits_per_pixel=3, quantizer=30), Training.CLEAN, "clean"),
            (Stream(codec="vp9", bits_per_pixel=0.2, quantizer=200), Training.CODED, "coded"),
            (Stream(codec="mpeg2video", bits_per_pixel=0.6), Training.CODED, "mpeg2video at 0.60"),
            (Stream(codec="mpeg2video", bits_per_pixel=0.1), Training.LOW, "mpeg2video at 0.10"),
            (Stream(codec="mjpeg", bits_per_pixel=4), Training.CLEAN, "mjpeg at 4.00"),
        ],
    )
    def test_by_codec_and_bits(
        self, stream: Stream | None, training: Training, reason: str
    ) -> None:
        found, why = auto.training_for(stream)
        assert found is training
        assert reason in why

    @given(st.sampled_from([*auto.LIMITS, "mpeg4", "vp8"]), st.floats(0, 10), st.floats(0, 10))
    def test_more_bits_never_count_as_less_clean(self, codec: str, a: float, b: float) -> None:
        order = [Training.LOW, Training.CODED, Training.CLEAN]
        few, many = (
            order.index(auto.training_for(Stream(codec=codec, bits_per_pixel=bits))[0])
            for bits in sorted((a, b))
        )
        assert few <= many

    @given(st.floats(0, 0.9), st.floats(0, 51), st.floats(0, 51))
    def test_coarser_never_counts_as_less_hurt(self, bits: float, a: float, b: float) -> None:
        fine, coarse = (
            auto.training_for(Stream(codec="h264", bits_per_pixel=bits, quantizer=quantizer))[0]
            for quantizer in sorted((a, b))
        )
        assert not (fine is Training.LOW and coarse is Training.CODED)

    def test_the_quantiser_tells_more_than_the_bits_alone(self) -> None:
        points = json.loads((RESULTS / "auto-low.json").read_text())["points"]
        for codec, coarse in auto.COARSE.items():
            own = [p for p in points if p["codec"] == codec]
            by_bits = [p["coded"] if p["bpp"] < auto.LOW[codec] else p["clean"] for p in own]
            by_both = [
                p["coded"] if p["quantizer"] >= coarse else by_bits
                for p, by_bits in zip(own, by_bits, strict=True)
            ]
            assert statistics.fmean(by_both) >= statistics.fmean(by_bits), codec

    @pytest.mark.parametrize(
        ("name", "limits"), [("auto", auto.LIMITS), ("auto-low", auto.LOW)], ids=["clean", "low"]
    )
    def test_the_limits_are_those_that_were_measured(
        self, name: str, limits: dict[str, float]
    ) -> None:
        """If this fails after ``benchmarks/auto.py``: put its limits into ``models/auto.py``."""
        points = json.loads((RESULTS / f"{name}.json").read_text())["points"]
        for codec, limit in limits.items():
            own = [p for p in points if p["codec"] == codec]
            lost = [
                max(p["clean"], p["coded"]) - (p["clean"] if p["bpp"] >= limit else p["coded"])
                for p in own
            ]
            assert len(own) > 50
            assert statistics.fmean(lost) < 0.01, codec

    def test_it_says_so_where_a_tier_has_one_training_only(self, ship: Ship) -> None:
        ship(*BOTH)
        coded = Stream(codec="h264", bits_per_pixel=FEW)
        assert auto.choose(coded, scale=4).name == "m-x4"
        assert auto.choose(None, scale=4).name == "m-x4-clean"
        found = auto.choose(coded, scale=4, tier="s")
        assert found.name == "s-x4-clean"
        assert found.reason.endswith("none of tier s was trained for that alone")
        assert auto.tiers(4) == ["s", "m", "l"]
        with pytest.raises(ModelError, match="no network of tier m for scale 2"):
            auto.choose(None, scale=2)


class TestUse:
    def test_a_name_without_its_own_file(self, ship: Ship) -> None:
        ship("m-x4-clean")
        assert models.load("m-x4").descriptor.name == "m-x4-clean"
        with pytest.raises(ModelError, match="no model named 'm-x4-int8'"):
            models.load("m-x4-int8")

    def test_arrays_are_pictures_unless_a_stream_is_told(self, ship: Ship) -> None:
        ship(*BOTH)
        with Upscaler("auto", engine="null") as upscaler:
            assert upscaler.descriptor.name == "m-x4-clean"
            assert upscaler.picture(np.zeros((16, 20, 3), np.uint8)).shape == (64, 80, 3)
        coded = Stream(codec="h264", bits_per_pixel=FEW)
        with Upscaler("auto", scale=4, stream=coded, engine="null") as upscaler:
            assert upscaler.descriptor.name == "m-x4"

    def test_a_scale_that_is_not_the_models(self) -> None:
        with pytest.raises(UsageError, match="bicubic-x2 is for scale 2, not 3"):
            Upscaler("bicubic-x2", scale=3)

    @pytest.mark.parametrize("name", [None, "auto"])
    def test_a_file_is_given_what_suits_its_stream_and_the_receipt_says_why(
        self, tmp_path: Path, ship: Ship, name: str | None
    ) -> None:
        ship("m-x2", "m-x2-clean", "m-x2-low")
        clip = make_clip(tmp_path / "clip.mp4", frames=4, sounds=0)
        options = UpscaleOptions(model=name, engine="null")
        receipt = judge(clip, options, sink="null")
        reason = receipt.extra["chosen_for"]
        assert reason.startswith("h264 at ")
        said = {"clean": "m-x2-clean", "low": "m-x2-low"}
        assert receipt.model == next((said[word] for word in said if word in reason), "m-x2")

    @pytest.mark.parametrize(
        ("bits", "name"), [(FEW, "m-x4"), (MANY, "m-x4-clean"), (0.01, "m-x4-low")]
    )
    def test_a_film_is_given_what_suits_its_stream(
        self, tmp_path: Path, ship: Ship, bits: float, name: str
    ) -> None:
        ship(*BOTH)
        made = SyntheticSource(width=48, height=32, frames=1, rate=Fraction(24)).info
        info = replace(made, codec="h264", bit_rate=round(bits * 48 * 32 * 24))
        speeds = Speeds(tmp_path / "speeds.json")
        ladders = Ladders(info, engines=Engines(engine="null", threads=1, speeds=speeds))
        names = {rung.tier: rung.name for rung in ladders.rungs(4)}
        assert names["m"].removesuffix("-int8") == name
        assert (names["s"], names["l"]) == ("s-x4-clean", "l-x4"), "the only ones of their tiers"
        assert ladders.chosen_for.startswith("h264 at ")

    def test_a_model_by_name_is_not_chosen(self, tmp_path: Path) -> None:
        clip = make_clip(tmp_path / "clip.mp4", frames=4, sounds=0)
        receipt = judge(clip, UpscaleOptions(model="bicubic-x2"), sink="null")
        assert "chosen_for" not in receipt.extra

    def test_a_scale_without_networks_is_told_before_the_file_is_read(self, ship: Ship) -> None:
        ship("m-x2")
        with pytest.raises(ModelError, match="for scale 3"):
            judge("nowhere.mp4", UpscaleOptions(scale=3), sink="null")


def test_bits_of_a_pixel() -> None:
    info: VideoInfo = replace(
        SyntheticSource(width=100, height=50, frames=1).info, rate=Fraction(25), bit_rate=125_000
    )
    assert info.bits_per_pixel == pytest.approx(1.0)
    assert replace(info, rate=None).bits_per_pixel is None
    assert replace(info, bit_rate=None).bits_per_pixel is None
