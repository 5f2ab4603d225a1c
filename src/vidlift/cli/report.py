"""Where ``--report`` goes: looked at before the work, for a typing error is not to cost hours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from vidlift.errors import OutputError, UsageError


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


def save_json(report: Path | None, content: Mapping[str, object]) -> None:
    """Write a report that is no receipt. Raises ``OutputError``."""
    if report is None:
        return
    try:
        report.write_text(json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise OutputError(f"cannot write the report {report}: {error.strerror}") from error
