"""Encoders share the processor: run as root, SVT-AV1 would take it for itself."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest

from vidlift.sinks.file import EncoderOptions, FileSink
from vidlift.sinks.gop import GopEncoder, GopOptions
from vidlift.video import VideoInfo

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")

INFO = VideoInfo(
    width=64,
    height=64,
    bits=8,
    layout="yuv420p",
    codec="raw",
    time_base=Fraction(1, 24),
    rate=Fraction(24),
)


def _policies() -> set[int]:
    return {os.sched_getscheduler(int(task.name)) for task in Path("/proc/self/task").iterdir()}


@pytest.mark.parametrize("sink", ["file", "gop"])
def test_no_thread_of_an_encoder_is_a_real_time_one(sink: str, tmp_path: Path) -> None:
    encoder = (
        FileSink(tmp_path / "a.mp4", INFO, EncoderOptions(codec="av1"))
        if sink == "file"
        else GopEncoder(INFO, GopOptions(codec="av1"))
    )
    try:
        assert _policies() == {os.SCHED_OTHER}
    finally:
        encoder.abandon()
