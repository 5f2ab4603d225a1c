"""How many bits does super-resolution at the viewer save, at equal quality?

    python benchmarks/bits_saved.py [--tier m] [--no-vmaf] [--frames N] [CLIP ...]

Each clip is published at 1/4, 1/3, 1/2 and the full size at several qualities (x264 ``medium``,
groups of two seconds, as ``vidlift cloud publish`` does), decoded, brought to the original's
size by bicubic interpolation and by the tier's networks, and compared with the original. Of each
way the best picture at each rate counts (the upper hull over sizes and qualities); the figure is
Bjøntegaard's saving in bits over the quality both reach. VMAF needs the extra ``vmaf``, the chart
the extra ``charts``. Clips: ``../shared/data/test/vid4`` and the bundled one.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from itertools import groupby, islice
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from vidlift import models, vmaf
from vidlift.cloud.bjontegaard import bits_saved
from vidlift.cloud.boxes import header_of
from vidlift.cloud.ladder import Rung, brought_down, shrink
from vidlift.cloud.pack import GOP, segment_of
from vidlift.evaluation.machine import about
from vidlift.frame import Frame, Plane
from vidlift.metrics import psnr
from vidlift.resample import quick_resize
from vidlift.sinks.gop import GOP_CODECS, GopEncoder, GopOptions
from vidlift.sources.file import FileSource
from vidlift.upscaler import Upscaler
from vidlift.video import VideoInfo

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
CLIPS = [
    *sorted((ROOT.parent / "shared" / "data" / "test" / "vid4").glob("*.mkv")),
    ROOT / "src" / "vidlift" / "demo" / "big_buck_bunny.mp4",
]
SCALES = (4, 3, 2, 1)
CRFS = (18, 23, 28, 33)
TO_BEAT = {"psnr_y": 25.0, "vmaf": 33.0}
"""Per cent saved by ViSOR (arXiv 2402.03513)."""


def main() -> None:
    """Measure all clips and keep the figures, a table and a chart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="*", type=Path, default=CLIPS)
    parser.add_argument("--tier", default="m")
    parser.add_argument("--frames", type=int, help="of each clip at most")
    parser.add_argument("--no-vmaf", action="store_true")
    chosen = parser.parse_args()
    measures = ["psnr_y"] if chosen.no_vmaf else ["psnr_y", "vmaf", "vmaf_neg"]
    clips: dict[str, dict[str, Any]] = {}
    for clip in chosen.clips:
        points = list(_points(clip, chosen.tier, chosen.frames, with_vmaf=not chosen.no_vmaf))
        saved = {measure: _saved(points, measure) for measure in measures}
        by_scale = {
            f"1/{scale}": {
                m: _saved([p for p in points if p["scale"] == scale], m) for m in measures
            }
            for scale in SCALES
            if scale > 1
        }
        clips[clip.stem] = {
            "points": points,
            "saved_percent": saved,
            "saved_percent_of_one_size": by_scale,
        }
        print(clip.stem, saved, flush=True)  # noqa: T201
    results = {
        "command": f"python benchmarks/bits_saved.py --tier {chosen.tier}",
        "machine": about(),
        "models": {
            name: models.load(name).sha256
            for name in models.names()
            if name.startswith(f"{chosen.tier}-")
        },
        "to_beat_percent": TO_BEAT,
        "mean_saved_percent": {
            measure: _mean([clip["saved_percent"][measure] for clip in clips.values()])
            for measure in measures
        },
        "clips": clips,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "bits_saved.json").write_text(json.dumps(results, indent=2) + "\n")
    text = _table(results, measures)
    (RESULTS / "bits_saved.md").write_text(text)
    _draw(clips, RESULTS / "bits_saved.png")
    print(text)  # noqa: T201


def _points(
    clip: Path, tier: str, frames: int | None, *, with_vmaf: bool
) -> Iterator[dict[str, Any]]:
    with closing(FileSource(clip)) as source:
        info = source.info
        originals = [
            replace(f, planes=tuple(p.copy() for p in f.planes)) for f in islice(source, frames)
        ]
    lumas = [frame.luma for frame in originals]
    seconds = float(originals[-1].pts + originals[-1].duration - originals[0].pts)
    for scale in SCALES:
        rung = Rung(
            width=2 * round(info.width / scale / 2), height=2 * round(info.height / scale / 2)
        )
        small_info = brought_down(info, rung)
        small = originals
        if scale > 1:
            small = [
                shrink(f, rung, siting=info.siting, bits=8, color=small_info.color)
                for f in originals
            ]
        for crf in CRFS:
            size, came = _transmit(small, small_info, crf)
            for way, big in _ways(came, scale, tier, (info.width, info.height)):
                point: dict[str, Any] = {
                    "scale": scale,
                    "crf": crf,
                    "way": way,
                    "bits_per_second": round(8 * size / seconds),
                    "psnr_y": round(mean(map(psnr, big, lumas)), 3),
                }
                if with_vmaf:
                    found = vmaf.measure(big, lumas)
                    point |= {"vmaf": round(found.vmaf, 3), "vmaf_neg": round(found.neg, 3)}
                yield point


