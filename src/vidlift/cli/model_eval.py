"""``vidlift model eval``: how good networks are, by the protocols of the field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidlift.cli.console import err, out, plain_table, print_table, warn
from vidlift.cli.report import check_chart, check_report
from vidlift.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from vidlift.evaluation.report import Figures
    from vidlift.evaluation.subjects import Subject
    from vidlift.evaluation.timing import Time


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
    streams: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="What clips go through first: clean, or codec and CRF as in h264-23,av1-35.",
        ),
    ] = "clean",
    vmaf: Annotated[
        bool, typer.Option("--vmaf", help="VMAF and VMAF-NEG of clips too (extra `vmaf`).")
    ] = False,
    timed: Annotated[
        bool,
        typer.Option("--time", help="Time them too, to 1080p, in turns on each runtime."),
    ] = False,
    chart: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw PSNR over time (extra `charts`, and --time)."),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(
            metavar="f32|mixed|bf16",
            help="Of quality: float32, or as OpenVINO computes it in bfloat16, mixed with the ends "
            "in float32.",
        ),
    ] = "f32",
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Threads of the runtime.")] = 2,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write all figures as JSON.")
    ] = None,
) -> None:
    """Measure networks on pictures and clips, beside bicubic interpolation.

    PSNR and SSIM on luma, as published figures have them; stability and VMAF of clips. The
    protocols are in docs/measurement.md.
    """
    from vidlift.evaluation import machine, runtimes, subjects
    from vidlift.evaluation import report as reports
    from vidlift.evaluation import sets as test_sets
    from vidlift.evaluation import streams as all_streams

    check_report(report, apart_from=tuple(models))
    found = [subjects.load(model) for model in models]
    tests = test_sets.find(data, _names(sets))
    sent = [all_streams.parse(name) for name in _names(streams)]
    if not sent:
        raise UsageError(f"--streams names none: give {all_streams.CLEAN}, or others beside it")
    if precision not in runtimes.PRECISIONS:
        raise UsageError(f"precision {precision!r} is none of {', '.join(runtimes.PRECISIONS)}")
    check_chart(chart)
    if chart is not None and not timed:
        raise UsageError("--chart shows quality over time: give --time as well")
    with err.status("") as status:
        figures = reports.measure(
            found,
            tests,
            streams=sent,
            setup=runtimes.PRECISIONS[precision],
            with_vmaf=vmaf,
            threads=threads,
            tell=status.update,
        )
        if timed:
            figures = reports.with_speed(figures, _time(found, threads, status.update))
    for line in _left_out(figures):
        warn(line)
    _print_figures(figures)
    _print_clips(figures)
    _print_speed(figures)
    if report is not None:
        reports.save(report, figures, made=machine.about())
    if chart is not None:
        from vidlift.evaluation.chart import draw

        draw(figures, chart)


def _time(
    subjects: list[Subject], threads: int, tell: Callable[[str], None]
) -> dict[str, dict[str, Time]]:
    """Times by network and setup, taken scale by scale."""
    from vidlift.evaluation import timing

    times = {}
    for scale in sorted({subject.scale for subject in subjects}):
        same = [subject for subject in subjects if subject.scale == scale]
        times.update(timing.measure(same, threads=threads, tell=tell))
    return times


def _names(listed: str) -> list[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]


def _left_out(figures: list[Figures]) -> dict[str, None]:
    """What was too small to be measured, a line for each set and scale."""
    from vidlift.evaluation.pictures import too_small

    return {
        f"{name}: {too_small(score.skipped, each.scale)}": None
        for each in figures
        for name, score in each.pictures.items()
        if score.skipped
    }


def _print_figures(figures: list[Figures]) -> None:
    """A table of cost and PSNR / SSIM on pictures, a row a network and a column a set."""
    names = list(dict.fromkeys(name for each in figures for name in each.pictures))
    table = _table("network", "scale", "MAC/px", "weights", "KB", *names)
    for each in figures:
        cost = each.cost
        row = [""] * 3
        if cost:
            row = [f"{cost.mac:,.0f}", f"{cost.parameters:,}", f"{cost.bytes / 1000:.0f}"]
        scores = [each.pictures[name] for name in names]
        cells = (f"{score.psnr:.2f} / {score.ssim:.4f}" for score in scores)
        table.add_row(each.name, f"x{each.scale}", *row, *cells)
    print_table(table)


def _print_clips(figures: list[Figures]) -> None:
    """For each set of clips and stream a table: a network's figures and its gain over bicubic."""
    from vidlift.evaluation.report import BICUBIC

    for name in dict.fromkeys(name for each in figures for name in each.clips):
        for stream in dict.fromkeys(s for each in figures for s in each.clips[name]):
            out.print(f"\n{name}, {stream}", style="bold")
            table = _table("network", "scale", *_CLIP_COLUMNS)
            base: dict[int, Figures] = {
                each.scale: each for each in figures if each.name == BICUBIC
            }
            for each in figures:
                found, least = each.clips[name][stream], base[each.scale].clips[name][stream]
                mean = found.mean
                gains = [found.clips[c].psnr - least.clips[c].psnr for c in found.clips]
                perceived = ["", ""]
                if mean.vmaf is not None and mean.vmaf_neg is not None:
                    perceived = [f"{mean.vmaf:.2f}", f"{mean.vmaf_neg:.2f}"]
                table.add_row(
                    each.name,
                    f"x{each.scale}",
                    f"{mean.psnr:.2f}",
                    f"{mean.psnr - least.mean.psnr:+.2f}",
                    f"{min(gains):+.2f}",
                    f"{mean.psnr_shifted:.2f}",
                    f"{mean.psnr_even:.2f} / {mean.psnr_odd:.2f}",
                    f"{mean.ssim:.4f}",
                    f"{mean.stability:.2f}",
                    *perceived,
                )
            print_table(table)


def _print_speed(figures: list[Figures]) -> None:
    """Milliseconds a frame at 1080p, and their ratio to the first network's."""
    setups = list(dict.fromkeys(setup for each in figures for setup in each.speed))
    if not setups:
        return
    out.print("\nms a frame to 1080p, in turns; ratio to the first", style="bold")
    table = _table("network", "scale", *setups)
    for each in (each for each in figures if each.speed):
        cells = (
            f"{taken.median_ms:.1f} ({taken.ratio:.2f})" if taken else "–"
            for taken in (each.speed.get(setup) for setup in setups)
        )
        table.add_row(each.name, f"x{each.scale}", *cells)
    print_table(table)


_CLIP_COLUMNS = (
    "PSNR",
    "gain",
    "least gain",
    "PSNR shifted",
    "even / odd",
    "SSIM",
    "stability",
    "VMAF",
    "NEG",
)


def _table(first: str, *titles: str) -> Table:
    table = plain_table(header_style="bold")
    table.add_column(first, no_wrap=True)
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    return table
