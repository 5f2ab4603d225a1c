"""What super-resolution saves on a title: quality against bitrate, and bits at equal quality."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from vidlift.cloud.bjontegaard import bits_saved
from vidlift.cloud.library import read_title
from vidlift.errors import InputError, OutputError, UsageError
from vidlift.models import BICUBIC


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Figures of the rungs of a title, smallest first."""

    title: str
    rungs: tuple[str, ...]
    rates: tuple[float, ...]
    """Bits a second of the pictures."""

    curves: dict[str, tuple[float, ...]]
    """PSNR-Y of each rung at the size of the original, by ``bicubic`` and tier."""

    saved: dict[str, float | None]
    """Per cent of bits that a tier saves against bicubic at equal quality; None where their
    qualities do not overlap."""

    def save(self, where: Path) -> None:
        """Write it as JSON. Raises ``OutputError``."""
        try:
            where.write_text(json.dumps(asdict(self), indent=2) + "\n")
        except OSError as error:
            raise OutputError(f"cannot write {where}: {error.strerror}") from error

    def draw(self, where: Path) -> None:
        """Draw quality against bitrate. Raises ``UsageError`` without matplotlib."""
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise UsageError("charts need matplotlib: pip install 'vidlift[charts]'") from error
        figure = Figure(figsize=(7, 4.5), layout="constrained")
        axes = figure.subplots()
        for name, quality in self.curves.items():
            style = "--" if name == BICUBIC else "-"
            axes.plot([r / 1000 for r in self.rates], quality, style, marker="o", label=name)
        for rung, rate, plain in zip(self.rungs, self.rates, self.curves[BICUBIC], strict=True):
            axes.annotate(rung, (rate / 1000, plain), (4, -12), textcoords="offset points")
        axes.set(xscale="log", xlabel="kbit/s", ylabel="PSNR-Y, dB", title=self.title)
        axes.grid(alpha=0.3)
        axes.legend()
        try:
            figure.savefig(where, dpi=120)
        except (OSError, ValueError) as error:
            raise OutputError(f"cannot write {where}: {error}") from error


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
    curves: dict[str, list[float]] = {}
    for row in rows:
        for model, quality in row["psnr_y"]["mean"].items():
            curves.setdefault(model.partition("-x")[0], []).append(float(quality))
    whole = {name: tuple(c) for name, c in curves.items() if len(c) == len(rows)}
    rates = tuple(float(row["bits_per_second"]) for row in rows)
    return Report(
        title=title.name,
        rungs=tuple(row["name"] for row in rows),
        rates=rates,
        curves=whole,
        saved={
            name: bits_saved(rates, whole[BICUBIC], rates, curve)
            for name, curve in whole.items()
            if name != BICUBIC
        },
    )
