"""Test sets are found by what lies in their folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidlift.errors import InputError, UsageError
from vidlift.evaluation import sets


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("photos/a.png", "clips/b.mkv", "clips/a.mp4", "empty/readme.txt", "stray.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_folders_of_pictures_and_of_clips(data: Path) -> None:
    clips, photos = sets.find(data)
    assert (clips.name, [clip.name for clip in clips.clips]) == ("clips", ["a.mp4", "b.mkv"])
    assert (photos.name, photos.clips) == ("photos", ())


def test_the_sets_wanted_come_in_that_order(data: Path) -> None:
    assert [test.name for test in sets.find(data, ["photos", "clips"])] == ["photos", "clips"]
    assert [test.name for test in sets.find(data, ["clips"])] == ["clips"]


def test_a_set_itself(data: Path) -> None:
    assert [test.name for test in sets.find(data / "photos")] == ["photos"]


def test_what_is_not_there(data: Path) -> None:
    with pytest.raises(UsageError, match="no set Set5"):
        sets.find(data, ["Set5"])
    with pytest.raises(InputError, match="no pictures or clips"):
        sets.find(data / "empty")
    with pytest.raises(InputError, match="no folder"):
        sets.find(data / "nowhere")
