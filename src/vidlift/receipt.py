"""The record of a run: what was done, how fast, what was skipped and why.

``docs/receipt.schema.json`` is its schema.
"""

from __future__ import annotations

import json
import math
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vidlift import __version__, system
from vidlift.errors import OutputError
from vidlift.pipeline import Meter


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """Milliseconds an item: the middle one, and the one that 95 of 100 do not exceed."""

    median_ms: float
    p95_ms: float
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a run tells of itself. Made at its end; figures are never changed after."""

    command: str
    """``upscale``, ``play``, …: the command's name, not its arguments, which may hold secrets."""

    input: str
    output: str | None = None
    model: str | None
    """Name of the model, None where frames went through unchanged."""

    model_sha256: str | None
    engine: str | None
    scale: int
    size_in: tuple[int, int]
    size_out: tuple[int, int]
    frames_in: int
    frames_out: int
    repeated: int = 0
    """Frames that stayed on the screen because the next was not there."""

    bypassed: Mapping[str, int] = field(default_factory=dict)
    """Frames that were not super-resolved, by reason."""

    dropped: Mapping[str, int] = field(default_factory=dict)
    """Frames that were not shown or written at all, by reason."""

    seconds: float
    """Wall time of the run, from the first frame asked for to the last one gone."""

    fps: float
    """Frames of this run over ``seconds``: without those that an earlier one made."""

    stages: Mapping[str, StageTime] = field(default_factory=dict)
    peak_memory_mb: float | None = field(default_factory=system.peak_memory_mb)
    """Largest resident size of the process so far, in 10^6 bytes; None where none is told."""

    warnings: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What only this command knows: clock skew of a player, bytes received, …"""

    versions: Mapping[str, str] = field(default_factory=lambda: _versions())
    machine: Mapping[str, Any] = field(default_factory=lambda: _machine())

    def to_json(self) -> str:
        """As the schema says; a number that is infinite or none becomes null."""
        return json.dumps(_finite(asdict(self)), indent=2, allow_nan=False) + "\n"

    def save(self, where: str | Path) -> None:
        """Write the receipt as JSON. Raises ``OutputError``."""
        try:
            Path(where).write_text(self.to_json())
        except OSError as error:
            raise OutputError(f"cannot write the report {where}: {error.strerror}") from error


def stage_times(meter: Meter) -> dict[str, StageTime]:
    """Summary of what a meter measured, by stage."""
    return {
        stage: StageTime(
            median_ms=round(float(np.median(seconds)) * 1000, 3),
            p95_ms=round(float(np.percentile(seconds, 95)) * 1000, 3),
            items=len(seconds),
        )
        for stage, seconds in meter.seconds.items()
    }


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _versions() -> dict[str, str]:
    found = {"vidlift": __version__, "python": platform.python_version()}
    for name in ("av", "openvino", "onnxruntime", "numpy"):
        module = sys.modules.get(name)
        if module is not None:
            found[name] = str(module.__version__)
    return found


def _machine() -> dict[str, Any]:
    return {
        "system": system.name(),
        "processor": system.processor(),
        "cores": system.cores(),
    }
