"""Subtitles that a title of ours has are shown over it, and cost nothing until they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from support.clips import join_tracks, make_clip
from support.films import files_of, library, opened
from support.servers import Asked, answer, scripted
from vidlift.cloud.library import Title
from vidlift.cloud.publish import PublishOptions, publish
from vidlift.sources.captions import HlsWords


@pytest.fixture(scope="module")
def title(tmp_path_factory: pytest.TempPathFactory) -> Title:
    folder = tmp_path_factory.mktemp("subtitles")
    pictures, words = folder / "film.mp4", folder / "film.srt"
    make_clip(pictures, frames=30, rate=Fraction(3), width=128, height=96, sounds=0)
    words.write_text(
        "1\n00:00:01,000 --> 00:00:03,000\nfirst\n\n"
        "2\n00:00:06,000 --> 00:00:08,000\nsecond & last\n"
    )
    clip = join_tracks(folder / "film.mkv", [(pictures, 0, {}), (words, 0, {})])
    return publish(clip, folder / "library", PublishOptions(rungs=(48,), whole_file=False))


def said_at(words: HlsWords, time: float, *, until: Callable[[str], bool]) -> str:
    """What is said once the subtitles are there."""
    while not until(found := words.at(time)):
        pass
    return found


def test_what_is_said_is_known_when_it_is_asked_for(title: Title) -> None:
    asked: list[str] = []
    with (
        scripted(library(files_of(title), lambda request: asked.append(request.path))) as (url, _),
        opened(f"{url}/master.m3u8") as (_, split),
    ):
        begin = float(split.pictures.begins)
        (words,) = split.words
        assert not [path for path in asked if "text-0" in path], "nobody asked for them yet"
        assert said_at(words, begin + 6.5, until=bool) == "second & last"
        assert words.at(begin + 1.5) == "first"
        assert words.at(begin + 4) == ""
        split.stop()
        split.seek(split.pictures.begins)
        assert words.at(begin + 1.5) == "first", "also after a seek"


def test_subtitles_that_are_away_say_nothing(title: Title) -> None:
    failed: list[str] = []

    def fault(asked: Asked) -> bytes | None:
        if "text-0" not in asked.path:
            return None
        failed.append(asked.path)
        return answer("404 Not Found")

    with (
        scripted(library(files_of(title), fault)) as (url, _),
        opened(f"{url}/master.m3u8") as (_, split),
    ):
        (words,) = split.words
        assert said_at(words, 1.5, until=lambda _: bool(failed)) == ""
        assert len(list(split.pictures)) == 30
