"""What a card says a network gains at a moment, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from vidlift.client.gains import Gains

CARD: dict[str, Any] = {
    "segments": [{"start": "0"}, {"start": "4"}, {"start": "25/3"}],
    "renditions": [
        {
            "width": 480,
            "height": 270,
            "psnr_y": {"segments": {"bicubic-x4": [30.0, 31.0, 32.0], "m-x4": [31.0, 31.05, None]}},
        },
        {"width": 640, "height": 360},
    ],
}


@pytest.mark.parametrize(
    ("seconds", "expected"), [(-1, 1.0), (0, 1.0), (3.9, 1.0), (4, 0.05), (8.3, 0.05), (9, None)]
)
def test_the_gain_is_that_of_the_segment(seconds: float, expected: float | None) -> None:
    found = Gains(CARD).gain(seconds, (480, 270), "m-x4")
    assert found == (None if expected is None else pytest.approx(expected))


def test_what_was_not_measured_is_not_known() -> None:
    gains = Gains({**CARD, "renditions": CARD["renditions"][:1]})
    assert gains.gain(0, (480, 270), "l-x4") is None
    assert gains.gain(0, (640, 360), "m-x3") is None


def test_networks_of_a_tier_and_scale_gain_alike() -> None:
    gains = Gains(CARD)
    known = gains.gain(0, (480, 270), "m-x4")
    assert known is not None
    for name in ("m-x4-int8", "m-x4-clean", "m-x4-clean-int8"):
        assert gains.gain(0, (480, 270), name) == known
    for name in ("m-x3", "s-x4-int8", "m"):
        assert gains.gain(0, (480, 270), name) is None


@pytest.mark.parametrize(
    "card",
    [
        {},
        {"segments": 3},
        {"segments": [{"start": "x"}], "renditions": []},
        {"segments": [{"start": "1/0"}], "renditions": []},
        {"segments": [], "renditions": [{"width": 1, "height": 1, "psnr_y": {"segments": []}}]},
        {
            "segments": [{"start": "0"}],
            "renditions": [
                {
                    "width": 480,
                    "height": 270,
                    "psnr_y": {"segments": {"bicubic-x4": 3, "m-x4": ["a"]}},
                }
            ],
        },
    ],
)
def test_a_card_of_any_kind_does_no_harm(card: dict[str, Any]) -> None:
    assert Gains(card).gain(0, (480, 270), "m-x4") is None
