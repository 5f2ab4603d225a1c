"""How many bits does super-resolution at the viewer save, at equal quality?

    python benchmarks/bits_saved.py [--tiers s m l] [--only big_buck_bunny]

Each clip is sent at 1/4, 1/3, 1/2 and the full size, each at four qualities (x264 ``medium``,
groups of two seconds, as ``vidlift cloud publish`` does), decoded, brought to the original's
size by bicubic interpolation and by the network that the player would take for that stream, and
compared with the original. Savings are Bjøntegaard's, over the quality that both curves reach:

    ladder      the four sizes at one quality, bicubic against Vidlift: what a published title is
    best size   of each way the best picture at each rate, whatever its size and quality
    one size    that size alone, at four qualities, bicubic against Vidlift
    per title   the ladder with bicubic against the best sizes with Vidlift: much as ViSOR counts;
                and against the best sizes with bicubic, which is what choosing sizes alone saves

Figures are kept as they come: run again, it goes on, and measures anew only what other networks
than before would enlarge. VMAF needs the extra ``vmaf``, the chart the extra ``charts``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from vidlift import models, vmaf
from vidlift.cloud.bjontegaard import bits_saved
from vidlift.cloud.boxes import header_of
from vidlift.cloud.ladder import Rung, brought_down, shrink
from vidlift.cloud.pack import GOP, segment_of
from vidlift.cloud.report import CALLED
from vidlift.descriptor import TIERS
from vidlift.errors import ModelError
from vidlift.evaluation import script
from vidlift.frame import Frame, Plane
from vidlift.metrics import CEILING, psnr
from vidlift.models import auto
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
USUAL = 23
"""The quality of a ladder: what ``publish`` takes unless told."""

MEASURES = ("psnr_y", "vmaf", "vmaf_neg")
JUDGED = 20
"""Frames of a clip that VMAF looks at, about, spread over it; PSNR looks at all."""

TO_BEAT = {"psnr_y": 24.65, "vmaf": 32.70}
"""Per cent saved by ViSOR (arXiv 2402.03513): FSRCNN, the best size at each rate after it, against
a fixed ladder without super-resolution, x265."""

Point = dict[str, Any]
"""A clip at one size and quality: ``scale``, ``crf``, ``bits_per_second``, ``networks`` (SHA-256
by tier), and ``quality`` by way (``bicubic`` or a tier) and measure."""


def main() -> None:
    """Measure what is not known yet; then the savings, a table and a chart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiers", nargs="+", default=["s", "m", "l"], choices=TIERS)
    parser.add_argument("--only", nargs="+", choices=[clip.stem for clip in CLIPS])
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    chosen.results.mkdir(parents=True, exist_ok=True)
    file = chosen.results / "bits_saved.json"
    before = json.loads(file.read_text())["clips"] if file.is_file() else {}
    clips: dict[str, dict[str, Any]] = {}
    for clip in CLIPS:
        if chosen.only and clip.stem not in chosen.only:
            continue
        points: list[Point] = []
        clips[clip.stem] = {"sha256": _digest(clip), "points": points}
        old = before.get(clip.stem, {})
        known = old.get("points", []) if old.get("sha256") == _digest(clip) else []
        for point in _points(clip, chosen.tiers, known):
            points.append(point)
            print(clip.stem, f"1/{point['scale']}", "crf", point["crf"], flush=True)  # noqa: T201
            _keep(file, {"clips": {**before, **clips}})
    results = _results(clips, chosen.tiers)
    _keep(file, results)
    text = _page(results)
    (chosen.results / "bits_saved.md").write_text(text)
    _draw(results, chosen.results / "bits_saved.png")
    print(text)  # noqa: T201


def _keep(file: Path, content: dict[str, Any]) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n")
    part.replace(file)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


# Measuring


