"""What journals are made of: whenever a machine stops, whole lines are kept and others are not."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlift.errors import OutputError, UsageError
from vidlift.jobs.notes import Lines, alone, gone_if_empty, read_note, write_whole

ROWS: list[dict[str, Any]] = [{"n": 0}, {"n": 1, "name": "zwölf\n"}, {"n": 2, "list": [1, 2]}]


def read(where: Path) -> tuple[Lines, list[Any]]:
    seen: list[Any] = []

    def take(content: Any) -> bool:
        if not isinstance(content, Mapping) or content.get("n") != len(seen):
            return False
        seen.append(content)
        return True

    return Lines(where, take), seen


@given(st.data())
def test_cut_anywhere_it_goes_on_after_the_last_whole_line(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        where = Path(folder) / "lines.jsonl"
        lines, seen = read(where)
        assert seen == []
        for row in ROWS:
            lines.add(row)
        whole = where.read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        rest = data.draw(st.sampled_from([b"", b"\n", b'{"n"', b"\xff\xff", b"[1]\n", b"3\n\n"]))
        where.write_bytes(whole[:cut] + rest)
        lines, seen = read(where)
        assert seen == ROWS[: len(seen)]
        assert len(seen) >= whole[:cut].count(b"\n")
        kept = list(seen)
        for row in ROWS[len(kept) :]:
            lines.add(row)
        assert read(where)[1] == ROWS
        assert where.read_bytes() == whole


def test_the_disk_holds_the_name_of_the_file_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: held.append(os.fstat(handle).st_ino))
    where = tmp_path / "journal.jsonl"
    lines, _ = read(where)
    lines.add(ROWS[0])
    assert held == [where.stat().st_ino, tmp_path.stat().st_ino]
    lines.add(ROWS[1])
    assert held[2:] == [where.stat().st_ino]


def test_a_lock_is_for_one_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "lock"

    def held() -> AbstractContextManager[None]:
        return alone(lock, busy="busy", cannot="")

    with held(), pytest.raises(UsageError, match="busy"), held():
        pass
    with held():
        pass


def test_a_lock_whose_folder_has_gone_meanwhile_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever had it before removed the folder when done, between opening and locking here."""
    lock, real = tmp_path / "job" / "lock", fcntl.flock

    def removed(held: Any, how: int) -> None:
        if lock.exists():
            lock.unlink()
            lock.parent.rmdir()
        monkeypatch.setattr(fcntl, "flock", real)
        real(held, how)

    monkeypatch.setattr(fcntl, "flock", removed)
    with alone(lock, busy="busy", cannot=""):
        with pytest.raises(UsageError, match="busy"), alone(lock, busy="busy", cannot=""):
            pass
        assert lock.exists()


def test_where_there_are_no_locks_nobody_else_is_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_held: Any, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    holding = alone(tmp_path / "lock", busy="busy", cannot="cannot work")
    with pytest.raises(OutputError, match="cannot work: No locks"), holding:
        pass


def test_where_there_can_be_no_lock_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, parents in ((tmp_path / "file", True), (tmp_path / "no" / "folder", False)):
        holding = alone(folder / "lock", busy="", cannot="cannot work", parents=parents)
        with pytest.raises(OutputError, match="cannot work: "), holding:
            pass
    with alone(tmp_path / "new" / "folder" / "lock", busy="", cannot=""):
        assert (tmp_path / "new" / "folder").is_dir()


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff"])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, content: bytes | None) -> None:
    where = tmp_path / "note.json"
    if content is not None:
        where.write_bytes(content)
    assert read_note(where) is None
    write_whole(where, b'{"a": 1}')
    assert read_note(where) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["note.json"]


def test_folders_made_for_nothing_are_gone_again(tmp_path: Path) -> None:
    made = tmp_path / "there" / "new" / "newer" / "title"
    (tmp_path / "there").mkdir()
    with gone_if_empty(made):
        made.parent.mkdir(parents=True)
    assert not any((tmp_path / "there").iterdir())
    with gone_if_empty(made):
        made.mkdir(parents=True)
    assert made.is_dir()
