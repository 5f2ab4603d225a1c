"""How well does the player play: frames a second, where the time goes, memory, on time?

    python benchmarks/play.py                                     (nothing else may run)
    python benchmarks/play.py --minutes 30 --cases "270p x4" --rates 30 --model m-x4 --name long

Plays films, each in a process of its own with SDL's dummy drivers, samples its memory, and
writes ``results/play.json`` and ``.md``. Without ``--film`` they are made up and silent: a drifting
zone plate, the hardest content there is, so that nothing is saved where nothing moves. With
``--minutes`` they last so long, made of one minute over and over, and have sound.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np

from vidlift.evaluation import machine, script, tables
from vidlift.player.bench import made_up_film
from vidlift.sinks.window import Window
from vidlift.sources.split import Split
from vidlift.upscaler import Upscaler

RESULTS = Path(__file__).parent / "results"

CASES = {
    "270p x4": ((480, 270), 4),
    "360p x3": ((640, 360), 3),
    "540p x2": ((960, 540), 2),
}
"""Films that become 1080p: size and scale."""

SAMPLE_EVERY = 0.5
"""Seconds between looks at the memory of the player."""

SETTLED = 60.0
"""Seconds after which memory is to stay what it is, or a quarter of shorter films."""

MINUTE = 60
SOUND_RATE = 48_000
COSTED = 30
"""Pairs that are timed part by part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of playing one film."""

    case: str
    rate: float
    model: str | None
    shown: int
    bypassed: dict[str, int]
    """Frames that were interpolated, by the cause."""

    dropped: dict[str, int]
    """The same of frames that were not shown."""

    drops: list[tuple[float, str]]
    """When the first of them were to be shown, and the cause."""

    fps: float
    stages_ms: dict[str, float]
    skew_ms: dict[str, float]
    first_picture_s: float | None
    peak_mb: float
    growth_mb: float
    """Resident memory of the last tenth less that of the tenth after ``SETTLED``, medians."""

    cpu_ms: dict[str, float]
    """Processor time of a frame, all threads together, by what it is for."""

    overhead: float
    """Of that, what is not the network's, over what is."""

    changes: list[dict[str, Any]]


def main() -> None:
    options = _options()
    rows = []
    for case in options.cases:
        size, scale = CASES[case]
        for rate in options.rates:
            sys.stderr.write(f"{case} at {rate} frames/s\n")
            with ExitStack() as stack:
                film = options.film or stack.enter_context(
                    _long_film(size, rate, options.minutes)
                    if options.minutes
                    else made_up_film(size, seconds=options.frames / rate, rate=Fraction(rate))
                )
                rows.append(_play(case, film, scale, rate, options))
            _save(rows, options)
    sys.stdout.write((RESULTS / f"{options.name}.md").read_text())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=script.count, default=2000, help="of each film")
    parser.add_argument("--minutes", type=script.count, help="that each lasts, instead; with sound")
    parser.add_argument("--rates", type=script.count, nargs="+", default=[24, 30])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--film", type=Path, help="play this instead of a made-up film")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--name", default="play", help="of the results")
    return parser.parse_args()


