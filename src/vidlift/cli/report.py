"""Where ``--report`` and ``--chart`` go: looked at before the work, for a typing error is not to
cost hours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from vidlift.errors import OutputError, UsageError

CHARTS = (".png", ".svg", ".pdf")
"""Endings of charts that can be drawn."""


def check_report(report: Path | None, *, apart_from: tuple[str | Path, ...] = ()) -> None:
    """Make sure that a report can be written there; nothing is left behind.

    ``apart_from`` are the files of the run, which a report may not replace. Raises
    ``OutputError`` or ``UsageError``.
    """
    if report is None:
        return
    if any(report.resolve() == Path(other).resolve() for other in apart_from):
        raise UsageError(f"the report {report} would replace a file of this very run")
    try:
        if report.is_fifo():  # to open it would wait for its reader
            return
        fresh = not report.exists()
        report.open("a").close()
        if fresh:
            report.unlink()
    except OSError as error:
        raise OutputError(f"cannot write the report {report}: {error.strerror}") from error


def check_chart(chart: Path | None) -> None:
    """The same for a chart. Raises ``OutputError`` or ``UsageError``."""
    if chart is None:
        return
    if chart.suffix.lower() not in CHARTS:
        raise UsageError(f"a chart is a file ending in {', '.join(CHARTS)}, got {chart}")
    if chart.is_dir() or not chart.parent.is_dir():
        raise OutputError(f"cannot write the chart {chart}: it is a folder, or in none")
    if find_spec("matplotlib") is None:
        raise UsageError("a chart needs the extra `vidlift[charts]`, not installed")


def save_json(report: Path | None, content: Mapping[str, object]) -> None:
    """Write a report that is no receipt. Raises ``OutputError``."""
    if report is None:
        return
    try:
        report.write_text(json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise OutputError(f"cannot write the report {report}: {error.strerror}") from error
