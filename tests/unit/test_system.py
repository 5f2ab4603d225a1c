"""What is told of the machine and of this process."""

import subprocess
import sys

import pytest

from vidlift import system

pytestmark = pytest.mark.skipif(system.peak_memory_mb() is None, reason="the system does not tell")

LARGE = 300_000_000
TELL = "from vidlift import system; print(system.peak_memory_mb())"


def test_the_peak_is_of_this_process_and_not_of_the_one_that_started_it() -> None:
    ballast = b"." * LARGE
    # ``preexec_fn`` makes it a copy of this process first, which is what counted.
    told = subprocess.run(
        [sys.executable, "-c", TELL], capture_output=True, text=True, check=True, preexec_fn=int
    )
    assert len(ballast) == LARGE
    assert 1 < float(told.stdout) < LARGE / 1e6


def test_the_peak_counts_what_is_gone_again() -> None:
    ballast = b"." * LARGE
    del ballast
    after = system.peak_memory_mb()
    assert after is not None
    assert after >= LARGE / 1e6
