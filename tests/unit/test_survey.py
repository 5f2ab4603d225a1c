"""What reading a file from end to end tells, without decoding it."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import pytest

from support.clips import make_clip
from vidlift.errors import InputError
from vidlift.sources.file import FileSource
from vidlift.sources.survey import survey


def test_of_a_whole_file(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", frames=30, rate=Fraction(30000, 1001))
    found = survey(clip, name="clip")
    assert (found.pictures, found.damage) == (30, None)
    assert found.rate is not None
    assert found.rate == pytest.approx(Fraction(30000, 1001), rel=0.01)


def test_one_picture_has_no_rate(tmp_path: Path) -> None:
    assert survey(make_clip(tmp_path / "one.mp4", frames=1), name="one").rate is None


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_a_film_that_starts_late_is_whole(kind: str, tmp_path: Path) -> None:
    late = make_clip(tmp_path / f"late.{kind}", frames=24, start=Fraction(10), sounds=0)
    assert survey(late, name="late").damage is None


@pytest.mark.parametrize("ending", ["mkv", "webm"])
def test_a_file_cut_short(ending: str, tmp_path: Path) -> None:
    codec = "libvpx-vp9" if ending == "webm" else "libx264"
    clip = make_clip(
        tmp_path / f"clip.{ending}", frames=48, sounds=0, codec=codec, options={"crf": "40"}
    )
    content = clip.read_bytes()
    clip.write_bytes(content[: len(content) // 2])
    damage = survey(clip, name="clip").damage
    assert damage is not None
    assert damage.startswith("it ends at ")
    assert "lasts until 2.0" in damage


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_what_was_read_can_be_opened_again(ending: str, tmp_path: Path) -> None:
    entry = BytesIO(make_clip(tmp_path / f"clip.{ending}", sounds=0).read_bytes())
    assert survey(entry, name="clip").pictures == 8
    with closing(FileSource(entry, name="clip")) as source:
        assert len(list(source)) == 8


def test_what_can_be_read_only_once_is_refused(tmp_path: Path) -> None:
    class Once(BytesIO):
        def seekable(self) -> bool:
            return False

    clip = make_clip(tmp_path / "clip.mkv", sounds=0)
    with pytest.raises(InputError, match=r"clip: .* more than once"):
        survey(Once(clip.read_bytes()), name="clip")


def test_a_stream_with_a_hole(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.ts", frames=48, sounds=0)
    content = clip.read_bytes()
    hole = len(content) // 2 // 188 * 188
    clip.write_bytes(content[:hole] + content[hole + 5 * 188 :])
    damage = survey(clip, name="clip").damage
    assert damage is not None
    assert "torn at" in damage
