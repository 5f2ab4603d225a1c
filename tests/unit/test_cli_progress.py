"""What a long job shows: figures that are right, a line that fits."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from vidlift.cli import progress
from vidlift.cli.progress import Figures, shortened
from vidlift.jobs.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _progress(done: int, *, resumed: int = 0, total: int | None = 1200, size: int = 0) -> Progress:
    return Progress(done=done, resumed=resumed, total=total, bytes=size)


class TestFigures:
    def test_before_there_is_a_rate(self) -> None:
        assert Figures(Clock())(_progress(1)) == "1/1200"

    def test_rate_time_left_and_size(self) -> None:
        clock = Clock()
        figures = Figures(clock)
        figures(_progress(0))
        clock.now += 10
        assert (
            figures(_progress(300, size=1_000_000)) == "300/1200, 30.0 frames/s, 0:30 left, ~4.0 MB"
        )

    def test_frames_of_earlier_runs_are_no_speed(self) -> None:
        clock = Clock()
        figures = Figures(clock)
        figures(_progress(1000, resumed=1000))
        clock.now += 10
        assert figures(_progress(1100, resumed=1000)) == "1100/1200, 10.0 frames/s, 0:10 left"

    def test_hours(self) -> None:
        clock = Clock()
        figures = Figures(clock)
        figures(_progress(0))
        clock.now += 1
        assert figures(_progress(1, total=7201)).endswith("2:00:00 left")

    def test_a_total_that_nobody_knows(self) -> None:
        clock = Clock()
        figures = Figures(clock)
        figures(_progress(0, total=None))
        clock.now += 2
        assert figures(_progress(10, total=None, size=500)) == "10/?, 5.0 frames/s"

    def test_more_than_was_said(self) -> None:
        clock = Clock()
        figures = Figures(clock)
        figures(_progress(0))
        clock.now += 10
        assert figures(_progress(1300, size=1300)).endswith("0:00 left, ~1.3 kB")


@pytest.mark.parametrize("title", ["film.mp4", "[bold]film[/bold].mp4", "x" * 100, "長" * 40])
def test_all_fits_into_eighty_columns(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(progress, "err", screen)
    with progress.shown(title, quiet=False) as report:
        report(_progress(100_000, total=200_000, size=10**9))
    assert isinstance(screen.file, io.StringIO)
    line = screen.file.getvalue()
    assert shortened(title) in line
    assert "100000/200000" in line
    assert line.count("~2.0 GB") >= 1


def test_plain_lines_now_and_then_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    with progress.shown("[film].mp4", quiet=False) as report:
        for second in range(25):
            clock.now = 100.0 + second
            report(_progress(second))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == ["[film].mp4: 10/1200", "[film].mp4: 20/1200"]


def test_quiet_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=80)
    monkeypatch.setattr(progress, "err", screen)
    with progress.shown("film.mp4", quiet=True) as report:
        report(_progress(5))
    assert isinstance(screen.file, io.StringIO)
    assert screen.file.getvalue() == ""
