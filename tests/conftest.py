"""Rules that hold for every test."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from dataclasses import replace

import hypothesis
import pytest

from support.shared import REQUIRABLE, required
from vidlift.sinks.file import CODECS

# Derandomised: the same examples in every run. No deadline: a busy machine is no failure.
hypothesis.settings.register_profile("vidlift", derandomize=True, deadline=None)
hypothesis.settings.load_profile("vidlift")


def pytest_configure() -> None:
    if unknown := required() - set(REQUIRABLE):
        raise pytest.UsageError(
            f"VIDLIFT_REQUIRE names {', '.join(sorted(unknown))}; known are {', '.join(REQUIRABLE)}"
        )
    # A shell has what it runs in the background ignore Ctrl-C; programs under test must not.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds what another left in the user's cache, nor leaves anything there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def _no_thread_left_behind() -> Iterator[None]:
    """A test that begins a thread of ours ends it, whatever happened in between."""
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and t.name.startswith("vidlift")]
    for thread in left:
        if thread.name == "vidlift-aside":  # may be left behind, and ends by itself
            thread.join(10)
    left = [thread for thread in left if thread.is_alive()]
    assert not left, f"threads left behind: {', '.join(thread.name for thread in left)}"


@pytest.fixture
def quick_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Presets that take little time and still reorder frames, as those shipped do."""
    for name, preset in (("h264", "veryfast"), ("hevc", "veryfast"), ("av1", "11")):
        quick = replace(CODECS[name], options={"preset": preset})
        monkeypatch.setitem(CODECS, name, quick)
