"""The progress of a training run: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from vidlift.cli.console import err
from vidlift.cli.progress import BAR, shortened

if TYPE_CHECKING:
    from vidlift.training.loop import Report, Status

PLAIN_EVERY = 30.0
"""Seconds between lines where there is no terminal."""


@contextmanager
def shown(title: str) -> Iterator[Report]:
    """Give a function for the run to report to; what it shows ends with this context."""
    with shown_together([title]) as (report,):
        yield report


@contextmanager
def shown_together(titles: Sequence[str]) -> Iterator[list[Report]]:
    """The same for several runs at a time, in their order."""
    if not err.is_terminal:
        yield [plain(f"{title}: " if len(titles) > 1 else "") for title in titles]
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=BAR),
        TaskProgressColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        yield [_on_bar(bar, title) for title in titles]


def _on_bar(bar: Progress, title: str) -> Report:
    task = bar.add_task(shortened(title), total=None, figures="")

    def report(status: Status) -> None:
        bar.update(task, total=status.steps, completed=status.step, figures=figures(status))

    return report


def plain(before: str = "", clock: Callable[[], float] = time.monotonic) -> Report:
    """Report in lines: the first, then one every ``PLAIN_EVERY`` seconds, and the last.

    ``before`` begins each."""
    last: float | None = None

    def report(status: Status) -> None:
        nonlocal last
        now = clock()
        if last is None or now - last >= PLAIN_EVERY or status.step == status.steps:
            last = now
            line = f"{before}step {status.step}/{status.steps}, {figures(status)}"
            err.print(line, soft_wrap=True)

    return report


def counted(title: str) -> Callable[[int, int], None]:
    """Report how many of how many things are done, in lines as ``plain`` does."""
    last: float | None = None

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if last is None or now - last >= PLAIN_EVERY or done == total:
            last = now
            err.print(f"{title}: {done}/{total}", soft_wrap=True)

    return report


def figures(status: Status) -> str:
    """Loss, validation and time left, as far as they are known."""
    parts = []
    if status.loss is not None:
        parts.append(f"loss {status.loss:.3f}")
    if status.psnr is not None:
        parts.append(f"{status.psnr:.2f} dB")
    minutes, seconds = divmod(round(status.seconds_left), 60)
    hours, minutes = divmod(minutes, 60)
    left = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
    return ", ".join([*parts, f"{left} left"])
