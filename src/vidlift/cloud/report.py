"""What super-resolution saves on a title: quality against bitrate, and bits at equal quality."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vidlift.cloud.bjontegaard import bits_saved
from vidlift.cloud.gain import MEASURES, PLAIN
from vidlift.cloud.library import read_title
from vidlift.errors import InputError, OutputError, UsageError
from vidlift.models import BICUBIC

Curves = dict[str, tuple[float, ...]]
"""Quality of each rung at the size of the original, by way: ``bilinear``, ``bicubic``, a tier."""

CALLED = {"psnr_y": "PSNR-Y", "vmaf": "VMAF", "vmaf_neg": "VMAF-NEG"}
"""What people call the measures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Figures of the rungs of a title, smallest first."""

    title: str
    rungs: tuple[str, ...]
    rates: tuple[float, ...]
    """Bits a second of the pictures."""

    curves: dict[str, Curves]
    """By measure, those of ``gain.MEASURES`` that were taken."""

    saved: dict[str, dict[str, float | None]]
    """By measure and tier: per cent of bits that a tier saves against bicubic at equal quality;
    None where their qualities do not overlap."""

    def save(self, where: Path) -> None:
        """Write it as JSON. Raises ``OutputError``."""
        try:
            where.write_text(json.dumps(asdict(self), indent=2) + "\n")
        except OSError as error:
            raise OutputError(f"cannot write {where}: {error.strerror}") from error

    def draw(self, where: Path) -> None:
        """Draw quality against bitrate, a panel a measure.

        Raises ``UsageError`` without matplotlib, ``OutputError``.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise UsageError("charts need matplotlib: pip install 'vidlift[charts]'") from error
        figure = Figure(figsize=(1 + 4.4 * len(self.curves), 4.2), layout="constrained")
        panels = figure.subplots(1, len(self.curves), squeeze=False)[0]
        for axes, (measure, curves) in zip(panels, self.curves.items(), strict=True):
            self._draw_panel(axes, measure, curves)
        figure.suptitle(self.title)
        try:
            figure.savefig(where, dpi=120)
        except (OSError, ValueError) as error:
            raise OutputError(f"cannot write {where}: {error}") from error

    def _draw_panel(self, axes: Any, measure: str, curves: Curves) -> None:
        kbps = [rate / 1000 for rate in self.rates]
        for way, quality in curves.items():
            label, style, colour = _LOOKS.get(way, (f"Vidlift, {way}", "-", None))
            axes.plot(kbps, quality, style, color=colour, marker="o", markersize=4, label=label)
        for rung, rate, *heights in zip(self.rungs, kbps, *curves.values(), strict=True):
            place = rate, min(heights)
            axes.annotate(rung, place, (4, -12), textcoords="offset points", fontsize=8)
        unit = ", dB" if measure == "psnr_y" else ""
        axes.set(xscale="log", xlabel="kbit/s", ylabel=CALLED[measure] + unit)
        axes.set_xticks(kbps, [f"{rate:.0f}" for rate in kbps])
        axes.minorticks_off()
        axes.margins(x=0.12, y=0.12)
        saved = [
            f"{tier} {percent:.1f} %"
            for tier, percent in self.saved[measure].items()
            if percent is not None
        ]
        axes.set_title("bits saved: " + (", ".join(saved) or "not comparable"), fontsize=10)
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right", fontsize=9)


_LOOKS = {PLAIN: ("plain (bilinear)", ":", "0.55"), BICUBIC: ("bicubic", "--", "0.25")}
"""Label, line and colour of the ways that are no networks."""


def read_report(folder: Path) -> Report:
    """The report of a published title. Raises ``InputError`` where nothing was measured."""
    title = read_title(folder)
    if title is None:
        raise InputError(f"{folder} is no title; give a folder that `vidlift cloud publish` made")
    rows = sorted(
        (r for r in title.renditions if "psnr_y" in r), key=lambda r: float(r["bits_per_second"])
    )
    if not rows:
        raise InputError(f"{folder}: no gain was measured; publish it with --gain m")
    rates = tuple(float(row["bits_per_second"]) for row in rows)
    curves = {m: _curves(rows, m) for m in MEASURES if all(m in row for row in rows)}
    return Report(
        title=title.name,
        rungs=tuple(row["name"] for row in rows),
        rates=rates,
        curves=curves,
        saved={
            measure: {
                way: bits_saved(rates, by_way[BICUBIC], rates, curve)
                for way, curve in by_way.items()
                if way not in _LOOKS
            }
            for measure, by_way in curves.items()
        },
    )


def _curves(rows: list[dict[str, Any]], measure: str) -> Curves:
    """Of the ways that every rung was measured in."""
    found: dict[str, list[float]] = {}
    for row in rows:
        for model, quality in row[measure]["mean"].items():
            found.setdefault(model.partition("-x")[0], []).append(float(quality))
    return {way: tuple(curve) for way, curve in found.items() if len(curve) == len(rows)}
