"""What the machine tells of its power: whether a battery feeds it, and how much it draws.

Linux tells in ``/sys``; elsewhere, and in most virtual machines, nothing is known and nothing
is said.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

SYS = Path("/sys/class")


def on_battery(sys: Path = SYS) -> bool:
    """Whether a battery is being emptied."""
    return any(_text(supply / "type") == "Battery" for supply in _emptied(sys))


class EnergyMeter:
    """Joules since it was made: of the processor packages (RAPL), else of the battery."""

    def __init__(self, sys: Path = SYS, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._sys = sys
        self._monotonic = monotonic
        self._at = monotonic()
        self._last = self._counters()
        self._joules = 0.0

    def joules(self) -> float | None:
        """None where the machine does not tell. Ask at least once a minute: counters wrap."""
        now, counters = self._monotonic(), self._counters()
        if counters and counters.keys() == self._last.keys():
            for package, micro in counters.items():
                used = micro - self._last[package]
                if used < 0:
                    used += _number(package / "max_energy_range_uj") or 0
                self._joules += used / 1e6
        elif (drawn := self._battery_watts()) is not None:
            self._joules += drawn * (now - self._at)
        else:
            return None
        self._at, self._last = now, counters
        return self._joules

    def _counters(self) -> dict[Path, float]:
        zones = sorted(self._sys.glob("powercap/intel-rapl:*"))
        # The zone of the whole platform holds the packages, and theirs their cores and memory.
        packages = [zone for zone in zones if _text(zone / "name").startswith("package")]
        found = {package: _number(package / "energy_uj") for package in packages}
        return {package: count for package, count in found.items() if count is not None}

    def _battery_watts(self) -> float | None:
        powers = (_number(supply / "power_now") for supply in _emptied(self._sys))
        return next((power / 1e6 for power in powers if power is not None), None)


def _emptied(sys: Path) -> Iterator[Path]:
    """What feeds the machine and is being emptied; mice and the like have batteries as well."""
    for supply in sorted(sys.glob("power_supply/*")):
        if _text(supply / "scope") != "Device" and _text(supply / "status") == "Discharging":
            yield supply


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _number(path: Path) -> float | None:
    text = _text(path)
    return float(text) if text.isdecimal() else None
