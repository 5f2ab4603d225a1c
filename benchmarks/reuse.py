"""What does it save to do nothing where nothing changed, and what does it cost where all does?

    python benchmarks/reuse.py                                    (nothing else may run)

Films are made up and go through H.264, as in the cloud: a slide lecture, the same with a moving
corner where a head would be, and a drifting zone plate, where every sample of every frame is
new. Each pair is made whole and with reuse, in turn. Writes ``results/reuse.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vidlift.evaluation import machine
from vidlift.frame import Frame, Plane
from vidlift.sinks.file import EncoderOptions, FileSink
from vidlift.sources.file import FileSource
from vidlift.sources.synthetic import SyntheticSource
from vidlift.stages.pair import pair
from vidlift.stages.reuse import Reuse
from vidlift.upscaler import Upscaler

RESULTS = Path(__file__).parent / "results"
SIZE = (480, 270)
CORNER = (368, 184, 96, 72)
"""Where the head is: x, y, width, height."""

SLIDE_FOR = 120
"""Frames that a slide stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    film: str
    model: str
    threshold: int
    whole_ms: float
    """Median time of a frame, chroma included, when all of it is made."""

    reuse_ms: float
    """Mean time of a frame with reuse: few frames take long and most take nothing."""

    faster: float
    """Sum of the times whole over that with reuse."""

    work: float
    """Mean share of the luma that went through the network."""

    worst_db: float | None
    """Least PSNR of a frame with reuse against the same made whole; None: identical."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["m-x4"])
    parser.add_argument("--frames", type=int, default=480)
    parser.add_argument("--thresholds", type=int, nargs="+", default=[0, 1])
    options = parser.parse_args()
    rows = []
    with TemporaryDirectory() as folder:
        for name, make in FILMS.items():
            film = Path(folder) / f"{name}.mp4"
            write(film, make, options.frames)
            for model in options.models:
                for threshold in options.thresholds:
                    sys.stderr.write(f"{name}, {model}, threshold {threshold}\n")
                    rows.append(measure(film, model, threshold))
    content = {"machine": machine.about(), "rows": [asdict(row) for row in rows]}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "reuse.json").write_text(json.dumps(content, indent=2) + "\n")
    (RESULTS / "reuse.md").write_text(page(rows, options.frames))
    sys.stdout.write(page(rows, options.frames))


def measure(film: Path, model: str, threshold: int) -> Row:
    """Make a film whole and with reuse, pair by pair in turn."""
    times: dict[str, list[float]] = {"whole": [], "reuse": []}
    work, worst = [], float("inf")
    with (
        closing(FileSource(film)) as source,
        Upscaler(model) as upscaler,
        closing(Reuse(Upscaler(model), threshold=threshold)) as reuse,
    ):
        for index, each in enumerate(pair(source)):
            if index == 0:
                reuse.warm(each.first, each.second)
            made = {}
            ways: list[tuple[str, Upscaler | Reuse]] = [("whole", upscaler), ("reuse", reuse)]
            for name, way in ways if index % 2 else reversed(ways):
                begin = time.perf_counter()
                made[name] = way.pair(each.first, each.second)
                if index:  # the first loads and compiles what it meets
                    times[name].append((time.perf_counter() - begin) / 2)
            work.append(reuse.work)
            both = zip(made["whole"], made["reuse"], strict=True)
            worst = min(worst, *(psnr(a.luma, b.luma) for a, b in both))
    whole, reused = (np.array(times[name]) * 1000 for name in ("whole", "reuse"))
    return Row(
        film=film.stem,
        model=model,
        threshold=threshold,
        whole_ms=round(float(np.median(whole)), 2),
        reuse_ms=round(float(reused.mean()), 2),
        faster=round(float(whole.sum() / reused.sum()), 2),
        work=round(float(np.mean(work)), 4),
        worst_db=None if worst == float("inf") else round(worst, 2),
    )


def psnr(a: Plane, b: Plane) -> float:
    error = float(np.mean(np.square(a.astype(np.float32) - b)))
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def write(where: Path, frames: Callable[[int], Iterator[Frame]], count: int) -> None:
    info = SyntheticSource(width=SIZE[0], height=SIZE[1], frames=count).info
    with closing(FileSink(where, info, EncoderOptions(crf=23))) as sink:
        for frame in frames(count):
            sink.write(frame)


def zone_plate(count: int) -> Iterator[Frame]:
    return iter(SyntheticSource(width=SIZE[0], height=SIZE[1], frames=count))


def slides(count: int) -> Iterator[Frame]:
    grey = np.full((SIZE[1] // 2, SIZE[0] // 2), 128, np.uint8)
    for index, frame in enumerate(zone_plate(count)):
        yield replace(frame, planes=(slide(index // SLIDE_FOR), grey, grey))


def talking_head(count: int) -> Iterator[Frame]:
    x, y, width, height = CORNER
    head = SyntheticSource(width=width, height=height, frames=count)
    for frame, small in zip(slides(count), head, strict=True):
        luma = frame.luma.copy()
        luma[y : y + height, x : x + width] = small.luma
        yield replace(frame, planes=(luma, *frame.planes[1:]))


FILMS = {"slides": slides, "talking-head": talking_head, "zone-plate": zone_plate}


def slide(number: int) -> Plane:
    """A page of dark text on light ground."""
    picture = Image.new("L", SIZE, 225)
    draw = ImageDraw.Draw(picture)
    draw.text((24, 16), f"{number + 1}. An outline", font=ImageFont.load_default(24), fill=20)
    for line in range(8):
        text = f"- point {number + 1}.{line + 1} of the lecture, in words"
        draw.text((32, 56 + 24 * line), text, font=ImageFont.load_default(16), fill=30)
    return np.asarray(picture)


def page(rows: list[Row], frames: int) -> str:
    lines = [
        "# Reuse\n",
        f"`python benchmarks/reuse.py`, {frames} frames each, 480x270 to 1080p, through H.264 CRF "
        "23. Times are of a frame with its chroma.\n",
        "| film | network | threshold | whole, ms | reuse, ms | times faster | luma made "
        "| against whole |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        against = "identical" if row.worst_db is None else f"≥ {row.worst_db:.1f} dB"
        lines.append(
            f"| {row.film} | {row.model} | {row.threshold} | {row.whole_ms:.1f} "
            f"| {row.reuse_ms:.1f} | {row.faster:.2f} | {row.work:.1%} | {against} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
