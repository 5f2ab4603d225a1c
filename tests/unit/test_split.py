"""Sound and pictures of one file, apart."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from support.clips import join_tracks, make_clip, pitch
from vidlift.errors import InputError
from vidlift.sources.split import RATE, Split
from vidlift.stages.ahead import ahead

LANGUAGES = list(enumerate(["deu", "nld", "und"]))


def test_both_sides_at_once(tmp_path: Path) -> None:
    where = make_clip(tmp_path / "a.mp4", frames=24)
    with closing(Split(where)) as split:
        assert split.sound is not None
        sound = ahead(split.sound, depth=2)
        pictures = ahead(split.pictures, depth=2)
        frames, chunks = list(pictures), list(sound)
    assert [frame.pts for frame in frames] == [Fraction(n, 24) for n in range(24)]
    samples = np.concatenate([chunk.samples for chunk in chunks])
    assert samples.shape[1] == 2
    assert abs(len(samples) / RATE - 1) < 0.1
    # The sine that was put in: 440 Hz, a tenth of full scale.
    assert abs(pitch(chunks) - 440) <= 4
    assert 2500 < np.abs(samples[4096:-4096]).max() < 4500


def test_chunks_follow_one_another(tmp_path: Path) -> None:
    with closing(Split(make_clip(tmp_path / "a.mkv", frames=24))) as split:
        assert split.sound is not None
        chunks = list(split.sound)
    for chunk, following in pairwise(chunks):
        gap = following.pts - (chunk.pts + Fraction(len(chunk.samples), RATE))
        assert abs(gap) <= Fraction(1, 500)  # Matroska counts milliseconds


def test_a_file_without_sound(tmp_path: Path) -> None:
    with closing(Split(make_clip(tmp_path / "a.mp4", sounds=0))) as split:
        assert split.sound is None
        assert len(list(split.pictures)) == 8


def test_pictures_alone_once_muted(tmp_path: Path) -> None:
    with closing(Split(make_clip(tmp_path / "a.mp4", frames=12))) as split:
        split.mute()
        assert len(list(split.pictures)) == 12


@pytest.mark.parametrize("wanted", [None, 0, "nld", 1, 2, 3])
def test_of_several_sounds_the_one_that_is_wanted(tmp_path: Path, wanted: int | str | None) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=24, sounds=3)
    tracks = [(clip, 0, {}), *((clip, n + 1, {"language": each}) for n, each in LANGUAGES)]
    with closing(Split(join_tracks(tmp_path / "a.mkv", tracks), sound=wanted)) as split:
        assert [sound.language for sound in split.sounds] == ["deu", "nld", None]
        at = {"nld": 1, 1: 1, 2: 2}.get(wanted or 0, 0)
        assert split.sound_at == at
        assert split.sound is not None
        assert abs(pitch(split.sound) - 440 * (at + 1)) <= 4


def test_from_a_seek_on_another_sound_or_none(tmp_path: Path) -> None:
    with closing(Split(make_clip(tmp_path / "a.mp4", frames=48, sounds=2))) as split:
        first = split.pictures.begins
        split.listen(1)
        split.seek(first + 1)
        assert split.sound is not None
        assert abs(pitch(split.sound) - 880) <= 4
        split.mute()
        split.listen(0)
        split.seek(first)
        assert split.sound is None
        assert len(list(split.pictures)) == 48


@pytest.mark.parametrize("taken", [0, 1])
def test_closing_early(tmp_path: Path, taken: int) -> None:
    split = Split(make_clip(tmp_path / "a.mp4"))
    assert split.sound is not None
    sound, pictures = ahead(split.sound, depth=1), ahead(split.pictures, depth=1)
    for _ in range(taken):
        next(pictures)
    split.stop()
    sound.close()
    pictures.close()
    split.close()


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(InputError, match="the film is not a video that can be read"):
        Split(tmp_path / "a.mp4", name="the film")
