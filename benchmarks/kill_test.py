"""Does a job that is killed again and again end as one that was left alone?

    python benchmarks/kill_test.py ../shared/data/real/sintel_trailer_480x204_aac.mp4 -m m-x2

Upscales a file once undisturbed, then once more with SIGKILLs at random moments (20 unless told
otherwise), each followed by the same command. Compares the digests of the decoded outputs, runs
`vidlift verify`, looks for what was left behind, and writes ``results/kill_test.json``.
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

from vidlift.pipeline import Meter, run
from vidlift.sinks.digest import DigestSink
from vidlift.sources.file import FileSource

RESULTS = Path(__file__).parent / "results"
PROGRAM = Path(sys.executable).with_name("vidlift")
START = 1.0
"""Seconds that the program may take before the first frame."""


def main() -> int:
    arguments = _arguments()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="vidlift-kill-") as name:
        folder = Path(name)
        alone, killed = folder / "alone.mp4", folder / "killed.mp4"
        start = time.perf_counter()
        subprocess.run(_command(arguments, alone), check=True)
        whole = time.perf_counter() - start
        kills = _kill(_command(arguments, killed), killed, arguments.kills, whole, chance)
        receipt = folder / "receipt.json"
        subprocess.run([*_command(arguments, killed), "--report", receipt], check=True)
        digests = [_digest(alone), _digest(killed)]
        verified = subprocess.run([PROGRAM, "verify", arguments.file, killed], check=False)
        resumed = json.loads(receipt.read_text())["extra"]["resumed_frames"]
        left = sorted(f.name for f in folder.iterdir() if f not in (alone, killed, receipt))
    result = {
        "file": arguments.file.name,
        "model": arguments.model,
        "seed": arguments.seed,
        "undisturbed_seconds": round(whole, 1),
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
    passed = result["same"] and result["verified"] and not left
    sys.stdout.write(f"{len(kills)} kills: {'the same output' if passed else 'FAILED'}\n")
    return 0 if passed else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("-m", "--model", default="m-x2")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=9)
    return parser.parse_args()


def _command(arguments: argparse.Namespace, output: Path) -> list[str | Path]:
    return [PROGRAM, "upscale", arguments.file, output, "-m", arguments.model, "--no-progress"]


def _kill(
    command: list[str | Path], output: Path, times: int, whole: float, chance: random.Random
) -> list[dict[str, float | int]]:
    """Start and kill ``times`` times. About one run in four lives long enough for a segment."""
    kills: list[dict[str, float | int]] = []
    journal = output.with_name(output.name + ".vidlift-job") / "journal.jsonl"
    while len(kills) < times:
        done = len(journal.read_text().splitlines()) if journal.exists() else 0
        life = chance.uniform(0.1, START + whole / 4)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            process.wait(timeout=life)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        if process.returncode != -signal.SIGKILL:
            raise SystemExit(f"the job ended after {len(kills)} kills: take a longer file")
        kills.append({"after_s": round(life, 2), "segments_before": done})
        sys.stdout.write(f"kill {len(kills)}: after {life:.2f} s, {done} lines in the journal\n")
        sys.stdout.flush()
    return kills


def _digest(video: Path) -> str:
    sink = DigestSink()
    with closing(FileSource(video)) as frames:
        run(frames, sink, meter=Meter())
    return sink.hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