def _transmit(frames: Sequence[Frame], info: VideoInfo, crf: int) -> tuple[int, list[Plane]]:
    """Bytes sent, and the luma that arrives."""
    size, came = 0, list[Plane]()
    begin = frames[0].pts
    options = GopOptions(crf=crf)
    for _, group in groupby(frames, key=lambda f: (f.pts - begin) // GOP):
        encoder = GopEncoder(info, options)
        first, end = None, Fraction(0)
        for frame in group:
            moved = replace(frame, pts=frame.pts - begin)
            first = moved.pts if first is None else first
            end = moved.pts + moved.duration
            encoder.write(moved)
        assert first is not None
        gop = encoder.finish()
        size += sum(len(packet.data) for packet in gop.packets)
        header = header_of(gop.header)
        before = [first] * GOP_CODECS[options.codec].reordered
        data = header + segment_of(list(gop.packets), header, number=1, before=before, end=end)
        with closing(FileSource(BytesIO(data), name="a group just made")) as source:
            came += [frame.luma.copy() for frame in source]
    return size, came


def _ways(
    small: list[Plane], scale: int, tier: str, size: tuple[int, int]
) -> Iterator[tuple[str, list[Plane]]]:
    """The luma at the size of the original, by bicubic and by the network, if there is one."""
    if scale == 1:
        yield "bicubic", small
        yield tier, small
        return
    names = {"bicubic": f"{models.BICUBIC}-x{scale}"}
    ours = f"{tier}-x{scale}"
    names[tier] = ours if ours in models.names() else names["bicubic"]
    for way, name in names.items():
        with Upscaler(name) as upscaler:
            big = []
            for first in range(0, len(small), 2):
                pair = small[first : first + 2]
                made = upscaler.luma(np.stack(pair))
                big += [p if p.shape == size[::-1] else quick_resize(p, size) for p in made]
        yield way, big


def _saved(points: list[dict[str, Any]], measure: str) -> float | None:
    ways = list(dict.fromkeys(point["way"] for point in points))
    plain, ours = (_hull([p for p in points if p["way"] == way], measure) for way in ways)
    found = bits_saved(plain[0], plain[1], ours[0], ours[1])
    return None if found is None else round(found, 2)


def _hull(points: list[dict[str, Any]], measure: str) -> tuple[list[float], list[float]]:
    """Rates and qualities of the points that no other is better and cheaper than."""
    rates, qualities = list[float](), list[float]()
    for point in sorted(points, key=lambda p: (p["bits_per_second"], -p[measure])):
        if not qualities or point[measure] > qualities[-1]:
            rates.append(point["bits_per_second"])
            qualities.append(point[measure])
    return rates, qualities


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(mean(known), 2) if known else None


def _table(results: dict[str, Any], measures: list[str]) -> str:
    lines = [
        "# Bits saved by super-resolution at the viewer",
        "",
        f"`{results['command']}`; {results['machine']['processor']}. Per cent of bits saved at",
        "equal quality against bicubic playback of the same ladder (Bjøntegaard, upper hull over",
        "1/4, 1/3, 1/2 and the full size at CRF 18, 23, 28, 33). To beat: ViSOR, 25 % at equal",
        "PSNR and 33 % at equal VMAF.",
        "",
        "| clip | " + " | ".join(measures) + " |",
        "|---|" + "--:|" * len(measures),
    ]
    rows = {name: clip["saved_percent"] for name, clip in results["clips"].items()}
    rows["**mean**"] = results["mean_saved_percent"]
    for size in next(iter(results["clips"].values()))["saved_percent_of_one_size"]:
        rows[f"{size} of the size alone, mean"] = {
            m: _mean([c["saved_percent_of_one_size"][size][m] for c in results["clips"].values()])
            for m in measures
        }
    for name, saved in rows.items():
        cells = ["–" if saved[m] is None else f"{saved[m]:.1f}" for m in measures]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _draw(clips: dict[str, Any], where: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(figsize=(4 * len(clips), 3.6), layout="constrained")
    axes = figure.subplots(1, len(clips), squeeze=False)[0]
    for axis, (name, clip) in zip(axes, clips.items(), strict=True):
        for way in dict.fromkeys(point["way"] for point in clip["points"]):
            rates, quality = _hull([p for p in clip["points"] if p["way"] == way], "psnr_y")
            axis.plot([r / 1000 for r in rates], quality, marker="o", label=way)
        axis.set(xscale="log", xlabel="kbit/s", ylabel="PSNR-Y, dB", title=name)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(where, dpi=110)


if __name__ == "__main__":
    main()
