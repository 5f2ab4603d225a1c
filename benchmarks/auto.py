"""From how many bits a pixel on is one training of a network better than another?

    python benchmarks/auto.py --data ../shared/data
    python benchmarks/auto.py --data ../shared/data --clean m-x4 --codec m-x4-low --name auto-low

Sends the held-out clips, and the held-out photographs in motion, through codecs at many
qualities, enlarges what arrives with both networks, and finds for each codec the bits per
low-resolution pixel from which the first, for the cleaner streams, gains more, and, where a decoder
tells the quantiser, from which one on the second gains more of the others: what
``models/auto.py`` chooses by. Writes ``results/NAME.json`` and ``.md``; where they are of the same
two networks, only the page is made anew. No test set is looked at.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidlift import metrics, models, resample
from vidlift.evaluation import machine, script, tables
from vidlift.rgb import rgb_of
from vidlift.sources.file import FileSource
from vidlift.training import degrade, motion, pictures
from vidlift.training.degrade import CODECS, Arrived, Planes
from vidlift.upscaler import Upscaler

RESULTS = Path(__file__).parent / "results"

LOSSLESS, CLEAN = "lossless", "clean"

QUALITIES = {
    "h264": (4, 8, 12, 15, 18, 20, 23, 26, 30, 35, 40),
    "hevc": (4, 8, 12, 16, 20, 24, 28, 33, 38),
    "vp9": (6, 12, 18, 24, 30, 36, 44, 52),
    "av1": (8, 14, 20, 26, 32, 40, 50),
}
"""CRF of each codec, from invisible to what hurts."""

FRAMES = 48
SIDE = 512
"""Longest side of a picture that is shrunk, about."""

JUDGED = 8
"""Frames of a sequence that are compared, spread over it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One sequence through one codec at one quality."""

    source: str
    codec: str
    crf: int
    bpp: float
    """Bits per low-resolution pixel; 0 for what went through no codec."""

    clean: float
    """dB over bicubic of the network for the cleaner streams, PSNR-Y."""

    coded: float
    """The same of the other."""

    quantizer: float | None = None
    """Of the first picture, where its decoder tells it."""


def main() -> None:
    options = _options()
    clean, coded = models.load(options.clean), models.load(options.codec)
    made = {**machine.about(), "clean": clean.sha256, "coded": coded.sha256}
    where = RESULTS / f"{options.name}.json"
    points = _measured_before(where, made) or _measure(options.data / "train", clean, coded)
    limits = {codec: round(best_limit(own)[0], 2) for codec, own in _by_codec(points).items()}
    content = {"made": made, "limits": limits, "points": [asdict(point) for point in points]}
    where.write_text(json.dumps(content, indent=1) + "\n")
    page = _page(points, (clean.descriptor.name, coded.descriptor.name))
    where.with_suffix(".md").write_text(page)
    sys.stdout.write(page)


def _measured_before(where: Path, made: dict[str, Any]) -> list[Point]:
    """What lies there, if it is of the same networks."""
    if not where.exists():
        return []
    saved = json.loads(where.read_text())
    if any(saved["made"][each] != made[each] for each in ("clean", "coded")):
        return []
    return [Point(**point) for point in saved["points"]]


def _measure(train: Path, clean: models.Model, coded: models.Model) -> list[Point]:
    scale = clean.descriptor.scale
    points: list[Point] = []
    with (
        closing(Upscaler(f"bicubic-x{scale}", engine="onnxruntime", threads=1)) as plain,
        closing(Upscaler(clean, engine="onnxruntime", threads=1)) as one,
        closing(Upscaler(coded, engine="onnxruntime", threads=1)) as other,
    ):
        for name, high in _sequences(train, scale):
            low = [resample.resize(p, (p.shape[1] // scale, p.shape[0] // scale)) for p in high]
            for codec, crf, arrived in _arrivals(low):
                base, *gains = (_psnr(way, arrived.planes, high) for way in (plain, one, other))
                point = Point(
                    source=name,
                    codec=codec,
                    crf=crf,
                    bpp=round(8 * arrived.size / (len(low) * low[0].size), 5),
                    clean=round(gains[0] - base, 4),
                    coded=round(gains[1] - base, 4),
                    quantizer=arrived.quantizer,
                )
                points.append(point)
            sys.stderr.write(f"{name}: {len(points)} points\n")
    return points


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds train/")
    parser.add_argument("--clean", type=Path, default=Path("m-x4-clean"), help="name or file")
    parser.add_argument("--codec", type=Path, default=Path("m-x4"), help="name or file")
    parser.add_argument("--name", default="auto", help="of the results")
    return parser.parse_args()


def _sequences(train: Path, scale: int) -> Iterator[tuple[str, Planes]]:
    """Held-out clips, and a photograph of each held-out source in motion: luma."""
    step = 2 * scale
    for where in sorted((train / "clips").iterdir()):
        if pictures.is_held_out(pictures.source_of(where)):
            with closing(FileSource(where)) as source:
                planes = [frame.luma for frame in islice(source, FRAMES)]
            sides = [side - side % step for side in planes[0].shape]
            yield where.stem, [np.ascontiguousarray(p[: sides[0], : sides[1]]) for p in planes]
    seen = set()
    for where in pictures.picture_files([train / "pictures"]):
        source_name = pictures.source_of(where)
        if source_name in seen or not pictures.is_held_out(source_name):
            continue
        seen.add(source_name)
        with Image.open(where) as image:
            plane = pictures.luma(np.asarray(rgb_of(image)))
        height, width = (min(SIDE, int(0.9 * side)) // step * step for side in plane.shape)
        rng = np.random.default_rng(len(seen))
        yield source_name, motion.moved(plane, rng, size=(width, height), frames=FRAMES)


def _arrivals(low: Planes) -> Iterator[tuple[str, int, Arrived]]:
    """Codec, CRF, and what arrives."""
    yield CLEAN, 0, Arrived(low, 0, None)
    yield LOSSLESS, 0, degrade.transmit(low, "libx264", {"preset": "medium", "qp": "0"})
    for codec, qualities in QUALITIES.items():
        row = CODECS[codec]
        if min(low[0].shape) < row.smallest:
            continue
        for crf in qualities:
            setting = {**row.presets[-1], "crf": str(crf), "g": "120"}
            yield codec, crf, degrade.transmit(low, row.encoder, setting)


def _psnr(way: Upscaler, low: Planes, high: Planes) -> float:
    found = []
    for index in np.linspace(0, len(low) - 1, JUDGED).round().astype(int):
        made: NDArray[np.uint8] = way.luma(low[index][None])[0]
        found.append(min(metrics.CEILING, metrics.psnr(made, high[index])))
    return float(np.mean(found))


def best_limit(points: Sequence[Point]) -> tuple[float, float]:
    """Bits a pixel from which to take the picture-trained network, for the largest mean gain.

    With it, what that choice loses on average to always taking the better of the two, in dB.
    """
    ordered = sorted(points, key=lambda point: point.bpp)
    found = []
    for index in range(len(ordered) + 1):
        before, after = ordered[:index], ordered[index:]
        gain = sum(p.coded for p in before) + sum(p.clean for p in after)
        edges = [p.bpp for p in ordered[max(0, index - 1) : index + 1]]
        found.append((gain, statistics.fmean(edges) if after else float("inf")))
    gain, limit = max(found)
    ideal = sum(max(p.clean, p.coded) for p in points)
    return limit, (ideal - gain) / len(points)


def best_quantizer(points: Sequence[Point], limit: float) -> tuple[float, float]:
    """Quantiser from which to take the second network as well, where the bits are ``limit`` or
    more; with what that choice loses on average, in dB."""
    told = sorted({p.quantizer for p in points if p.quantizer is not None})
    ideal = statistics.fmean(max(p.clean, p.coded) for p in points)
    found = []
    for before, after in pairwise([*told, told[-1] + 1]):
        coarse = (before + after) / 2
        chosen = (p.coded if _is_low(p, limit, coarse) else p.clean for p in points)
        found.append((ideal - statistics.fmean(chosen), coarse))
    lost, coarse = min(found)
    return coarse, lost


def _is_low(point: Point, limit: float, coarse: float) -> bool:
    told = point.quantizer is not None and point.quantizer >= coarse
    return point.bpp < limit or told


def _by_codec(points: Sequence[Point]) -> dict[str, list[Point]]:
    return {codec: [p for p in points if p.codec == codec] for codec in QUALITIES}


def _page(points: Sequence[Point], names: tuple[str, str]) -> str:
    """A row for each codec and quality, and the limits."""
    rows, limits = [], []
    for codec in dict.fromkeys(point.codec for point in points):
        own = [point for point in points if point.codec == codec]
        for crf in sorted({point.crf for point in own}):
            same = [point for point in own if point.crf == crf]
            lead = statistics.fmean(p.coded - p.clean for p in same)
            rows.append(
                [
                    codec if codec in (CLEAN, LOSSLESS) else f"{codec} {crf}",
                    f"{statistics.median(p.bpp for p in same):.3f}",
                    f"{statistics.fmean(p.clean for p in same):+.3f}",
                    f"{statistics.fmean(p.coded for p in same):+.3f}",
                    f"{lead:+.3f}",
                    f"{sum(p.coded > p.clean for p in same)} of {len(same)}",
                ]
            )
    for codec, own in _by_codec(points).items():
        limit, lost = best_limit(own)
        better = statistics.fmean(max(p.clean, p.coded) for p in own)
        by_clean = better - statistics.fmean(p.clean for p in own)
        by_coded = better - statistics.fmean(p.coded for p in own)
        told = "", ""
        if any(p.quantizer is not None for p in own):
            coarse, still = best_quantizer(own, limit)
            told = f"{coarse:.1f}", f"{still:.4f}"
        losses = f"{lost:.4f}", f"{by_clean:.3f}", f"{by_coded:.3f}"
        limits.append([codec, f"{limit:.2f}", *losses, *told])
    head = ["stream", "bits / px, median", *names, "lead of the second", "ahead on"]
    tail = ["codec", "bits / px", "lost by the choice", *(f"by always {n}" for n in names)]
    tail += ["quantiser", "lost by both"]
    sources = len({point.source for point in points})
    return (
        "# Which network for which stream\n\n"
        f"{sources} held-out clips and photographs in motion, {FRAMES} frames each. PSNR-Y over "
        "bicubic, dB, means over them; bits are per low-resolution pixel.\n\n"
        f"{tables.table(head, rows)}\n"
        "From how many bits a pixel on the first is to be taken, and what is lost to always "
        "knowing the better one, dB. Where the decoder tells the quantiser of the first picture: "
        f"from which one on the second is to be taken as well.\n\n{tables.table(tail, limits)}"
    )


if __name__ == "__main__":
    script.run(main)
