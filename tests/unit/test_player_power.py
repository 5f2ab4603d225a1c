"""Power as a machine tells it, in a made-up ``/sys/class``."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidlift.player.power import EnergyMeter, on_battery


def tell(sys: Path, **files: str) -> None:
    """Write files; a name is a path with ``__`` for each slash."""
    for name, text in files.items():
        path = sys / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


@pytest.mark.parametrize(
    ("kind", "status", "wanted"),
    [
        ("Battery", "Discharging", True),
        ("Battery", "Charging", False),
        ("Battery", "Full", False),
        ("Mains", "Discharging", False),
    ],
)
def test_a_battery_feeds_it_only_while_it_is_emptied(
    tmp_path: Path, kind: str, status: str, wanted: bool
) -> None:
    tell(tmp_path, power_supply__BAT0__type=kind, power_supply__BAT0__status=status)
    assert on_battery(tmp_path) is wanted


def test_the_battery_of_a_mouse_feeds_no_machine(tmp_path: Path) -> None:
    tell(
        tmp_path,
        power_supply__hidpp_battery_0__type="Battery",
        power_supply__hidpp_battery_0__scope="Device",
        power_supply__hidpp_battery_0__status="Discharging",
        power_supply__hidpp_battery_0__power_now="1000000",
    )
    assert not on_battery(tmp_path)
    assert EnergyMeter(tmp_path).joules() is None


def test_a_zone_that_holds_the_packages_is_not_counted_beside_them(tmp_path: Path) -> None:
    for at, zone in enumerate(("package-0", "psys")):
        folder = tmp_path / f"powercap/intel-rapl:{at}"
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{zone}\n")
        (folder / "energy_uj").write_text("0\n")
    meter = EnergyMeter(tmp_path)
    for at in (0, 1):
        (tmp_path / f"powercap/intel-rapl:{at}/energy_uj").write_text("2000000\n")
    assert meter.joules() == pytest.approx(2.0)


def test_a_machine_that_tells_nothing_is_on_mains_and_has_no_joules(tmp_path: Path) -> None:
    assert not on_battery(tmp_path)
    assert EnergyMeter(tmp_path).joules() is None


def test_packages_are_summed_and_a_counter_may_wrap(tmp_path: Path) -> None:
    def counters(first: int, second: int) -> None:
        for index, count in enumerate((first, second)):
            folder = tmp_path / f"powercap/intel-rapl:{index}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "name").write_text(f"package-{index}\n")
            (folder / "energy_uj").write_text(f"{count}\n")
            (folder / "max_energy_range_uj").write_text("10000000\n")

    counters(9_000_000, 0)
    meter = EnergyMeter(tmp_path)
    counters(9_500_000, 2_000_000)
    assert meter.joules() == pytest.approx(2.5)
    counters(500_000, 3_000_000)
    assert meter.joules() == pytest.approx(4.5)


def test_a_battery_tells_watts_which_time_makes_joules(tmp_path: Path) -> None:
    now = 0.0
    tell(
        tmp_path,
        power_supply__BAT0__status="Discharging",
        power_supply__BAT0__power_now="7500000",
    )
    meter = EnergyMeter(tmp_path, monotonic=lambda: now)
    now = 4.0
    assert meter.joules() == pytest.approx(30)
