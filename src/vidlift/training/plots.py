"""Training runs as curves, with matplotlib (extra ``charts``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidlift.errors import OutputError, UsageError
from vidlift.training.history import History

COLORS = ("#0b6e99", "#c44e1f", "#3d8b37", "#7d4fa3", "#a68b00", "#8a8a8a")
RULE, INK = "#dddddd", "#222222"


def draw(runs: Sequence[History], where: Path) -> None:
    """Loss and validation PSNR, over steps and over minutes; a colour a run.

    The format is that of the file's ending. Raises ``UsageError`` where the extra is missing,
    ``OutputError`` where the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("a chart needs the extra `vidlift[charts]`, not installed") from None
    figure = Figure(figsize=(10, 7), layout="constrained")
    panels = figure.subplots(2, 2, sharey="row", sharex="col", squeeze=False)
    for index, run in enumerate(runs):
        color = COLORS[index % len(COLORS)]
        for row, points in zip(panels, (run.loss, run.psnr), strict=True):
            # A validation alone is a point, not a line.
            marker = "o" if len(points) < 2 else ""
            values = [value for _, _, value in points]
            steps = [step for step, _, _ in points]
            minutes = [seconds / 60 for _, seconds, _ in points]
            for panel, places in zip(row, (steps, minutes), strict=True):
                panel.plot(
                    places, values, color=color, linewidth=1.2, marker=marker, label=run.name
                )
    panels[0, 0].set_ylabel(f"loss, {_units(runs)}", color=INK)
    panels[1, 0].set_ylabel("validation PSNR of luma, dB", color=INK)
    panels[1, 0].set_xlabel("steps", color=INK)
    panels[1, 1].set_xlabel("minutes", color=INK)
    _fit(panels[0, 0], runs)
    for panel in panels.flat:
        panel.grid(color=RULE, linewidth=0.5)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0, 1].legend(frameon=False, fontsize=9, labelcolor="linecolor")
    try:
        figure.savefig(where, dpi=150)
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write the chart {where}: {error}") from error


def _units(runs: Sequence[History]) -> str:
    """What losses are counted in: only minus PSNR is below zero."""
    units = {"minus dB" if run.loss[-1][2] < 0 else "code values" for run in runs}
    return " or ".join(sorted(units))


def _fit(panel: Any, runs: Sequence[History]) -> None:
    """Leave the steep beginning out of sight: what is compared is what comes after it."""
    settled = [loss for run in runs for _, _, loss in run.loss[len(run.loss) // 20 :]]
    least, most = min(settled), max(settled)
    margin = 0.05 * (most - least) or 0.1
    panel.set_ylim(least - margin, most + margin)