def _play(case: str, film: Path, scale: int, rate: int, options: argparse.Namespace) -> Row:
    report = RESULTS / f".{options.name}-receipt.json"
    RESULTS.mkdir(exist_ok=True)
    program = Path(sys.executable).with_name("vidlift")
    command = [str(program), "play", str(film), "--display", "none"]
    command += ["-s", str(scale), "-m", options.model, "--device", options.device]
    playing = subprocess.Popen([*command, "--report", str(report)], stdout=subprocess.DEVNULL)
    memory = []
    while playing.poll() is None:
        memory.append(_resident_mb(playing.pid))
        time.sleep(SAMPLE_EVERY)
    if playing.returncode:
        raise SystemExit(playing.returncode)  # which it has said the reason of
    receipt = json.loads(report.read_text())
    report.unlink()
    # The last samples may be of a process that is closing: they are left out.
    settled = memory[min(round(SETTLED / SAMPLE_EVERY), len(memory) // 4) : -2] or memory
    tenth = max(1, len(settled) // 10)
    cpu_ms = _cpu_ms(film, receipt["model"], receipt["size_in"])
    return Row(
        case=case,
        rate=rate,
        model=receipt["model"],
        shown=receipt["frames_out"],
        bypassed=receipt["bypassed"],
        dropped=receipt["dropped"],
        drops=receipt["extra"]["drops"],
        fps=receipt["fps"],
        stages_ms={name: stage["median_ms"] for name, stage in receipt["stages"].items()},
        skew_ms=receipt["extra"]["skew_ms"],
        first_picture_s=receipt["extra"]["first_picture_s"],
        peak_mb=receipt["peak_memory_mb"],
        growth_mb=round(float(np.median(settled[-tenth:]) - np.median(settled[:tenth])), 2),
        cpu_ms=cpu_ms,
        overhead=round((sum(cpu_ms.values()) - cpu_ms["network"]) / cpu_ms["network"], 3),
        changes=receipt["extra"]["changes"],
    )


def _cpu_ms(film: Path, model: str, size: tuple[int, int]) -> dict[str, float]:
    """Processor time that a frame takes in each part of playing, each part again and again alone.

    In one thread: those of an engine that wait for work would count as if they did some.
    """
    with (
        closing(Split(film)) as split,
        Upscaler(model, threads=1) as upscaler,
        closing(Window("cost", source_height=size[1], dummy=True)) as window,
    ):
        frames = iter(split.pictures)
        next(frames)
        decoded: list[Any] = []
        decode = _processor_ms(lambda: decoded.extend(islice(frames, 2 * COSTED)))
        # What the decoder computes ahead, in threads of its own, makes this an estimate.
        found = {"decode": decode / max(1, len(decoded))}
        first, second = decoded[:2]
        lumas = [first.luma, second.luma]
        made = upscaler.pair(first, second)
        window.show(made[0])
        works: dict[str, Callable[[], object]] = {
            "network": lambda: upscaler.luma_planes(lumas, bits=first.bits),
            "pair": lambda: upscaler.pair(first, second),
            "display": lambda: deque(map(window.show, made), maxlen=0),
        }
        # In turns: a machine that others use, too, is faster at one time than at another.
        rounds = [[_processor_ms(work) for work in works.values()] for _ in range(COSTED)]
        medians = np.median(rounds, axis=0) / 2
        taken = dict(zip(works, medians.tolist(), strict=True))
        found["network"] = taken["network"]
        found["chroma and conversion"] = taken["pair"] - taken["network"]
        found["display"] = taken["display"]
    return {name: round(each, 2) for name, each in found.items()}


def _processor_ms(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return 1000 * (time.process_time() - begin)


@contextmanager
def _long_film(size: tuple[int, int], rate: int, minutes: int) -> Iterator[Path]:
    """A film of that many minutes, the same minute over and over, with a quiet tone; gone after."""
    with (
        made_up_film(size, seconds=MINUTE, rate=Fraction(rate)) as minute,
        TemporaryDirectory(prefix="vidlift-") as folder,
    ):
        where = Path(folder) / "long.mp4"
        with av.open(str(where), "w") as target:
            sound = target.add_stream("aac", rate=SOUND_RATE, layout="stereo")
            with av.open(str(minute)) as source:
                (given,) = source.streams.video
                pictures = target.add_stream_from_template(given)
                tone = _tone(minutes * MINUTE)
                for number in range(minutes):
                    source.seek(0)
                    for packet in source.demux(given):
                        if packet.pts is None or packet.dts is None or packet.duration is None:
                            continue
                        later = int(number * MINUTE / packet.time_base)
                        packet.pts, packet.dts = packet.pts + later, packet.dts + later
                        end = (packet.dts + packet.duration) * packet.time_base
                        packet.stream = pictures
                        target.mux(packet)
                        for chunk in tone:  # as far as the pictures have come
                            target.mux(sound.encode(chunk))
                            if chunk.pts is None or chunk.pts > end * SOUND_RATE:
                                break
            target.mux(sound.encode(None))
        yield where


def _tone(seconds: int) -> Iterator[av.AudioFrame]:
    for begin in range(0, seconds * SOUND_RATE, 1024):
        turn = 2 * np.pi * 440 * np.arange(begin, begin + 1024) / SOUND_RATE
        samples = np.tile((0.1 * np.sin(turn)).astype(np.float32), (2, 1))
        chunk = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        chunk.sample_rate, chunk.pts, chunk.time_base = SOUND_RATE, begin, Fraction(1, SOUND_RATE)
        yield chunk


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _save(rows: list[Row], options: argparse.Namespace) -> None:
    made = {**machine.about(), "frames": options.frames, "minutes": options.minutes}
    content = {"machine": made, "films": [asdict(row) for row in rows]}
    where = RESULTS / f"{options.name}.json"
    where.write_text(json.dumps(content, indent=2) + "\n")
    where.with_suffix(".md").write_text(_page(rows, made))


def _page(rows: list[Row], made: dict[str, Any]) -> str:
    long = f"{made['minutes']} minutes" if made["minutes"] else f"{made['frames']} frames"
    lines = [
        "# Playing\n",
        f"{tables.machine(made)}{long} each. Times are medians: of a pair for a network or "
        "bicubic, of a frame for the rest.\n",
        "| film | frames/s | network | shown, frames/s | bypassed | dropped | network, ms "
        "| bicubic, ms | decode, ms | present, ms | skew p95 / most, ms | first picture, s "
        "| peak, MB | growth, MB |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        stage = row.stages_ms
        times = [stage.get(f"{name} pair") for name in ("upscale", "bicubic")]
        times += [stage.get("decode"), stage.get("present")]
        shown = " | ".join("–" if taken is None else f"{taken:.1f}" for taken in times)
        lines.append(
            f"| {row.case} | {row.rate} | {row.model} | {row.shown}, {row.fps:.1f} "
            f"| {sum(row.bypassed.values())} | {sum(row.dropped.values())} | {shown} "
            f"| {row.skew_ms.get('p95', 0):.1f} / {row.skew_ms.get('max', 0):.1f} "
            f"| {row.first_picture_s} | {row.peak_mb:.0f} | {row.growth_mb:.1f} |"
        )
    parts = list(rows[0].cpu_ms)
    lines += [
        "\nProcessor time of a frame in ms, each part taken alone in one thread; the network in "
        "float32, or in 8 bits where its name says so; display is SDL's software renderer. "
        "Overhead is all that is not the network, over the network.\n",
        f"| film | frames/s | {' | '.join(parts)} | overhead |",
        f"|---|--:|{'--:|' * len(parts)}--:|",
    ]
    for row in rows:
        shares = " | ".join(f"{row.cpu_ms[part]:.1f}" for part in parts)
        lines.append(f"| {row.case} | {row.rate} | {shares} | {row.overhead:.0%} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    script.run(main)
