"""Does `vidlift upscale` then `vidlift verify` pass on every real file there is?

    python benchmarks/real_files.py ../shared/data/real -m m-x2

Runs the two commands as a user would, on each file of a folder, smallest first, and keeps what
came of each in ``results/real_files_<model>.json`` and ``.md``; files that were run before and are
not now stay there. ``--quick`` takes a faster preset of x264: the same path, in a third of the
time. Ends with 1 where any file failed. Seconds are those of a machine that may have been busy.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vidlift.evaluation import script

RESULTS = Path(__file__).parent / "results"
ENDINGS = (".mp4", ".mov", ".mkv", ".webm", ".ts", ".m4v", ".avi")
MATROSKA = (".mkv", ".webm")

PLAIN = "from vidlift.cli import run; run()"
QUICK = f"""
from dataclasses import replace
from vidlift.sinks.file import CODECS
CODECS["h264"] = replace(CODECS["h264"], options={{"preset": "veryfast"}})
{PLAIN}
"""
"""The program, and the program with one number changed."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one file."""

    file: str
    output: str
    """Its ending: the container written."""

    upscale: int
    verify: int | None
    """Exit codes."""

    seconds: float
    receipt: dict[str, Any] = field(default_factory=dict)
    verification: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""
    """The last line on stderr of the command that failed."""

    @property
    def passed(self) -> bool:
        return self.upscale == 0 and self.verify == 0


def main() -> int:
    arguments = _arguments()
    files = [f for f in arguments.folder.iterdir() if f.suffix.lower() in ENDINGS]
    if arguments.only:
        files = [f for f in files if any(part in f.name for part in arguments.only)]
    name = f"real_files_{arguments.model}" + ("" if arguments.to == "same" else f"_{arguments.to}")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="vidlift-real-") as folder:
        for file in sorted(files, key=lambda f: f.stat().st_size):
            outcome = _try(file, Path(folder), arguments)
            _say(outcome)
            _keep(outcome, RESULTS / f"{name}.json")
            failed += not outcome.passed
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-m", "--model", default="m-x2")
    parser.add_argument("--to", choices=("same", "mp4", "mkv"), default="same")
    parser.add_argument("--only", nargs="*", help="parts of file names")
    parser.add_argument("--quick", action="store_true", help="a faster preset of x264")
    return parser.parse_args()


def _try(file: Path, folder: Path, arguments: argparse.Namespace) -> Outcome:
    same = "mkv" if file.suffix.lower() in MATROSKA else "mp4"
    ending = same if arguments.to == "same" else arguments.to
    output, receipt, proof = (folder / name for name in (f"out.{ending}", "up.json", "verify.json"))
    start = time.perf_counter()
    program = [sys.executable, "-c", QUICK if arguments.quick else PLAIN]
    up = _run([*program, "upscale", file, output, "-m", arguments.model, "--report", receipt])
    down = (
        _run([*program, "verify", file, output, "--report", proof]) if not up.returncode else None
    )
    failed = up if down is None else down
    outcome = Outcome(
        file=file.name,
        output=ending,
        upscale=up.returncode,
        verify=down.returncode if down else None,
        seconds=round(time.perf_counter() - start, 1),
        receipt=json.loads(receipt.read_text()) if receipt.exists() else {},
        verification=json.loads(proof.read_text()) if proof.exists() else {},
        trouble=failed.stderr.strip().splitlines()[-1] if failed.returncode else "",
    )
    for made in (output, receipt, proof):
        made.unlink(missing_ok=True)
    return outcome


def _run(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _say(outcome: Outcome) -> None:
    said = "passed" if outcome.passed else f"FAILED: {outcome.trouble}"
    sys.stdout.write(f"{outcome.file} ({outcome.seconds} s): {said}\n")
    sys.stdout.flush()


def _keep(outcome: Outcome, where: Path) -> None:
    """Put an outcome among those of earlier runs, in place of that file's last one."""
    where.parent.mkdir(exist_ok=True)
    before = json.loads(where.read_text()) if where.exists() else []
    outcomes = {kept["file"]: Outcome(**kept) for kept in before} | {outcome.file: outcome}
    everything = [outcomes[file] for file in sorted(outcomes)]
    where.write_text(json.dumps([asdict(kept) for kept in everything], indent=1) + "\n")
    where.with_suffix(".md").write_text(_table(everything))


def _table(outcomes: list[Outcome]) -> str:
    passed = sum(outcome.passed for outcome in outcomes)
    lines = [
        "# Upscale, then verify, on real files",
        "",
        f"{passed} of {len(outcomes)} pass. Made by `benchmarks/real_files.py`; PSNR is that of "
        "the result, scaled down, against the input: minimum and mean over frames.",
        "",
        "| file | to | frames | out | times | min / mean dB | copied | s | verdict |",
        "|---|---|--:|---|---|--:|--:|--:|---|",
        *map(_row, outcomes),
        "",
        "Left out or rounded, as the program said:",
        "",
        *(
            f"- {outcome.file}: {warning}"
            for outcome in outcomes
            for warning in outcome.receipt.get("warnings", ())
        ),
    ]
    return "\n".join(lines) + "\n"


def _row(outcome: Outcome) -> str:
    proof, receipt = outcome.verification, outcome.receipt
    cells = [outcome.file, outcome.output]
    if proof:
        cells += [
            str(proof["frames"]),
            "x".join(map(str, receipt["size_out"])),
            "exact" if proof["exact_times"] else "to 1 ms",
            f"{proof['min_psnr']:.1f} / {proof['mean_psnr']:.1f}",
            str(len(proof["streams"])),
        ]
    else:
        cells += [""] * 5
    cells += [str(outcome.seconds), "passes" if outcome.passed else f"**{outcome.trouble}**"]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    script.run(main)
