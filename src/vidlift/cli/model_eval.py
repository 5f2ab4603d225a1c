"""``vidlift model eval``: how good networks are, by the protocols of the field."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidlift.cli.console import err, out
from vidlift.cli.report import check_report

if TYPE_CHECKING:
    from vidlift.evaluation.report import Figures


def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODELS...",
            help="Names of models, or ONNX files: ours, or any with one input `rgb` or `y`.",
        ),
    ],
    *,
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="A folder of test sets, or one set.")
    ],
    sets: Annotated[
        str, typer.Option(metavar="NAMES", help="Only these sets, as in Set5,Set14.")
    ] = "",
    threads: Annotated[int, typer.Option(min=1, help="Threads of the runtime.")] = 2,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write all figures as JSON.")
    ] = None,
) -> None:
    """Measure networks on pictures, beside bicubic interpolation.

    PSNR and SSIM on luma, as published figures have them (docs/measurement.md).
    """
    from vidlift.evaluation import machine, subjects
    from vidlift.evaluation import report as reports
    from vidlift.evaluation import sets as test_sets

    check_report(report, apart_from=tuple(models))
    found = [subjects.load(model) for model in models]
    tests = test_sets.find(data, [name for name in sets.split(",") if name])
    with err.status("") as status:
        figures = reports.measure(found, tests, threads=threads, tell=status.update)
    _print_pictures(figures)
    if report is not None:
        reports.save(report, figures, about=machine.about())


def _print_pictures(figures: list[Figures]) -> None:
    """A table of PSNR / SSIM, a row a network and a column a set."""
    from rich.table import Table

    names = list(dict.fromkeys(name for each in figures for name in each.pictures))
    table = Table(box=None, pad_edge=False)
    table.add_column("network", no_wrap=True)
    for title in ("scale", "MAC/px", "weights", "KB", *names):
        table.add_column(title, justify="right", no_wrap=True)
    for each in figures:
        cost = each.cost
        row = (
            [f"{cost.mac:,.0f}", f"{cost.parameters:,}", f"{cost.bytes / 1000:.0f}"]
            if cost
            else ["", "", ""]
        )
        scores = [each.pictures[name] for name in names]
        table.add_row(
            each.name, f"x{each.scale}", *row, *(f"{s.psnr:.2f} / {s.ssim:.4f}" for s in scores)
        )
    out.print(table)
