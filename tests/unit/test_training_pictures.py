"""Folders of pictures to train on: which files count, and what is said of those that cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

from support.pictures import make_pictures
from vidlift.errors import InputError
from vidlift.training import dataset, pictures, recipe
from vidlift.training.recipe import Recipe


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_pictures(tmp_path / "pictures", count=3)


def tiny(**changes: object) -> Recipe:
    values = {"name": "t", "tier": "s", "scale": 2, "architecture": "plain-4x1"}
    return recipe.parse({**values, "pictures": ["."], "steps": 1, **changes}, where="test")


def sources(folder: Path, **options: float) -> list[str]:
    return [p.source for p in pictures.load([folder], scale=2, **options)]  # type: ignore[arg-type]


def test_the_case_of_an_ending_does_not_matter(folder: Path) -> None:
    before = pictures.digest([folder])
    (folder / "made_0.png").rename(folder / "made_0.PNG")
    assert sources(folder) == ["made_0", "made_1", "made_2"]
    assert pictures.digest([folder]) != before  # names count


@pytest.mark.parametrize("size", [(1, 1), (3, 60), (60, 3)])
def test_a_picture_too_small_to_be_shrunk_is_passed_over(
    folder: Path, size: tuple[int, int]
) -> None:
    Image.new("RGB", size, (90, 90, 90)).save(folder / "a_small.png")
    assert sources(folder) == ["made_0", "made_1", "made_2"]
    assert sources(folder, shrink=0.001) == ["made_0", "made_1", "made_2"]


def test_a_folder_that_is_not_there_is_not_passed_over(folder: Path) -> None:
    for other in (folder / "none", folder / "made_0.png"):
        with pytest.raises(InputError, match=f"no folder {other}"):
            pictures.load([folder, other], scale=2)


def test_a_folder_of_small_pictures_alone_is_refused(tmp_path: Path) -> None:
    make_pictures(tmp_path, count=2, side=3)
    with pytest.raises(InputError, match=r"no picture in .* has 4 pixels on either side"):
        pictures.load([tmp_path], scale=2)


def test_a_picture_that_cannot_be_read_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as strict:
        strict.setattr(Image, "MAX_IMAGE_PIXELS", 72 * 72 // 3)  # twice as many is an error
        with pytest.raises(InputError, match=r"made_0\.png is not a picture that can be read"):
            pictures.load([folder], scale=2)
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    for look in (lambda: pictures.digest([folder]), lambda: sources(folder)):
        with pytest.raises(InputError, match=r"gone\.png"):
            look()


def test_a_folder_that_is_named_like_a_picture_is_none(folder: Path) -> None:
    (folder / "album.png").mkdir()
    Image.fromarray(np.full((8, 8), 90, np.uint8)).save(folder / "album.png" / "inside.png")
    assert sources(folder) == ["inside", "made_0", "made_1", "made_2"]


def test_a_set_that_is_all_held_out_is_told_so(tmp_path: Path) -> None:
    name = next(f"p{n}" for n in range(1000) if pictures.is_held_out(f"p{n}"))
    make_pictures(tmp_path, count=1)
    (tmp_path / "made_0.png").rename(tmp_path / f"{name}.png")
    with pytest.raises(InputError, match=r"nothing to learn from: every picture \(1\) is held out"):
        dataset.load(tiny(), tmp_path)


def test_every_fourth_is_stretched_to_flat_black_and_white() -> None:
    ramp = np.tile(np.linspace(16, 235, 64).round().astype(np.uint8), (16, 1))
    found = [pictures.degraded(ramp, source=str(number), scale=2) for number in range(9)]
    made = pictures.stretched(found, 1.7, scale=2)
    assert [each.source for each in made] == ["0", "4", "8"]
    for each in made:
        assert (each.high[:, :8] == 0).all()
        assert (each.high[:, -8:] == 255).all()
        assert (each.low[:, :3] == 0).all()
        assert abs(int(each.high[0, 32]) - 126) < 4, "the middle stays"


def test_what_is_held_out_is_not_stretched(tmp_path: Path) -> None:
    make_pictures(tmp_path, count=30)
    plain, wide = tiny(), tiny(stretch=1.7)
    before, after = dataset.load(plain, tmp_path), dataset.load(wide, tmp_path)
    assert len(before.held_out) == len(after.held_out) > 0
    assert len(after.training) == len(before.training) + -(-len(before.training) // 4)
    assert dataset.digest(plain, tmp_path) != dataset.digest(wide, tmp_path)
