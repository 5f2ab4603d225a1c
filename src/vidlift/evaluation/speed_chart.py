"""A chart of how long networks take, against the time that films leave (extra ``charts``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidlift.errors import OutputError, UsageError
from vidlift.evaluation.chart import INK, OURS, PEERS, RULE
from vidlift.evaluation.foretell import Speed

RATES = (24, 30, 60)


def draw(speeds: Sequence[Speed], where: Path) -> None:
    """A panel a scale: a bar a network and engine, and lines where films of usual rates end.

    Darker is the network, lighter what a frame takes beside it. Raises ``UsageError`` where the
    extra is missing, ``OutputError`` where the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("a chart needs the extra `vidlift[charts]`, not installed") from None
    scales = list(dict.fromkeys(each.scale for each in speeds))
    counts = [sum(each.scale == scale for each in speeds) for scale in scales]
    figure = Figure(figsize=(8, 1.0 * len(scales) + 0.32 * len(speeds)), layout="constrained")
    panels = figure.subplots(
        len(scales), 1, squeeze=False, sharex=True, gridspec_kw={"height_ratios": counts}
    )
    for (panel,), scale in zip(panels, scales, strict=True):
        _draw_panel(panel, [each for each in speeds if each.scale == scale])
    panels[-1][0].set_xlabel("ms a frame; lighter: chroma and conversions", color=INK)
    try:
        figure.savefig(where, dpi=150)
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write the chart {where}: {error}") from error


def _draw_panel(panel: Any, speeds: Sequence[Speed]) -> None:
    width, height = speeds[0].size
    scale = speeds[0].scale
    title = f"{width}×{height} → {width * scale}×{height * scale}"
    panel.set_title(title, loc="left", color=INK, fontsize=11, pad=18)  # rates are written below it
    places = range(len(speeds))
    whole = [each.frame_ms or each.network_ms for each in speeds]
    colors = [OURS if each.ours else PEERS for each in speeds]
    panel.barh(places, whole, color=colors, alpha=0.4, height=0.7)
    panel.barh(places, [each.network_ms for each in speeds], color=colors, height=0.7)
    for place, taken in zip(places, whole, strict=True):
        panel.annotate(
            f"{taken:.1f}",
            (taken, place),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            fontsize=8,
        )
    panel.set_yticks(places, [f"{each.network}, {each.engine}" for each in speeds], fontsize=8)
    panel.invert_yaxis()
    for rate in RATES:
        panel.axvline(1000 / rate, color=RULE, linewidth=1, zorder=0)
        panel.annotate(
            f"{rate}/s",
            (1000 / rate, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            color=PEERS,
            fontsize=8,
        )
    panel.margins(x=0.1)
    panel.spines[["top", "right"]].set_visible(False)
