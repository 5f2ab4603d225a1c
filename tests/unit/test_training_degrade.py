"""What is done to pictures before they are learnt from: codecs, in shares, and motion."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from vidlift import metrics
from vidlift.errors import UsageError
from vidlift.training import degrade, motion


def sequence(*, height: int = 48, width: int = 64, frames: int = 4) -> list[NDArray[np.uint8]]:
    x, y = np.arange(width)[None, :], np.arange(height)[:, None]
    waves = (120 + 60 * np.sin((x + 2 * t) / 5) * np.cos(y / 7) for t in range(frames))
    return [wave.astype(np.uint8) for wave in waves]


@pytest.mark.parametrize("name", degrade.CODECS)
@pytest.mark.parametrize("size", [(48, 64), (67, 71)])
def test_a_codec_gives_a_picture_for_a_picture(name: str, size: tuple[int, int]) -> None:
    codec = degrade.CODECS[name]
    low = sequence(height=size[0], width=size[1])
    options = {**codec.presets[0], "crf": str(codec.crf[0]), "g": "12"}
    made = degrade.through_codec(low, codec.encoder, options)
    assert [plane.shape for plane in made] == [size] * len(low)
    for before, after in zip(low, made, strict=True):
        assert 30 < metrics.psnr(before, after) < 70  # in order, and not as it was


def test_worse_quality_is_worse() -> None:
    codec = degrade.CODECS["h264"]
    found = []
    for crf in codec.crf:
        made = degrade.through_codec(
            sequence(), codec.encoder, {**codec.presets[0], "crf": str(crf), "g": "12"}
        )
        found.append(metrics.psnr(sequence()[0], made[0]))
    assert found[0] > found[1] + 3


def test_shares_of_a_degradation_add_up_to_one() -> None:
    with pytest.raises(UsageError, match="add up to 1"):
        degrade.Degradation(clean=0.5)
    with pytest.raises(UsageError, match="no codec named xvid"):
        degrade.Degradation(clean=0.5, codecs=(("xvid", 0.5),))


def test_a_share_of_sequences_stays_clean() -> None:
    rng = np.random.default_rng(1)
    whole = degrade.Degradation(clean=1.0, codecs=())
    low = sequence()
    made, through = whole(low, rng)
    assert through == "clean"
    assert made is low


def test_motion_is_smooth_and_a_function_of_the_seed() -> None:
    photograph = np.random.default_rng(2).integers(0, 256, (160, 200), np.uint8)
    calm = motion.Motion(cut=0, grain=0, brightness=0)
    one, two = (
        motion.moved(photograph, np.random.default_rng(5), size=(96, 80), frames=5, motion=calm)
        for _ in range(2)
    )
    assert [plane.shape for plane in one] == [(80, 96)] * 5
    assert all((a == b).all() for a, b in zip(one, two, strict=True))
    assert any((a != b).any() for a, b in pairwise(one))


def test_a_shot_that_stands_still_is_the_photograph() -> None:
    photograph = np.random.default_rng(2).integers(0, 256, (80, 96), np.uint8)
    still = motion.Motion(pan=0, zoom=0, turn=0, brightness=0, cut=0, grain=0)
    made = motion.moved(photograph, np.random.default_rng(1), size=(96, 80), frames=2, motion=still)
    assert (made[0] == photograph).all()
    assert (made[1] == photograph).all()


def test_shares_are_told_in_words() -> None:
    found = degrade.parse("clean=0.25, h264=0.75")
    assert found == degrade.Degradation(clean=0.25, codecs=(("h264", 0.75),))
    assert found.shares == {"clean": 0.25, "h264": 0.75}
    for wrong in ("h264", "h264=x", "h264=0.5", "clean=1.5,h264=-0.5", "xvid=1"):
        with pytest.raises(UsageError):
            degrade.parse(wrong)
