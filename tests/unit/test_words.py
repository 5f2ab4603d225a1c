"""Text subtitles, from a file to the moment they are said."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.clips import join_tracks, make_clip
from vidlift.player.film import Film
from vidlift.sources import words
from vidlift.sources.words import LENGTH_MAX, Words, plain


@pytest.mark.parametrize(
    ("dialogue", "text"),
    [
        (b"Good morning!", "Good morning!"),
        (b"{\\i1}Good{\\i0} <b>morning</b>", "Good morning"),
        (b"two\\Nlines\\nor\\hthree", "two\nlines\nor three"),
        ("¿Qué tal?".encode(), "¿Qué tal?"),
        (b"\xff odd", "\ufffd odd"),
        (b"  ", ""),
        (b"x" * 2000, "x" * LENGTH_MAX),
    ],
    ids=range(7),
)
def test_text_is_plain(dialogue: bytes, text: str) -> None:
    assert plain(dialogue) == text


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Four seconds with two cues, joined from a clip and an SRT file."""
    clip = make_clip(tmp_path / "clip.mkv", frames=96, options={"preset": "fast", "g": "24"})
    text = tmp_path / "words.srt"
    text.write_text(
        "1\n00:00:00,500 --> 00:00:01,500\nfirst\n\n2\n00:00:02,000 --> 00:00:03,000\nsecond\n"
    )
    where = tmp_path / "film.mkv"
    with (
        av.open(str(clip)) as pictures,
        av.open(str(text)) as words,
        av.open(str(where), "w") as out,
    ):
        ends = [(pictures, s) for s in pictures.streams] + [(words, s) for s in words.streams]
        twins = {id(s): out.add_stream_from_template(s) for _, s in ends}
        packets = [
            p for entry, _ in (ends[0], ends[-1]) for p in entry.demux() if p.dts is not None
        ]
        for packet in sorted(packets, key=lambda p: Fraction(p.dts or 0) * p.time_base):
            packet.stream = twins[id(packet.stream)]
            out.mux(packet)
    return where


def test_what_is_said_is_known_once_its_pictures_are_read(film: Path) -> None:
    opened = Film(str(film))
    (words,) = opened.words
    list(opened.frames(stop=None))
    said = [words.at(time) for time in (0.4, 0.5, 1.4, 1.5, 2.5, 3.0)]
    assert said == ["", "first", "first", "", "second", ""]
    opened.close()


def test_after_a_seek_nothing_is_said_twice(film: Path) -> None:
    opened = Film(str(film))
    (words,) = opened.words
    list(opened.frames(stop=None))
    opened.seek(0.0)
    list(opened.frames(stop=None))
    assert words.at(1.0) == "first"
    opened.close()


def said(start: int, lasts: int, text: str) -> Any:
    """A packet of a cue."""
    part = SimpleNamespace(dialogue=text.encode())
    return SimpleNamespace(
        pts=start, duration=lasts, time_base=Fraction(1, 4), decode=lambda: [part]
    )


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30)), max_size=40))
def test_what_is_said_is_found_however_cues_overlap(cues: list[tuple[int, int]]) -> None:
    """They are read in any order, as by seeks, some again, and some are forgotten."""
    stream = SimpleNamespace(
        index=2, language=None, metadata={}, disposition=av.stream.Disposition(0)
    )
    kept: deque[tuple[int, int]] = deque(maxlen=12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "KEPT_MAX", kept.maxlen)
        text = Words(stream)
    for start, lasts in cues:
        text.add(said(start, lasts, f"{start} {lasts}"))
        if (start, lasts) not in kept:
            kept.append((start, lasts))
    for quarter in range(-1, 72):
        there = [(start, lasts) for start, lasts in kept if start <= quarter < start + lasts]
        there.sort(key=lambda cue: cue[0])
        found = text.at(quarter / 4)
        assert found == "\n".join(f"{start} {lasts}" for start, lasts in there)


def test_of_several_each_says_its_own(tmp_path: Path) -> None:
    tracks: list[tuple[Path, int, dict[str, str]]] = [
        (make_clip(tmp_path / "clip.mp4", frames=48, sounds=0), 0, {})
    ]
    for language, text in (("eng", "first"), ("deu", "erstens")):
        srt = tmp_path / f"{language}.srt"
        srt.write_text(f"1\n00:00:00,500 --> 00:00:01,500\n{text}\n")
        tracks.append((srt, 0, {"language": language}))
    opened = Film(str(join_tracks(tmp_path / "both.mkv", tracks)))
    list(opened.frames(stop=None))
    said = {words.label.language: words.at(1.0) for words in opened.words}
    assert said == {"eng": "first", "deu": "erstens"}
    opened.close()


def test_a_film_without_words_has_none(tmp_path: Path) -> None:
    opened = Film(str(make_clip(tmp_path / "film.mp4")))
    assert not opened.words
    opened.close()