def _points(clip: Path, tiers: list[str], known: list[Point]) -> Iterator[Point]:
    """Every size and quality of a clip; what is ``known`` of the same networks is not redone."""
    with closing(FileSource(clip)) as source:
        # Sides that every scale divides evenly: no picture is enlarged by an odd factor.
        width, height = (side - side % 24 for side in (source.info.width, source.info.height))
        info = replace(source.info, width=width, height=height)
        high = [_cropped(frame, width, height) for frame in source]
    for scale in SCALES:
        rung = Rung(width=width // scale, height=height // scale)
        small_info = brought_down(info, rung)
        small = high
        if scale > 1:
            small = [
                shrink(f, rung, siting=info.siting, bits=8, color=small_info.color) for f in high
            ]
        for crf in CRFS:
            same = [p for p in known if (p["scale"], p["crf"]) == (scale, crf)]
            if same and _is_current(same[0], tiers, rung, info):
                yield same[0]
            else:
                yield _point(high, small, small_info, tiers, scale=scale, crf=crf)


def _cropped(frame: Frame, width: int, height: int) -> Frame:
    planes = []
    for plane in frame.planes:
        across, down = frame.width // plane.shape[1], frame.height // plane.shape[0]
        planes.append(plane[: height // down, : width // across].copy())
    return replace(frame, planes=tuple(planes))


def _is_current(point: Point, tiers: list[str], rung: Rung, info: VideoInfo) -> bool:
    networks = _networks(tiers, point["scale"], point["bits_per_second"], rung.size, info)
    return all(point["networks"].get(t) == models.load(n).sha256 for t, n in networks.items())


def _networks(
    tiers: list[str], scale: int, rate: float, size: tuple[int, int], info: VideoInfo
) -> dict[str, str]:
    """Names by tier: what the player takes for a stream of that rate."""
    assert info.rate is not None
    bits = rate / float(info.rate) / (size[0] * size[1])
    found = {}
    for tier in tiers if scale > 1 else ():
        try:
            stream = auto.Stream(codec="h264", bits_per_pixel=bits)
            found[tier] = auto.choose(stream, scale=scale, tier=tier).name
        except ModelError:
            continue
    return found


def _point(
    high: Sequence[Frame],
    small: Sequence[Frame],
    info: VideoInfo,
    tiers: list[str],
    *,
    scale: int,
    crf: int,
) -> Point:
    lumas = [frame.luma for frame in high]
    seconds = float(high[-1].pts + high[-1].duration - high[0].pts)
    size, came = _transmit(small, info, crf)
    rate = round(8 * size / seconds)
    networks = _networks(tiers, scale, rate, (info.width, info.height), info)
    ways = {"bicubic": f"{models.BICUBIC}-x{scale}", **networks} if scale > 1 else {"bicubic": ""}
    quality = {}
    for way, name in ways.items():
        big = _enlarged(came, name) if name else came
        by_frame = (min(psnr(*both), CEILING) for both in zip(big, lumas, strict=True))
        figures = {"psnr_y": round(fmean(by_frame), 3)}
        if vmaf.is_there():
            found = vmaf.measure(big, lumas, every=max(1, len(lumas) // JUDGED))
            figures |= {"vmaf": round(found.vmaf, 3), "vmaf_neg": round(found.neg, 3)}
        quality[way] = figures
    return {
        "scale": scale,
        "crf": crf,
        "bits_per_second": rate,
        "networks": {tier: models.load(name).sha256 for tier, name in networks.items()},
        "quality": quality,
    }


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


def _enlarged(small: list[Plane], name: str) -> list[Plane]:
    with closing(Upscaler(name)) as upscaler:
        pairs = (small[first : first + 2] for first in range(0, len(small), 2))
        return [plane for pair in pairs for plane in upscaler.luma(np.stack(pair))]


# Savings


def _results(clips: dict[str, dict[str, Any]], tiers: list[str]) -> dict[str, Any]:
    for clip in clips.values():
        clip["saved_percent"] = {
            tier: {m: _savings(clip["points"], tier, m) for m in _measures(clip["points"])}
            for tier in tiers
        }
    known = {name: models.load(name).sha256 for name in models.names()}
    used = {sha for c in clips.values() for p in c["points"] for sha in p["networks"].values()}
    return {
        "command": f"python benchmarks/bits_saved.py --tiers {' '.join(tiers)}",
        "models": {name: sha for name, sha in known.items() if sha in used},
        "to_beat_percent": TO_BEAT,
        "clips": clips,
    }


def _measures(points: list[Point]) -> list[str]:
    return [m for m in MEASURES if all(m in p["quality"]["bicubic"] for p in points)]


Curve = tuple[list[float], list[float]]
"""Bits a second and quality."""


def _savings(points: list[Point], tier: str, measure: str) -> dict[str, float | None]:
    """Per cent by comparison; None where the curves do not overlap."""
    ladders = {crf: [p for p in points if p["crf"] == crf] for crf in CRFS}
    sizes = {scale: [p for p in points if p["scale"] == scale] for scale in SCALES if scale > 1}
    plain_best, best = (_best(_curve(points, way, measure)) for way in ("bicubic", tier))
    usual = _curve(ladders[USUAL], "bicubic", measure)
    compared: dict[str, tuple[Curve, Curve]] = {
        f"ladder, CRF {crf}": (_curve(some, "bicubic", measure), _curve(some, tier, measure))
        for crf, some in ladders.items()
    }
    compared["best size"] = plain_best, best
    compared |= {
        f"1/{scale} alone": (_curve(some, "bicubic", measure), _curve(some, tier, measure))
        for scale, some in sizes.items()
    }
    compared["per title"] = usual, best
    compared["per title, bicubic"] = usual, plain_best
    found = {name: bits_saved(*plain, *ours) for name, (plain, ours) in compared.items()}
    return {name: None if saved is None else round(saved, 2) for name, saved in found.items()}


def _curve(points: list[Point], way: str, measure: str) -> Curve:
    """In order of rate. What no network enlarges is bicubic, and the full size is as it came."""
    ordered = sorted(points, key=lambda p: p["bits_per_second"])
    quality = [p["quality"].get(way, p["quality"]["bicubic"])[measure] for p in ordered]
    return [p["bits_per_second"] for p in ordered], quality


def _best(curve: Curve) -> Curve:
    """The points than which no cheaper one is as good."""
    rates, qualities = list[float](), list[float]()
    for rate, quality in zip(*curve, strict=True):
        if not qualities or quality > qualities[-1]:
            rates.append(rate)
            qualities.append(quality)
    return rates, qualities


# Showing


def _page(results: dict[str, Any]) -> str:
    clips = results["clips"]
    measures = _measures([p for clip in clips.values() for p in clip["points"]])
    lines = [
        "# Bits saved by super-resolution at the viewer",
        "",
        f"`{results['command']}`: x264 `medium`, sizes 1/4, 1/3, 1/2 and full, CRF 18, 23, 28,",
        "33. Per cent of bits that Vidlift saves against bicubic playback at equal quality",
        "(Bjøntegaard; below zero, it costs bits), means over the clips.",
        "",
        "- *ladder*: the four sizes at one CRF, with bicubic and with Vidlift;",
        "- *best size*: of each way the best picture at each rate, whatever its size;",
        "- *alone*: one size at the four CRFs. The band of quality that both reach is narrow: more",
        "  bits do not bring what interpolation lacks;",
        "- *per title*: the ladder of CRF 23 with bicubic against the best sizes with Vidlift,",
        "  much as ViSOR (arXiv 2402.03513) counts: it saves 24.65 % at equal PSNR and 32.70 %",
        "  at equal VMAF with FSRCNN, against a fixed ladder of rates, x265, up to 2160p;",
        "- *per title, bicubic*: what of that choosing sizes saves by itself.",
    ]
    for tier in next(iter(clips.values()))["saved_percent"]:
        head = " | ".join(CALLED[m] for m in measures)
        lines += ["", f"## {tier}", "", f"| | {head} |", "|---|" + "--:|" * len(measures)]
        by_clip = {name: clip["saved_percent"][tier] for name, clip in clips.items()}
        for comparison in next(iter(by_clip.values()))[measures[0]]:
            row = [_mean([by[m][comparison] for by in by_clip.values()]) for m in measures]
            lines.append(f"| {comparison} | {' | '.join(row)} |")
        for name, by in by_clip.items():
            row = [_mean([by[m][f"ladder, CRF {USUAL}"]]) for m in measures]
            lines.append(f"| {name}: ladder, CRF {USUAL} | {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _mean(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{fmean(known):.1f}" if known else "–"


def _draw(results: dict[str, Any], where: Path) -> None:
    """Quality against rate of the ladders of the usual CRF: a column a clip, a row a measure."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    clips = results["clips"]
    measures = _measures([p for clip in clips.values() for p in clip["points"]])[:2]
    figure = Figure(figsize=(3.1 * len(clips), 2.8 * len(measures)), layout="constrained")
    panels = figure.subplots(len(measures), len(clips), squeeze=False)
    for row, measure in zip(panels, measures, strict=True):
        for axis, clip in zip(row, clips.values(), strict=True):
            ladder = [p for p in clip["points"] if p["crf"] == USUAL]
            kbps = [rate / 1000 for rate in _curve(ladder, "bicubic", measure)[0]]
            for way in ("bicubic", *clip["saved_percent"]):
                style, colour = ("--", "0.25") if way == "bicubic" else ("-", None)
                quality = _curve(ladder, way, measure)[1]
                axis.plot(kbps, quality, style, color=colour, marker="o", markersize=3, label=way)
            axis.set(xscale="log", ylabel=CALLED[measure])
            axis.set_xticks(kbps, [f"{rate:.0f}" for rate in kbps])
            axis.minorticks_off()
            axis.grid(alpha=0.3)
    for name, top, bottom in zip(clips, panels[0], panels[-1], strict=True):
        top.set_title(name.replace("_", " "))
        bottom.set_xlabel("kbit/s")
    panels[0][0].legend()
    figure.savefig(where, dpi=90)


if __name__ == "__main__":
    script.run(main)
