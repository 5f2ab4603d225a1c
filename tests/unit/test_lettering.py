"""Fonts that have the letters, and lines that fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlift.player import lettering
from vidlift.player.lettering import Letters


class Square:
    """Letters that are all ten dots wide."""

    def width(self, text: str) -> int:
        return 10 * len(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("short", "short"),
        ("two words", "two|words"),
        ("a b c d e f", "a b c d|e f"),
        ("said\nin two", "said|in two"),
        ("said\n\nlater", "said||later"),
        ("incomprehensible", "incompr|ehensib|le"),
        ("an incomprehensible", "an|incompr|ehensib|le"),
        ("我今天早上去了北京的商店", "我今天早上去了|北京的商店"),
        ("我今天早上去了。北京", "我今天早上去|了。北京"),
        ("中文 and English", "中文 and|English"),
        ("- Yes.\n- No.", "- Yes.|- No."),
    ],
)
def test_lines_are_broken_by_words_or_letters(text: str, wanted: str) -> None:
    assert "|".join(lettering.lines(text, Square(), room=75)) == wanted


def test_lines_are_balanced_where_they_are_no_more_for_it() -> None:
    text = "我今天早上去了北京的"
    assert lettering.lines(text, Square(), room=90) == ["我今天早上去了北京", "的"]
    assert lettering.lines(text, Square(), room=90, balanced=True) == ["我今天早上", "去了北京的"]
    assert lettering.lines("short", Square(), room=90, balanced=True) == ["short"]


@given(text=st.text(alphabet="ab 中。\n", max_size=60), room=st.integers(20, 200))
def test_no_line_is_wider_than_there_is_room_and_nothing_is_lost(text: str, room: int) -> None:
    found = lettering.lines(text, Square(), room=room)
    letters = [line for line in found if line.strip("。 ")]
    assert all(len(line.rstrip("。")) * 10 <= room for line in letters)
    assert "".join(found).replace(" ", "") == text.replace("\n", "").replace(" ", "")


@pytest.fixture
def afresh() -> Iterator[None]:
    """Nothing is known of this machine's fonts, and nothing of what a test says of them stays."""

    caches = (lettering._first, lettering._opens, lettering._has)

    def forget() -> None:
        lettering._found.clear()
        lettering._homes.clear()
        for each in caches:
            each.cache_clear()

    forget()
    yield
    forget()


HAVE = {"latin.ttf": "abc,", "greek.ttf": "αβγ", "some.ttf": "中,", "more.ttf": "中文אב"}
"""Fonts of a made-up machine, and the letters in each."""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, afresh: None) -> list[str]:
    """A made-up machine's fonts; notes the letters that it was asked for."""
    asked: list[str] = []

    def others(letters: frozenset[str]) -> Iterator[lettering.Face]:
        asked.append("".join(sorted(letters)))
        yield max(HAVE, key=lambda name: len(letters & set(HAVE[name]))), 0

    monkeypatch.setattr(lettering, "FONTS", ("none.ttf", "latin.ttf"))
    monkeypatch.setattr(lettering, "_opens", lambda face: face[0] in HAVE)
    monkeypatch.setattr(lettering, "_has", lambda face, c: c in HAVE[face[0]])
    monkeypatch.setattr(lettering, "_others", others)
    monkeypatch.setattr(lettering, "_opened", lambda face, _size: face[0].removesuffix(".ttf"))
    return asked


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a b\u200f", [("latin", "a b\u200f")]),
        ("αβγ", [("greek", "αβγ")]),
        ("a α", [("latin", "a "), ("greek", "α")]),
        ("中, a", [("some", "中, "), ("latin", "a")]),
        ("中文,", [("more", "中文"), ("latin", ",")]),
        ("ж", [("latin", "ж")]),
        ("aж文", [("latin", "aж"), ("more", "文")]),
        ("אב a", [("latin", "a"), ("more", "אב ")]),
    ],
)
def test_each_letter_is_of_a_font_that_has_it(
    text: str, wanted: list[tuple[str, str]], machine: list[str]
) -> None:
    assert Letters(20)._runs(text) == wanted


def test_a_machine_is_asked_once_for_what_is_not_there(machine: list[str]) -> None:
    for text in ("abc", "中ж", "ж文", "中文ж"):
        Letters(20)._runs(text)
    assert machine == ["ж中", "ж", "文"]


def test_letters_are_known_from_boxes(afresh: None) -> None:
    assert all(lettering._has(lettering._first(), c) for c in "aZ9ä")
    pillows_own = ("", 0)
    assert lettering._has(pillows_own, "a")
    assert not lettering._has(pillows_own, "中")


@pytest.mark.parametrize("answer", ["", "text", "/none/there.ttf\n0", "/none/there.ttf\nx"])
def test_without_an_answer_of_fontconfig_it_is_as_before(
    answer: str, afresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "fc-match"
    script.write_text(f"#!/bin/sh\nprintf '%s' '{answer}'\n")
    script.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda _name: str(script))
    Letters(20).width("\U0001f600 a")
    assert set(lettering._homes.values()) == {lettering._first()}
