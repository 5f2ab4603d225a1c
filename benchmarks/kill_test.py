"""Does a job that is killed again and again end as one that was left alone?

    python benchmarks/kill_test.py ../shared/data/real/sintel_trailer_480x204_aac.mp4 -m m-x2

Upscales a file once undisturbed, then once more with SIGKILLs at random moments (20 unless told
otherwise), each followed by the same command. Compares the digests of the decoded outputs, runs
`vidlift verify`, looks for what was left behind, and writes ``results/kill_test.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from vidlift.evaluation import script
from vidlift.pipeline import Meter, run
from vidlift.sinks.digest import DigestSink
from vidlift.sources.file import FileSource

RESULTS = Path(__file__).parent / "results"
PROGRAM = Path(sys.executable).with_name("vidlift")
NOTES = 2
"""Lines in a finished journal that are no segments."""

LOOK = 0.01
"""Seconds between looks at the journal."""


def main() -> int:
    arguments = _arguments()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="vidlift-kill-") as name:
        folder = Path(name)
        alone, killed = folder / "alone.mp4", folder / "killed.mp4"
        most, whole = _alone(_command(arguments, alone), alone)
        segments = most - NOTES
        life = whole / segments
        kills = _kill(_command(arguments, killed), killed, arguments.kills, segments, life, chance)
        receipt = folder / "receipt.json"
        subprocess.run([*_command(arguments, killed), "--report", receipt], check=True)
        digests = [_digest(alone), _digest(killed)]
        verified = subprocess.run(
            [PROGRAM, "verify", arguments.file, killed, "--no-progress"], check=False
        )
        resumed = json.loads(receipt.read_text())["extra"]["resumed_frames"]
        left = sorted(f.name for f in folder.iterdir() if f not in (alone, killed, receipt))
    result = {
        "file": arguments.file.name,
        "model": arguments.model,
        "seed": arguments.seed,
        "segments": segments,
        "kills": kills,
        "resumed_frames_at_last": resumed,
        "digest_undisturbed": digests[0],
        "digest_killed": digests[1],
        "same": digests[0] == digests[1],
        "verified": verified.returncode == 0,
        "left_behind": left,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "kill_test.json").write_text(json.dumps(result, indent=1) + "\n")
    passed = bool(result["same"] and result["verified"] and not left)
    verdict = _verdict(arguments, len(kills), passed=passed)
    (RESULTS / "kill_test.md").write_text(f"# A job killed at random\n\n{verdict}\n")
    sys.stdout.write(f"{verdict}\n")
    return 0 if passed else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("-m", "--model", default="m-x2")
    parser.add_argument("--kills", type=script.count, default=20)
    parser.add_argument("--seed", type=int, default=9)
    return parser.parse_args()


def _verdict(arguments: argparse.Namespace, kills: int, *, passed: bool) -> str:
    found = (
        "the decoded output has the digest of an undisturbed run, `vidlift verify` passes and "
        "nothing is left behind."
        if passed
        else "**failed**: see `kill_test.json`."
    )
    return f"{arguments.file.name}, {arguments.model}, {kills} times SIGKILL: {found}"


def _command(arguments: argparse.Namespace, output: Path) -> list[str | Path]:
    return [PROGRAM, "upscale", arguments.file, output, "-m", arguments.model, "--no-progress"]


def _alone(command: list[str | Path], output: Path) -> tuple[int, float]:
    """Run undisturbed; returns how many lines the journal had at its longest, and seconds."""
    start = time.perf_counter()
    process, most = subprocess.Popen(command, stdout=subprocess.DEVNULL), 0
    while process.poll() is None:
        most = max(most, _lines(output))
        time.sleep(LOOK)
    if process.returncode:
        raise SystemExit(process.returncode)  # which it has said the reason of
    return most, time.perf_counter() - start


def _kill(
    command: list[str | Path],
    output: Path,
    times: int,
    segments: int,
    longest: float,
    chance: random.Random,
) -> list[dict[str, float | int]]:
    """Start and kill ``times`` times, spread over the job: every so often a run may first finish
    a segment, so that the last kills come when nearly all is done."""
    kills: list[dict[str, float | int]] = []
    while len(kills) < times:
        before = _lines(output)
        wanted = min(segments - 2, segments * len(kills) // times)
        life = chance.uniform(0.1, longest)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while process.poll() is None and _lines(output) < wanted:
            time.sleep(LOOK)
        try:
            process.wait(timeout=life)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        if process.returncode != -signal.SIGKILL:
            raise SystemExit(f"the job ended after {len(kills)} kills: take a longer file")
        kill = {"lines_before": before, "lines_after": _lines(output), "life_s": round(life, 2)}
        kills.append(kill)
        sys.stdout.write(f"kill {len(kills)}: {kill}\n")
        sys.stdout.flush()
    return kills


def _lines(output: Path) -> int:
    """How many lines the job's journal has."""
    try:
        return len((_job(output) / "journal.jsonl").read_text().splitlines())
    except OSError:
        return 0


def _job(output: Path) -> Path:
    return output.with_name(output.name + ".vidlift-job")


def _digest(video: Path) -> str:
    sink = DigestSink()
    with closing(FileSource(video)) as frames:
        run(frames, sink, meter=Meter())
    return sink.hexdigest()


if __name__ == "__main__":
    script.run(main)
