"""Which of several tracks is meant."""

from __future__ import annotations

import pytest

from vidlift.sources.labels import Label, Wanted, called, find, lacking, listed, marked

LABELS = [
    Label(language="eng"),
    Label(language="de-AT", title="Commentary", wanted=True),
    Label(),
    Label(language="eng", title="for the deaf"),
]


@pytest.mark.parametrize(
    ("wanted", "at"),
    [
        (None, None),
        (0, 0),
        (3, 3),
        (4, None),
        (-1, None),
        ("eng", 0),
        ("ENG", 0),
        ("de", 1),
        ("de-at", 1),
        ("commentary", 1),
        ("en", None),
        ("none", None),
        (Label(language="eng", title="for the deaf"), 3),
        (Label(language="de-AT", title="Commentary"), 1),
        (Label(language="fra"), None),
    ],
    ids=str,
)
def test_a_track_is_found_by_number_language_title_or_its_like(
    wanted: Wanted | None, at: int | None
) -> None:
    assert find(LABELS, wanted) == at


def test_what_the_film_asks_for_comes_first() -> None:
    assert marked(LABELS) == 1
    assert marked(LABELS[2:]) == 0
    assert marked([]) == 0


def test_a_viewer_is_told_of_them() -> None:
    assert [called(LABELS, at) for at in range(4)] == [
        "1 of 4: eng",
        "2 of 4: de-AT, Commentary",
        "3 of 4",
        "4 of 4: eng, for the deaf",
    ]
    assert listed(LABELS[:3]) == "1: eng, 2: de-AT, Commentary, 3"
    assert listed([]) == "none"
    assert str(Label(language="deu", title="deu")) == "deu", "said once"


def test_what_is_wanted_and_not_there_is_named_beside_what_is() -> None:
    assert lacking(LABELS[:1], 3) == "4; it has 1: eng"
    assert lacking([], "fra") == "fra; it has none"
    assert [lacking(LABELS, wanted) for wanted in (None, "none", 0, "eng")] == [None] * 4
