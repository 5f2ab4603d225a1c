"""Packs on disk: as large as asked for, replaced by whole ones only, damage told in a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

from vidlift.errors import InputError, OutputError, UsageError
from vidlift.training import pack

NOISE_SIDE = 128


def noise(index: int) -> pack.Item:
    """Takes a byte a sample in a pack, and a little more."""
    high = np.random.default_rng(index).integers(0, 256, (NOISE_SIDE, NOISE_SIDE), np.uint8)
    return pack.Item(source=f"n{index}", held_out=False, high=high)


def test_a_pack_is_filled_where_its_first_pictures_are_the_smallest(tmp_path: Path) -> None:
    flat = [replace(noise(n), high=np.zeros((NOISE_SIDE, NOISE_SIDE), np.uint8)) for n in range(4)]
    limit = round(6.5 * NOISE_SIDE**2 / (1 - pack.NOTE_SHARE))
    items = [*flat, *map(noise, range(9))]
    assert pack.write(tmp_path / "p", items, skipped={}, about={}, max_bytes=limit).items == 4 + 6


@pytest.mark.parametrize("fits", [1, 3, 4, 6])
def test_a_pack_is_as_large_as_its_limit_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fits: int
) -> None:
    monkeypatch.setattr(pack, "SHARD_BYTES", 4 * NOISE_SIDE**2)
    limit = round((fits + 0.5) * NOISE_SIDE**2 / (1 - pack.NOTE_SHARE))
    where = tmp_path / "p"
    summary = pack.write(where, map(noise, range(9)), skipped={}, about={}, max_bytes=limit)
    assert summary.full
    assert summary.items == fits == len(pack.read(where)[1])
    assert sum(file.stat().st_size for file in where.glob("*.npz")) <= limit


def test_a_pack_without_anything_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too small for a single picture"):
        pack.write(tmp_path / "p", [noise(1)], skipped={}, about={}, max_bytes=1000)
    with pytest.raises(InputError, match=r"nothing to pack, .* a\.png: it is flat"):
        pack.write(tmp_path / "p", [], skipped={"a.png": "it is flat"}, about={})
    assert not list(tmp_path.iterdir())


def test_only_packs_are_replaced_and_only_by_whole_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "SHARD_BYTES", 1)
    where = tmp_path / "p"
    pack.write(where, [noise(1), noise(2)], skipped={}, about={})

    def interrupted() -> Iterator[pack.Item]:
        yield noise(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack.write(where, interrupted(), skipped={}, about={})
    assert [item.source for item in pack.read(where)[1]] == ["n1", "n2"]
    pack.write(where, [noise(4)], skipped={}, about={})
    assert [item.source for item in pack.read(where)[1]] == ["n4"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["p"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "figures.npz").write_bytes(b"years of work")
    for mine in (tmp_path / "mine", where):
        (mine / "figures.txt").write_text("years of work")
        with pytest.raises(UsageError, match="holds other things than a pack"):
            pack.write(mine, [noise(5)], skipped={}, about={})
    assert (where / "figures.txt").is_file()


@pytest.mark.parametrize("end", [OSError, KeyboardInterrupt])
def test_a_pack_that_was_moved_aside_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: type[BaseException]
) -> None:
    where = tmp_path / "p"
    pack.write(where, [noise(1)], skipped={}, about={})
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name.endswith(".part"):
            raise end
        return rename(self, target)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", failing)
        with pytest.raises((OutputError, KeyboardInterrupt)):
            pack.write(where, [noise(2)], skipped={}, about={})
    assert [item.source for item in pack.read(where)[1]] == ["n1"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["p"]


@pytest.mark.parametrize("came", [True, False])
def test_a_pack_that_a_kill_left_aside_comes_back_at_the_next_write(
    tmp_path: Path, came: bool
) -> None:
    where = tmp_path / "p"
    pack.write(where, [noise(1)], skipped={}, about={})
    where.rename(tmp_path / ".p.old")  # as between the two renames
    (tmp_path / ".p.part").mkdir()
    if came:
        pack.write(where, [noise(2)], skipped={}, about={})
    else:
        with pytest.raises(InputError, match="nothing to pack"):
            pack.write(where, [], skipped={}, about={})
    assert [item.source for item in pack.read(where)[1]] == ["n2" if came else "n1"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["p"]


@pytest.mark.parametrize("way", [".", "link"])
def test_a_pack_goes_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    (tmp_path / "p").mkdir()
    beside = tmp_path / "p.part" / "mine"
    beside.mkdir(parents=True)
    out = Path()
    if way == "link":
        out = tmp_path / "link"
        out.symlink_to(tmp_path / "p")
    for number in (1, 2):
        monkeypatch.chdir(tmp_path / "p")
        pack.write(out, [noise(number)], skipped={}, about={})
        assert [item.source for item in pack.read(tmp_path / "p")[1]] == [f"n{number}"]
    assert beside.is_dir()
    assert not [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")]


def test_a_folder_that_is_no_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pack"):
        pack.read(tmp_path)
    (tmp_path / pack.NOTE).write_text(json.dumps({"format": 1}))
    with pytest.raises(InputError, match="not a whole pack"):
        pack.read(tmp_path)


@pytest.mark.parametrize(
    "note",
    [
        pytest.param([], id="a list"),
        pytest.param({"format": 1, "items": 3}, id="items that are none"),
        pytest.param({"format": 1, "items": [3]}, id="an item that is none"),
        pytest.param({"format": 1, "items": [{"shard": "x"}]}, id="a shard in words"),
    ],
)
def test_a_note_of_another_form_is_told_in_a_line(tmp_path: Path, note: object) -> None:
    (tmp_path / pack.NOTE).write_text(json.dumps(note))
    with pytest.raises(InputError, match="not a whole pack"):
        pack.read(tmp_path)


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped"])
def test_a_shard_that_is_damaged_is_told_in_a_line(tmp_path: Path, damage: str) -> None:
    high = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    where = tmp_path / "p"
    pack.write(where, [pack.Item(source="a", held_out=False, high=high)], skipped={}, about={})
    shard = where / "00000.npz"
    whole = shard.read_bytes()
    flipped = whole[:100] + bytes([whole[100] ^ 255]) + whole[101:]
    shard.write_bytes({"empty": b"", "cut": whole[:200], "flipped": flipped}[damage])
    with pytest.raises(InputError, match="not a whole pack"):
        pack.read(where)


def test_a_pack_that_cannot_be_opened_has_no_digest(tmp_path: Path) -> None:
    (tmp_path / pack.NOTE).mkdir()
    with pytest.raises(InputError, match="cannot read"):
        pack.digest(tmp_path)
