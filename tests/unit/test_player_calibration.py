"""How networks are measured, and what is remembered of it."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from support.frames import make_frame
from vidlift.frame import Frame
from vidlift.player import calibration
from vidlift.player.calibration import KEPT_MAX, Speeds, measure
from vidlift.stages.pair import Pair

PAIR = Pair(first=make_frame(), second=make_frame(Fraction(1, 24)))


class Timed:
    """A network that takes a fixed time of a made-up clock."""

    def __init__(self, clock: list[float], seconds: float) -> None:
        self._clock, self._seconds = clock, seconds

    def warm(self, _first: Frame, _second: Frame) -> None:
        """There is nothing to load."""

    def pair(self, first: Frame, second: Frame) -> tuple[Frame, Frame]:
        self._clock[0] += self._seconds
        return first, second

    def close(self) -> None:
        self._clock = [0.0]


def measured(
    costs: dict[str, float], lasts: float = 0.08, clock: list[float] | None = None
) -> dict[str, float]:
    clock = [0.0] if clock is None else clock
    return measure(
        [(name, lambda cost=cost: Timed(clock, cost)) for name, cost in costs.items()],  # type: ignore[misc]
        pair=PAIR,
        lasts=lasts,
        clock=lambda: clock[0],
    )


def test_each_network_is_timed() -> None:
    costs = {"plain": 0.01, "s": 0.02, "m": 0.05}
    assert measured(costs) == pytest.approx(costs)


def test_after_a_hopeless_one_no_dearer_one_is_tried() -> None:
    found = measured({"plain": 0.01, "m": 0.2, "l": 0.5, "xl": 2.0})
    assert list(found) == ["plain", "m"]


def test_calibration_ends_in_time_but_knows_the_first() -> None:
    assert measured({"plain": 3.0, "m": 4.0}, lasts=60) == {"plain": 3.0}
    clock = [0.0]
    found = measured({"plain": 0.1, "s": 0.4, "m": 0.5, "l": 0.6}, lasts=60, clock=clock)
    assert list(found) == ["plain", "s"]
    assert clock[0] <= calibration.BUDGET + 0.4


def test_what_one_network_took_is_given_back_before_the_next_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    happened: list[str] = []

    class Told(Timed):
        def close(self) -> None:
            happened.append("closed")

    def opened() -> Told:
        happened.append("opened")
        return Told([0.0], 0.01)

    monkeypatch.setattr(calibration, "give_back", lambda: happened.append("given back"))
    measure([("plain", opened), ("s", opened)], pair=PAIR, lasts=1)
    once = ["opened", "given back", "closed", "given back"]
    assert happened == once * 2


def test_speeds_are_remembered(tmp_path: Path) -> None:
    where = tmp_path / "deep" / "speeds.json"
    speeds = Speeds(where)
    assert speeds.get("a") is None
    speeds.put("a", 0.0123456789)
    speeds.save()
    assert Speeds(where).get("a") == 0.012346
    assert [path.name for path in where.parent.iterdir()] == ["speeds.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": "x"}', '{"a": -1}', "\xff"])
def test_a_damaged_cache_is_an_empty_one(tmp_path: Path, text: str) -> None:
    where = tmp_path / "speeds.json"
    where.write_text(text)
    assert Speeds(where).get("a") is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    speeds = Speeds(tmp_path / "file" / "speeds.json")
    speeds.put("a", 1.0)
    speeds.save()
    assert speeds.get("a") == 1


def test_the_cache_forgets_the_oldest(tmp_path: Path) -> None:
    where = tmp_path / "speeds.json"
    speeds = Speeds(where)
    for number in range(KEPT_MAX + 5):
        speeds.put(str(number), 1.0)
    speeds.save()
    kept = json.loads(where.read_text())
    assert len(kept) == KEPT_MAX
    assert "4" not in kept
