"""VMAF where the ffmpeg that computes it fails; what it computes is tested with its users."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.shared import require
from vidlift import vmaf
from vidlift.errors import OutputError, UsageError

GREY = [np.full((32, 48), 128, np.uint8)] * 2


def test_pictures_that_are_too_small_are_refused() -> None:
    require("vmaf")
    for shape in ((vmaf.SMALLEST - 1, 64), (64, vmaf.SMALLEST - 1)):
        small = [np.zeros(shape, np.uint8)] * 2
        with pytest.raises(UsageError, match="too small for VMAF"):
            vmaf.measure(small, small)
    just = [np.zeros((vmaf.SMALLEST, vmaf.SMALLEST), np.uint8)] * 2
    assert vmaf.measure(just, just).vmaf > 50


@pytest.mark.parametrize(
    "log", ['{"frames": [', "{}", "", None], ids=["cut", "other", "empty", "none"]
)
def test_figures_that_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: str | None
) -> None:
    program = tmp_path / "ffmpeg"
    write = "" if log is None else f"printf '%s' '{log}' > log.json"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\n{write}\n")
    program.chmod(0o755)
    monkeypatch.setattr(vmaf, "_ffmpeg", lambda: str(program))
    with pytest.raises(OutputError, match="VMAF"):
        vmaf.measure(GREY, GREY)
