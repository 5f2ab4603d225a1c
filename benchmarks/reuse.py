"""What does it save to do nothing where nothing changed, and what does it cost where all does?

    python benchmarks/reuse.py --data ../shared/data              (nothing else may run)

Films are made small and go through H.264, as in the cloud: a slide lecture, a talking head (a
man at his desk before a camera that stands still: `real/face_av1_aac.mp4`, 30 pictures, to and
fro) and a drifting zone plate, where every sample of every frame is new. Each pair is made whole
and with reuse, in turn, and both are compared with the original. The network's time is that of
its calls, the pair's time is all: chroma, copies, finding out what changed. Plans for parts are
compiled where they are first met, and that is timed too. With ``--clock cpu`` the time is that of
the process: for a machine that is not quiet, on one thread. Writes ``results/reuse.json`` and
``.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vidlift.engines.base import PairPlanes
from vidlift.evaluation import machine, script, tables
from vidlift.frame import Frame, Plane
from vidlift.metrics import psnr
from vidlift.resample import quick_resize
from vidlift.sinks.file import EncoderOptions, FileSink
from vidlift.sources.file import FileSource
from vidlift.sources.synthetic import SyntheticSource
from vidlift.stages.pair import pair
from vidlift.stages.reuse import NOISE, Reuse
from vidlift.upscaler import Upscaler

RESULTS = Path(__file__).parent / "results"
HEAD = "real/face_av1_aac.mp4"
SIZE = (1920, 1080)
SLIDE_FOR = 120
"""Frames that a slide stays."""

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}

WARM_UP = 2
"""Pairs at the beginning that are not timed: they load and compile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    film: str
    model: str
    crf: int
    threshold: float
    network_ms: tuple[float, float]
    """Time of the network's calls for a frame, on average, whole and with reuse."""

    frame_ms: tuple[float, float]
    """Time of a frame, all in all."""

    work: float
    """Mean share of the luma that went through the network."""

    loss_db: float
    """PSNR of luma against the original, whole less with reuse, mean of all frames."""

    @property
    def faster(self) -> float:
        return self.network_ms[0] / self.network_ms[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--models", nargs="+", default=["m-x4", "m-x2"])
    parser.add_argument("--films", nargs="+", default=list(FILMS), choices=FILMS)
    parser.add_argument("--frames", type=script.count, default=240)
    parser.add_argument("--crf", type=int, nargs="+", default=[23, 28])
    parser.add_argument("--thresholds", type=float, nargs="+", default=[0, NOISE])
    parser.add_argument("--threads", type=script.count)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--name", default="reuse", help="of the results")
    options = parser.parse_args()
    rows = []
    for name in options.films:
        for model in options.models:
            for crf in options.crf if name == "talking-head" else options.crf[-1:]:
                for threshold in options.thresholds:
                    sys.stderr.write(f"{name}, {model}, CRF {crf}, threshold {threshold}\n")
                    rows.append(measure(name, model, crf, threshold, options))
    made = machine.about()
    content = {"machine": made, "rows": [asdict(row) for row in rows]}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{options.name}.json").write_text(json.dumps(content, indent=2) + "\n")
    (RESULTS / f"{options.name}.md").write_text(page(rows, made, options.frames))
    sys.stdout.write(page(rows, made, options.frames))


class Clocked(Upscaler):
    """Knows how long its network took."""

    seconds = 0.0
    now: Callable[[], float] = staticmethod(time.perf_counter)

    def luma_planes(self, planes: Sequence[Plane], *, bits: int) -> PairPlanes:
        begin = self.now()
        made = super().luma_planes(planes, bits=bits)
        self.seconds += self.now() - begin
        return made


def measure(name: str, model: str, crf: int, threshold: float, options: argparse.Namespace) -> Row:
    """Make a film whole and with reuse, pair by pair in turn."""
    work, lost = [], []
    taken = [0.0, 0.0]
    shown: deque[list[tuple[Frame, Frame]]] = deque(maxlen=2)
    """What a player has on the screen meanwhile: its memory is not at hand."""

    with (
        TemporaryDirectory() as folder,
        closing(Clocked(model, threads=options.threads)) as upscaler,
        closing(Clocked(model, threads=options.threads)) as parts,
    ):
        small = Path(folder) / "small.mp4"
        write(small, FILMS[name](options.data, options.frames), upscaler.scale, crf)
        originals = FILMS[name](options.data, options.frames)
        reuse = Reuse(parts, threshold=threshold)
        now = upscaler.now = parts.now = CLOCKS[options.clock]
        with closing(FileSource(small)) as source:
            for index, each in enumerate(pair(source)):
                if index == 0:
                    reuse.warm(each.first, each.second)
                if index == WARM_UP:
                    taken = [0.0, 0.0]
                    upscaler.seconds = parts.seconds = 0.0
                made: list[tuple[Frame, Frame]] = [(each.first, each.second)] * 2
                ways: list[tuple[int, Upscaler | Reuse]] = [(0, upscaler), (1, reuse)]
                # Not by turns: a codec's pictures come by turns as well, and it decodes ahead.
                for which, way in ways if index.bit_count() % 2 else reversed(ways):
                    begin = now()
                    made[which] = way.pair(each.first, each.second)
                    taken[which] += now() - begin
                shown.append(made)
                work.append(reuse.work)
                for whole, reused in zip(*made, strict=True):
                    wanted = next(originals).luma
                    lost.append(psnr(wanted, whole.luma) - psnr(wanted, reused.luma))
    timed = 2 * (len(work) - WARM_UP) / 1000
    return Row(
        film=name,
        model=model,
        crf=crf,
        threshold=threshold,
        network_ms=(round(upscaler.seconds / timed, 2), round(parts.seconds / timed, 2)),
        frame_ms=(round(taken[0] / timed, 2), round(taken[1] / timed, 2)),
        work=round(float(np.mean(work)), 4),
        loss_db=round(float(np.mean(lost)), 4),
    )


def write(where: Path, frames: Iterator[Frame], scale: int, crf: int) -> None:
    """The film at the size that is sent."""
    sink: FileSink | None = None
    for frame in frames:
        planes = tuple(
            quick_resize(plane, (plane.shape[1] // scale, plane.shape[0] // scale))
            for plane in frame.planes
        )
        small = replace(frame, planes=planes)
        if sink is None:
            info = SyntheticSource(width=small.width, height=small.height, frames=1).info
            sink = FileSink(where, info, EncoderOptions(crf=crf))
        sink.write(small)
    assert sink is not None
    sink.close()


def zone_plate(_data: Path, count: int) -> Iterator[Frame]:
    return iter(SyntheticSource(width=SIZE[0], height=SIZE[1], frames=count))


def slides(data: Path, count: int) -> Iterator[Frame]:
    grey = np.full((SIZE[1] // 2, SIZE[0] // 2), 128, np.uint8)
    for index, frame in enumerate(zone_plate(data, count)):
        if index % SLIDE_FOR == 0:
            page = slide(index // SLIDE_FOR)
        yield replace(frame, planes=(page, grey, grey))


def talking_head(data: Path, count: int) -> Iterator[Frame]:
    with closing(FileSource(data / HEAD)) as source:
        there = list(source)
    times = zone_plate(data, count)
    for frame in islice(cycle([*there, *reversed(there)]), count):
        yield replace(next(times), planes=frame.planes)


FILMS: dict[str, Callable[[Path, int], Iterator[Frame]]] = {
    "slides": slides,
    "talking-head": talking_head,
    "zone-plate": zone_plate,
}


def slide(number: int) -> Plane:
    """A page of dark text on light ground."""
    picture = Image.new("L", SIZE, 225)
    draw = ImageDraw.Draw(picture)
    draw.text((96, 64), f"{number + 1}. An outline", font=ImageFont.load_default(96), fill=20)
    for line in range(8):
        text = f"- point {number + 1}.{line + 1} of the lecture, in words"
        draw.text((128, 224 + 96 * line), text, font=ImageFont.load_default(64), fill=30)
    return np.asarray(picture)


def page(rows: list[Row], made: dict[str, Any], frames: int) -> str:
    lines = [
        "# Reuse\n",
        f"{tables.machine(made)}{frames} frames each, through H.264. Milliseconds a frame, made "
        "whole → with reuse; the loss is PSNR of luma against the original.\n",
        "| film | network | CRF | threshold | network, ms | times faster | all, ms | luma made "
        "| loss, dB |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        network, whole = (f"{a:.2f} → {b:.2f}" for a, b in (row.network_ms, row.frame_ms))
        lines.append(
            f"| {row.film} | {row.model} | {row.crf} | {row.threshold:g} | {network} "
            f"| {row.faster:.2f} | {whole} | {row.work:.1%} | {row.loss_db:.3f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    script.run(main)
