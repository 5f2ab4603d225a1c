"""Training sets: what goes in, what is left out and why, and that they come out whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from support.clips import make_clip
from support.pictures import make_pictures

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

from vidlift.errors import InputError, UsageError
from vidlift.training import dataset, degrade, gather, pack, pictures, recipe

SIDE = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"), count=4, side=SIDE)


def sequence(*, height: int = 48, width: int = 64, frames: int = 4) -> list[NDArray[np.uint8]]:
    x, y = np.arange(width)[None, :], np.arange(height)[:, None]
    waves = (120 + 60 * np.sin((x + 2 * t) / 5) * np.cos(y / 7) for t in range(frames))
    return [wave.astype(np.uint8) for wave in waves]


def test_a_pack_comes_out_as_it_went_in(tmp_path: Path, folder: Path) -> None:
    skipped: dict[str, str] = {}
    items = list(gather.still_items(gather.files([folder]), skipped))
    where = tmp_path / "p"
    summary = pack.write(where, items, skipped=skipped, about={"kind": "pictures"})
    note, came = pack.read(where)
    assert note["kind"] == "pictures"
    assert summary.items == len(items) == len(came) == 4
    for a, b in zip(items, came, strict=True):
        assert (a.source, a.held_out) == (b.source, b.held_out)
        assert (a.high == b.high).all()
        assert b.low is None


def test_what_is_left_out_has_a_reason(tmp_path: Path, folder: Path) -> None:
    where = tmp_path / "some"
    make_pictures(where, count=1, side=SIDE)
    with Image.open(folder / "made_0.png") as image:
        image.point(lambda code: code // 2 + 40).save(where / "twin.png")
    Image.new("RGB", (SIDE, SIDE), (90, 90, 90)).save(where / "flat.png")
    make_pictures(tmp_path / "small", count=1, side=60)
    (tmp_path / "small" / "made_0.png").rename(where / "tiny.png")
    (where / "torn.png").write_bytes((where / "twin.png").read_bytes()[:200])
    (where / "torn.mkv").write_bytes(b"no video at all")
    skipped: dict[str, str] = {}
    kept = list(gather.still_items(gather.files([where]), skipped))
    assert [item.source for item in kept] == ["made_0"]
    for name, reason in (
        ("flat.png", "flat"),
        ("tiny.png", "shorter side has 60"),
        ("torn.png", "cannot be read"),
        ("torn.mkv", "torn.mkv"),
        ("twin.png", "nearly the same as made_0"),
    ):
        assert reason in skipped[str(where / name)], name
    assert len(skipped) == 5


@pytest.mark.parametrize("place", ["other", "same"])
def test_a_copy_is_left_out_whatever_its_name(tmp_path: Path, place: str) -> None:
    make_pictures(tmp_path / "one", count=1, side=SIDE)
    make_pictures(tmp_path / "two", count=1, side=SIDE)
    copy = tmp_path / "two" / "made_0.png"
    if place == "other":
        copy = copy.rename(copy.with_name("copy.png"))
    skipped: dict[str, str] = {}
    kept = list(gather.still_items(gather.files([tmp_path / "one", tmp_path / "two"]), skipped))
    assert [item.source for item in kept] == ["made_0"]
    assert "the same as" in skipped[str(copy)]


def sequences(*sources: Path) -> tuple[list[pack.Item], dict[str, str]]:
    skipped: dict[str, str] = {}
    items = gather.sequence_items(
        gather.files(sources),
        skipped,
        degradation=degrade.Degradation(clean=1.0, codecs=()),
        options=gather.SequenceOptions(scale=2, frames=3, side=128, keep=1),
    )
    return list(items), skipped


def test_what_gives_no_sequence_has_a_reason(tmp_path: Path, folder: Path) -> None:
    where = tmp_path / "some"
    make_pictures(where, count=1, side=SIDE)
    with Image.open(folder / "made_0.png") as image:
        image.point(lambda code: code // 2 + 40).save(where / "twin.png")
    make_clip(where / "short.mkv", frames=2, width=192, height=176, sounds=0)
    make_clip(where / "small.mkv", frames=9, width=64, height=48, sounds=0)
    (where / "torn.mkv").write_bytes(b"no video at all")
    found, skipped = sequences(where)
    assert [item.source for item in found] == ["made_0"]
    for name, reason in (
        ("twin.png", "nearly the same as made_0"),
        ("short.mkv", "it has 2 frames, fewer than 3"),
        ("small.mkv#0", "shorter side has 48"),
        ("torn.mkv", "cannot be read"),
    ):
        assert reason in skipped[str(where / name)], name
    assert len(skipped) == 4


def test_a_shot_that_fades_in_from_black_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = tmp_path / "film.mkv"
    film.touch()
    black = np.full((176, 192), 16, np.uint8)
    shot = np.random.default_rng(1).integers(0, 256, (176, 192), np.uint8)
    monkeypatch.setattr(gather, "_video_luma", lambda _where, *, step: iter([black, shot, shot]))
    found, skipped = sequences(film)
    assert [item.source for item in found] == ["film"]
    assert skipped == {}


def test_a_sequence_is_of_one_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = tmp_path / "film.mkv"
    film.touch()
    rng = np.random.default_rng(1)
    sizes = [(176, 192)] * 4 + [(192, 176)] * 3 + [(176, 192)] * 2
    shots = [rng.integers(0, 256, size, np.uint8) for size in sizes]
    monkeypatch.setattr(gather, "_video_luma", lambda _where, *, step: iter(shots))
    found, skipped = sequences(film)
    assert [item.high.shape for item in found] == [(176, 192), (192, 176)]
    assert skipped == {}


def test_a_film_is_not_held_in_memory_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = make_clip(tmp_path / "film.mkv", frames=2, width=192, height=176, sounds=0)
    decoded = []

    def long(_where: Path, *, step: int) -> Iterator[NDArray[np.uint8]]:
        rng = np.random.default_rng(step)
        for _ in range(99):
            decoded.append(step)
            yield rng.integers(0, 256, (176, 192), np.uint8)

    monkeypatch.setattr(gather, "_video_luma", long)
    items = gather.sequence_items(
        [film],
        {},
        degradation=degrade.Degradation(clean=1.0, codecs=()),
        options=gather.SequenceOptions(scale=2, frames=3, keep=1),
    )
    next(iter(items))
    assert len(decoded) <= 3 * 3 + 1


def test_a_file_that_is_named_is_looked_at_whatever_its_ending(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", frames=9, width=192, height=176, sounds=0)
    odd = clip.rename(tmp_path / "clip.vid")
    notes = tmp_path / "notes.txt"
    notes.write_text("no film")
    found, skipped = sequences(odd, notes)
    assert [item.source for item in found] == ["clip"]
    assert list(skipped) == [str(notes)]


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_a_grey_picture_of_16_bits_keeps_its_light(tmp_path: Path, mode: str) -> None:
    ramp = np.broadcast_to(np.linspace(0, 65535, SIDE), (SIDE, SIDE))
    where = tmp_path / "ramp.tif"
    kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
    Image.fromarray(np.ascontiguousarray(ramp).astype(kind)).save(where)
    with Image.open(where) as image:
        assert image.mode == mode
    skipped: dict[str, str] = {}
    kept = list(gather.still_items(gather.files([where]), skipped))
    if mode == "F":
        assert "cannot be read" in skipped[str(where)]
        with pytest.raises(InputError, match="floating point"):
            pictures.load([tmp_path], scale=2)
        return
    (learnt,) = pictures.load([tmp_path], scale=2)
    for plane in (kept[0].high, learnt.high):
        row = plane[0].astype(int)
        assert np.abs(row - np.linspace(16, 235, SIDE)).max() <= 1.5


def test_sequences_are_packed_degraded_and_trained_on(tmp_path: Path, folder: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", frames=9, width=192, height=176, sounds=0)
    options = gather.SequenceOptions(scale=2, frames=3, side=128, keep=2)
    skipped: dict[str, str] = {}
    items = gather.sequence_items(
        gather.files([clip, folder]),
        skipped,
        degradation=degrade.Degradation(clean=0.2, codecs=(("h264", 0.8),)),
        options=options,
    )
    pack.write(tmp_path / "p", items, skipped=skipped, about={"scale": 2})
    wanted = recipe.parse(
        {"name": "t", "tier": "s", "scale": 2, "architecture": "plain-8x1", "steps": 1}
        | {"packs": ["p"]},
        where="test",
    )
    found = dataset.load(wanted, tmp_path)
    packed = pack.read(tmp_path / "p")[1]
    assert len(packed) == 2 + 4 * 2
    assert len(found.training) == sum(not item.held_out for item in packed)
    for picture in found.training:
        assert picture.high.shape == tuple(2 * side for side in picture.low.shape)
    with pytest.raises(UsageError, match="for scale 2"):
        dataset.load(replace(wanted, scale=3), tmp_path)


def test_only_what_went_through_the_codecs_asked_for_is_learnt_from(tmp_path: Path) -> None:
    high = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    through = ["h264-30", "h264-37", "h264-22", "clean"]
    items = [
        pack.Item(source=name, held_out=False, high=high, low=high[::2, ::2], through=name)
        for name in through
    ]
    pack.write(tmp_path / "p", iter(items), skipped={}, about={"scale": 2})
    wanted = recipe.parse(
        {"name": "t", "tier": "s", "scale": 2, "architecture": "plain-8x1", "steps": 1}
        | {"packs": ["p"], "through": ["h264-3?"]},
        where="test",
    )
    found = dataset.load(wanted, tmp_path)
    assert {p.source for p in (*found.training, *found.held_out)} == {"h264-30", "h264-37"}
    assert dataset.digest(wanted, tmp_path) != dataset.digest(replace(wanted, through=()), tmp_path)
    with pytest.raises(InputError, match="no picture that went through av1-"):
        dataset.load(replace(wanted, through=("av1-*",)), tmp_path)


def test_a_picture_without_an_inside_does_not_judge(tmp_path: Path) -> None:
    """Cut off ``scale`` samples each side, and nothing is left of it to be compared."""
    names = [f"p{index}" for index in range(100) if pictures.is_held_out(f"p{index}")][:2]
    rng = np.random.default_rng(0)
    for name, side in (*zip(names, (8, 32), strict=True), ("learnt", 32)):
        assert pictures.is_held_out(name) == (name != "learnt")
        Image.fromarray(rng.integers(0, 256, (side, 40, 3), np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    _, held_out = dataset.split(tmp_path, scale=4)
    assert [picture.source for picture in held_out] == names[1:]


def test_sources_that_hold_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file or folder"):
        gather.files([tmp_path / "none"])
    with pytest.raises(InputError, match="no picture or video"):
        gather.files([tmp_path])
