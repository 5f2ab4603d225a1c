"""What the command line prints is for people on a terminal, and whole for other programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from support.cli import vidlift
from support.clips import make_clip
from vidlift.cli import console
from vidlift.cli.console import out, plain_table, print_table, verbatim, warn

LONG = "a word " * 60 + "."


def show(text: str) -> None:
    table = plain_table()
    table.add_column("name")
    table.add_column("what", overflow="fold")
    table.add_row("long", verbatim(text))
    print_table(table)


def test_nothing_is_broken_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(LONG)
    out.print(LONG)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["name  what", f"long  {LONG}", LONG]


def test_a_table_is_as_wide_as_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "out", Console(force_terminal=True, width=40, color_system=None))
    show(LONG)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 10
    assert max(map(len, lines)) <= 40


@pytest.mark.parametrize("text", ["[red]film has ended", "a :film_frames: b"])
def test_text_is_printed_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    out.print(text)
    warn(text)
    show(text)
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [text, "name  what", f"long  {text}"]
    assert text in printed.err


def test_a_receipt_is_a_line_a_row(tmp_path: Path) -> None:
    name = f"{'a long name ' * 12}.mp4"
    clip = make_clip(tmp_path / "clip.mp4", frames=2).rename(tmp_path / name)
    ended = vidlift("upscale", clip, "-m", "bicubic-x2", "--sink", "null", "--no-progress")
    assert f"input    {name}" in ended.out.splitlines()


def test_so_is_what_a_file_holds(tmp_path: Path) -> None:
    ended = vidlift("probe", make_clip(tmp_path / "clip.mp4", frames=2))
    colour = "matrix unspecified, primaries unspecified, transfer unspecified, unknown range"
    assert f"colour    {colour}" in ended.out.splitlines()
