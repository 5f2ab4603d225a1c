"""The progress of a long job: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.filesize import decimal

from vidlift.cli.console import err, verbatim
from vidlift.jobs import progress as jobs

PLAIN_EVERY = 10.0
"""Seconds between lines where there is no terminal."""

TITLE, BAR = 16, 10
"""Columns for the title and the bar: with the figures, all fits into 80."""


@contextmanager
def shown(title: str, *, quiet: bool) -> Iterator[jobs.Report]:
    """Give a function for the job to report to; what it shows ends with this context."""
    if quiet:
        yield jobs.silent
    elif not err.is_terminal:
        yield _plain(title)
    else:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=BAR),
            TaskProgressColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
        )
        with Progress(*columns, console=err, transient=True) as bar:
            task = bar.add_task(shortened(title), total=None, figures="")
            figures = Figures()

            def report(progress: jobs.Progress) -> None:
                bar.update(
                    task,
                    total=progress.total,
                    completed=progress.done,
                    figures=figures(progress),
                )

            yield report


def shortened(title: str) -> str:
    """The title, cut to the columns there are for it."""
    text = verbatim(title)
    text.truncate(TITLE, overflow="ellipsis")
    return text.plain


def _plain(title: str) -> jobs.Report:
    figures = Figures()
    last = time.monotonic()

    def report(progress: jobs.Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PLAIN_EVERY:
            last = now
            err.print(f"{title}: {figures(progress)}", soft_wrap=True)

    return report


class Figures:
    """Frames per second, time left and size to come, from one report to the next, as text."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start: float | None = None

    def __call__(self, progress: jobs.Progress) -> str:
        now = self._clock()
        if self._start is None:
            self._start = now
        made = progress.done - progress.resumed
        rate = made / (now - self._start) if now > self._start else 0.0
        parts = [f"{progress.done}/{progress.total or '?'}"]
        if rate:
            parts.append(f"{rate:.1f} frames/s")
            if progress.total:
                parts.append(f"{_clock_time(max(0, progress.total - progress.done) / rate)} left")
        if progress.forecast is not None:
            parts.append(f"~{decimal(progress.forecast)}")
        return ", ".join(parts)


def _clock_time(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
