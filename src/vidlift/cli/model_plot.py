"""``vidlift model plot``: training runs as curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidlift.cli.console import out
from vidlift.cli.model_train import need_torch
from vidlift.cli.report import CHARTS
from vidlift.errors import UsageError


def plot(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN... OUT.png", help="Folders of runs, and the chart to write."),
    ],
) -> None:
    """Draw loss and validation PSNR of training runs over steps and over minutes."""
    need_torch()
    from vidlift.training import history, plots

    *folders, chart = runs
    if not folders:
        raise UsageError("give at least one run and the chart to write: RUN... OUT.png")
    if chart.suffix.lower() not in CHARTS or chart.is_dir():
        raise UsageError(
            f"the last of these is the chart to write, a file ending in {', '.join(CHARTS)}, "
            f"got {chart}"
        )
    plots.draw([history.read(folder) for folder in folders], chart)
    out.print(str(chart))
