"""A chart of quality against measured time, with matplotlib (extra ``charts``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidlift.descriptor import SCALES, TIERS
from vidlift.errors import OutputError, UsageError
from vidlift.evaluation.report import BICUBIC, Figures

_SCALE = re.compile(rf"-x({'|'.join(map(str, SCALES))})(?=-|$)")

OURS, PEERS, RULE, INK = "#0b6e99", "#8a8a8a", "#dddddd", "#222222"

PLACES = tuple(
    (x, y, across, up)
    for distance in range(1, 7)
    for x, across in ((5, "left"), (-5, "right"), (0, "center"))
    for y, up in ((2 * distance, "bottom"), (-2 * distance, "top"))
)
"""Where a label may lie about its point, in points, the better places first."""

DPI = 150

POINT = 6
"""Pixels from the middle of a point to where it ends."""


def draw(figures: Sequence[Figures], where: Path) -> None:
    """One panel a scale and set of pictures: PSNR over milliseconds, each network at its fastest.

    The format is that of the file's ending. Raises ``UsageError`` where the extra is missing or
    nothing was timed, ``OutputError`` where the file cannot be written.
    """
    timed = [each for each in figures if each.speed]
    names = list(dict.fromkeys(name for each in timed for name in each.pictures))
    if not names:
        raise UsageError("a chart needs sets of pictures and --time: it shows quality over time")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("a chart needs the extra `vidlift[charts]`, not installed") from None
    scales = sorted({each.scale for each in timed})
    figure = Figure(figsize=(5.5 * len(names), 4.5 * len(scales)), dpi=DPI, layout="constrained")
    panels = figure.subplots(len(scales), len(names), squeeze=False)
    labels = []
    for row, scale in zip(panels, scales, strict=True):
        for panel, name in zip(row, names, strict=True):
            labels += _draw_panel(panel, [each for each in figures if each.scale == scale], name)
            panel.set_title(f"{name}, ×{scale} to 1080p", loc="left", color=INK, fontsize=11)
    _keep_apart(figure, labels)
    try:
        figure.savefig(where)
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write the chart {where}: {error}") from error


def fastest(figures: Figures) -> float:
    """Milliseconds a frame in the setup that is quickest for this network."""
    return min(taken.median_ms for taken in figures.speed.values())


def label(network: str) -> str:
    """A network's name without its scale, which the panel says: ``m-clean``."""
    return _SCALE.sub("", network)


def _draw_panel(panel: Any, figures: Sequence[Figures], name: str) -> list[Any]:
    """Returns the labels of the points, ours first."""
    labels = []
    for each in figures:
        if each.tier == BICUBIC and name in each.pictures:
            panel.axhline(each.pictures[name].psnr, color=RULE, linewidth=1, zorder=0)
            panel.annotate(
                "bicubic",
                (1, each.pictures[name].psnr),
                xycoords=("axes fraction", "data"),
                xytext=(-4, 3),
                textcoords="offset points",
                ha="right",
                color=PEERS,
                fontsize=8,
            )
    shown = [each for each in figures if each.speed and name in each.pictures]
    ours = [each for each in shown if each.tier in TIERS]
    peers = [each for each in shown if each.tier not in TIERS]
    for group, color, weight in ((ours, OURS, "bold"), (peers, PEERS, "normal")):
        points = sorted((fastest(each), each.pictures[name].psnr, each.name) for each in group)
        if not points:
            continue
        panel.scatter([p[0] for p in points], [p[1] for p in points], s=22, color=color, zorder=3)
        labels += [
            panel.annotate(
                label(network),
                (time, psnr),
                xytext=(0, 0),
                textcoords="offset points",
                color=color,
                fontsize=8,
                fontweight=weight,
            )
            for time, psnr, network in points
        ]
    panel.set_xscale("log")
    panel.margins(x=0.2)
    panel.set_xlabel("ms a frame, fastest runtime and precision", color=INK)
    panel.set_ylabel("PSNR of luma, dB", color=INK)
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.xaxis.set_minor_formatter(
        lambda value, _: f"{value:g}" if _leading(value) in "25" else ""
    )
    panel.grid(color=RULE, linewidth=0.5, which="both", alpha=0.6)
    panel.spines[["top", "right"]].set_visible(False)
    return labels


def _keep_apart(figure: Any, labels: Sequence[Any]) -> None:
    """Put each label where it covers the least of those before it, of points and of the margin."""
    from matplotlib.transforms import Bbox

    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # things stay where they are now
    around = [each.axes.transData.transform(each.xy) for each in labels]
    taken = [Bbox.from_bounds(x - POINT, y - POINT, 2 * POINT, 2 * POINT) for x, y in around]
    for each in labels:
        panel = each.axes.get_window_extent()
        best = min(PLACES, key=lambda place: _covered(_put(each, place), panel, taken))
        taken.append(_put(each, best))


def _put(label: Any, place: tuple[int, int, str, str]) -> Any:
    x, y, across, up = place
    label.set(position=(x, y), ha=across, va=up)
    return label.get_window_extent()


def _covered(box: Any, panel: Any, taken: Sequence[Any]) -> float:
    from matplotlib.transforms import Bbox

    def shared(other: Any) -> float:
        found = Bbox.intersection(box, other)
        return float(found.width * found.height) if found else 0.0

    return float(box.width * box.height) - shared(panel) + sum(map(shared, taken))


def _leading(value: float) -> str:
    return f"{value:e}"[0]
