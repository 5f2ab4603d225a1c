"""The test helpers themselves: clips are what they say, missing things skip or fail."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from support import shared as shared_module
from support.clips import make_clip
from support.shared import require, shared


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_a_clip_holds_pictures_and_sound(tmp_path: Path, name: str) -> None:
    where = make_clip(tmp_path / name, frames=5, width=48, height=32, sounds=2)
    with av.open(str(where)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio", "audio"]
        pictures = list(container.decode(video=0))
    assert [(p.width, p.height) for p in pictures] == [(48, 32)] * 5


def test_a_clip_has_the_times_asked_for(tmp_path: Path) -> None:
    times = [Fraction(1, 2), Fraction(5, 8), Fraction(2)]
    where = make_clip(tmp_path / "vfr.mp4", times=times, sounds=0)
    with av.open(str(where)) as container:
        pictures = list(container.decode(video=0))
        found = [p.pts * p.time_base for p in pictures if p.pts is not None and p.time_base]
    assert found == times


def test_missing_data_skips_unless_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDLIFT_SHARED", str(tmp_path))
    monkeypatch.setenv("VIDLIFT_REQUIRE", "")
    with pytest.raises(pytest.skip.Exception, match="set VIDLIFT_SHARED"):
        shared("data")
    monkeypatch.setenv("VIDLIFT_REQUIRE", "train, shared")
    with pytest.raises(pytest.fail.Exception, match="VIDLIFT_REQUIRE holds shared"):
        shared("data")


def test_a_missing_package_skips_unless_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shared_module.PACKAGES, "train", ("no_such_module",))
    monkeypatch.setenv("VIDLIFT_REQUIRE", "shared")
    with pytest.raises(pytest.skip.Exception, match="no_such_module"):
        require("train")
    monkeypatch.setenv("VIDLIFT_REQUIRE", "train")
    with pytest.raises(pytest.fail.Exception, match="no_such_module"):
        require("train")
