"""What it takes to dominate a published network, and how a miss is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vidlift.evaluation.clips import ClipScore, SetScore
from vidlift.evaluation.cost import Cost
from vidlift.evaluation.domination import Verdict, any_precision, float32, not_timed, verdicts
from vidlift.evaluation.pictures import Score
from vidlift.evaluation.report import Figures
from vidlift.evaluation.timing import Time

PEER = {"Set5": 31.0, "Set14": 28.0, "B100": 27.0, "vid4": 24.0}


def figures(
    name: str,
    tier: str,
    times: dict[str, float],
    *,
    gain: dict[str, float] | None = None,
    mac: float = 16_000,
    setup: str = "onnxruntime f32",
) -> Figures:
    """A network that is better than ``PEER`` by ``gain``, at ``times`` by setup."""
    psnr = {name: value + (gain or {}).get(name, 0.0) for name, value in PEER.items()}
    clip = dict.fromkeys(ClipScore.__dataclass_fields__, psnr.pop("vid4"))
    vid4 = SetScore(mean=ClipScore(**clip), clips={})
    return Figures(
        name=name,
        tier=tier,
        scale=4,
        setup=setup,
        cost=Cost(mac=mac, parameters=1, bytes=1),
        pictures={name: Score(psnr=value, ssim=1, pictures=1) for name, value in psnr.items()},
        clips={"vid4": {"clean": vid4}},
        speed={name: Time(median_ms=t, least_ms=t, ratio=t, runs=50) for name, t in times.items()},
    )


RIVAL = figures("rival", "peer", {"openvino f32": 12, "onnxruntime f32": 10, "openvino bf16": 5})


def only(*ours: Figures, precise: bool = False) -> Verdict:
    (found,) = verdicts([RIVAL, *ours], admit=float32 if precise else any_precision)
    return found


def test_as_good_in_three_fifths_of_the_time_at_each_ones_fastest() -> None:
    found = only(figures("m-x4", "m", {"openvino f32": 6, "onnxruntime f32": 7}), precise=True)
    assert found.dominated
    assert (found.ours, found.margin) == ("m-x4", 0)
    assert found.share == pytest.approx(0.6)
    assert found.setups == ("openvino f32", "onnxruntime f32")


def test_at_best_precision_the_rival_has_its_best_too() -> None:
    m = figures("m-x4", "m", {"openvino f32": 6, "openvino bf16": 3.5})
    assert only(m, precise=True).dominated
    assert not only(m).dominated
    assert only(m).share == pytest.approx(0.7)


def test_of_those_as_good_to_a_hundredth_the_quickest_is_told() -> None:
    s = figures("s-x4", "s", {"openvino f32": 1}, gain=dict.fromkeys(PEER, 0.101))
    m = figures("m-x4", "m", {"openvino f32": 2}, gain=dict.fromkeys(PEER, 0.104))
    assert only(s, m, precise=True).ours == only(m, s, precise=True).ours == "s-x4"


def test_a_set_where_it_is_behind_is_named() -> None:
    found = only(figures("m-x4", "m", {"openvino f32": 1}, gain={"Set5": 0.5, "B100": -0.02}))
    assert not found.dominated
    assert found.worst == "B100"
    assert found.margin == pytest.approx(-0.02)


def test_a_set_without_figures_is_no_domination() -> None:
    m = replace(figures("m-x4", "m", {"openvino f32": 1}), clips={})
    assert not only(m).dominated
    assert only(m).missing == ("vid4",)
    assert only(figures("m-x4", "m", {"openvino f32": 1})).missing == ()


def test_what_was_measured_less_does_not_hide_what_dominates() -> None:
    best = replace(
        figures("m-x4", "m", {"openvino f32": 1}, gain=dict.fromkeys(PEER, 0.5)), clips={}
    )
    whole = figures("s-x4", "s", {"openvino f32": 1}, gain=dict.fromkeys(PEER, 0.1))
    assert only(best, whole).dominated
    assert only(best, whole).ours == "s-x4"


def test_peers_without_times_are_named() -> None:
    untimed = figures("slow", "peer", {})
    dear = figures("dear", "peer", {}, mac=1e9)
    assert not_timed([RIVAL, untimed, dear]) == ["slow"]


def test_what_dominates_by_most_is_told() -> None:
    s = figures("s-x4", "s", {"openvino f32": 1}, gain=dict.fromkeys(PEER, 0.1))
    m = figures("m-x4", "m", {"openvino f32": 2}, gain=dict.fromkeys(PEER, 0.3))
    assert only(s, m, precise=True).ours == "m-x4"


def test_a_miss_by_time_is_told_before_a_miss_by_quality() -> None:
    s = figures("s-x4", "s", {"openvino f32": 1}, gain={"Set5": -0.4})
    m = figures("m-x4", "m", {"openvino f32": 8})
    assert only(s, m, precise=True).ours == "m-x4"
    assert only(s, precise=True).ours == "s-x4"


def test_quality_is_that_of_the_precision_timed() -> None:
    exact = figures("m-x4", "m", {"openvino bf16": 1})
    rough = figures("m-x4", "m", {}, gain={"Set5": -0.15}, setup="openvino bf16")
    timed = replace(rough, speed=exact.speed)
    assert only(exact).dominated
    assert only(exact, timed).margin == pytest.approx(-0.15)


def test_a_quantised_network_is_not_float32() -> None:
    quantised = figures("m-x4-int8", "m", {"openvino f32": 1})
    assert only(quantised).dominated
    assert only(quantised, precise=True).ours is None


def test_a_rival_in_8_bits_is_the_rival_at_its_best_precision() -> None:
    in_8_bits = figures("rival-int8", "peer", {"openvino f32": 4}, gain={"Set14": -0.02})
    ours = figures("m-x4", "m", {"openvino f32": 3})
    (found,) = verdicts([RIVAL, in_8_bits, ours])
    assert (found.peer, found.dominated, found.worst) == ("rival-int8", False, "Set5")
    assert found.share == pytest.approx(0.75)
    (found,) = verdicts([RIVAL, in_8_bits, ours], admit=float32)
    assert (found.peer, found.dominated) == ("rival", True)
    assert not not_timed([RIVAL, replace(in_8_bits, speed={})])


def test_what_costs_more_than_the_dearest_tier_is_no_rival() -> None:
    large = figures("large", "peer", {"openvino f32": 100}, mac=10_600 * 16 + 1)
    assert [found.peer for found in verdicts([RIVAL, large])] == ["rival"]


def test_without_a_network_of_ours_nothing_is_dominated() -> None:
    found = only()
    assert (found.ours, found.dominated) == (None, False)
