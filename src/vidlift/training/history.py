"""The log of a run: a line of JSON for each thing that was measured on the way."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidlift.errors import InputError, OutputError

LOG = "log.jsonl"


class Log:
    """Writes ``log.jsonl``; lines of steps that will be done again go when a run goes on, and so
    does one that was torn. Raises ``OutputError`` where it cannot be written."""

    def __init__(self, folder: Path, *, step: int) -> None:
        self._where = folder / LOG
        try:
            written = _written(self._where)
            kept = "".join(f"{line}\n" for line in _lines(written) if _step_of(line) <= step)
            if kept != written:
                part = self._where.with_suffix(".part")
                part.write_text(kept)
                part.replace(self._where)
        except OSError as error:
            raise self._unwritten(error) from error

    def write(self, **values: float) -> None:
        try:
            with self._where.open("a") as out:
                out.write(json.dumps(values) + "\n")
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write the log {self._where}: {error.strerror}")


@dataclass(slots=True, kw_only=True)
class History:
    """What a log says, as columns to plot."""

    name: str
    loss: list[tuple[int, float, float]] = field(default_factory=list)
    """Step, seconds so far, mean loss of the last steps, in code values or minus dB."""

    psnr: list[tuple[int, float, float]] = field(default_factory=list)
    """Step, seconds so far, PSNR-Y on the validation split in dB."""


def read(folder: Path) -> History:
    """The history of a run's folder. Raises ``InputError`` where there is none."""
    where = folder / LOG
    try:
        entries: list[dict[str, Any]] = [json.loads(line) for line in _lines(_written(where))]
        history = History(name=folder.name)
        history.loss = [(e["step"], e["seconds"], e["loss"]) for e in entries if "loss" in e]
        history.psnr = [
            (e["step"], _seconds_at(e["step"], history), e["psnr"]) for e in entries if "psnr" in e
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{where} is not the log of a training run: {error}") from error
    if not history.loss:
        raise InputError(f"{folder} holds no training run with a line in its {LOG}")
    return history


def _seconds_at(step: int, history: History) -> float:
    """The time of a step, between those that are known."""
    before = (0, 0.0)
    for known, seconds, _ in history.loss:
        if known >= step:
            share = (step - before[0]) / max(1, known - before[0])
            return before[1] + share * (seconds - before[1])
        before = (known, seconds)
    return before[1]


def _step_of(line: str) -> float:
    """The step of a line, later than any where it is no whole line of a log."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf


def _written(where: Path) -> str:
    """What a log holds; nothing where there is none."""
    return where.read_text(errors="replace") if where.is_file() else ""


def _lines(written: str) -> Iterator[str]:
    return (line for line in written.split("\n") if line.strip())
