"""Grouping frames into pairs, and super-resolving them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.frames import make_frame
from vidlift.frame import Frame
from vidlift.stages.pair import MAX_GAP, Pair, pair
from vidlift.stages.upscale import upscale
from vidlift.upscaler import Upscaler

STEP = Fraction(1, 24)
SMALL, LARGE = (16, 16), (32, 16)


def drawn(text: str) -> dict[str, Frame]:
    """Frames by letter: ``_`` is a long gap, ``^`` a change of size, ``*`` of depth, ``:`` of
    chroma."""
    frames: dict[str, Frame] = {}
    time, size, bits, layout = Fraction(0), SMALL, 8, "yuv420p"
    for sign in text:
        if sign == "_":
            time += MAX_GAP
        elif sign == "^":
            size = LARGE if size == SMALL else SMALL
        elif sign == "*":
            bits = 18 - bits
        elif sign == ":":
            layout = "gray" if layout == "yuv420p" else "yuv420p"
        else:
            frames[sign] = make_frame(time, size=size, bits=bits, layout=layout)
            time += STEP
    return frames


def spelled(pairs: Iterator[Pair], frames: dict[str, Frame]) -> str:
    names = {id(frame): name for name, frame in frames.items()}
    return " ".join(names[id(p.first)] + names[id(p.second)] for p in pairs)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("A", "AA", id="one"),
        pytest.param("AB", "AB", id="two"),
        pytest.param("ABC", "AB CC", id="the last odd one is alone"),
        pytest.param("ABCD", "AB CD", id="four"),
        pytest.param("A_BC", "AA BC", id="a gap starts afresh"),
        pytest.param("ABC_DE", "AB CC DE", id="a gap inside a pair"),
        pytest.param("AB_CD", "AB CD", id="a gap between pairs"),
        pytest.param("ABC^DE", "AB CC DE", id="another size"),
        pytest.param("ABC*DE", "AB CC DE", id="another depth"),
        pytest.param("ABC:DE", "AB CC DE", id="another layout of chroma"),
        pytest.param("A_B_C", "AA BB CC", id="all alone"),
    ],
)
def test_frames_that_adjoin_are_paired(text: str, wanted: str) -> None:
    frames = drawn(text)
    assert spelled(pair(frames.values()), frames) == wanted


def test_a_cut_is_the_policys() -> None:
    frames = drawn("ABCDE")
    cut = pair(frames.values(), is_cut=lambda _before, after: after is frames["D"])
    assert spelled(cut, frames) == "AB CC DE"


def test_at_most_one_frame_is_held() -> None:
    taken: list[Frame] = []

    def watched() -> Iterator[Frame]:
        for frame in drawn("ABCDE").values():
            taken.append(frame)
            yield frame

    for found in pair(watched()):
        assert taken[-1] is found.second or taken[-2] is found.second


frame_lists = st.lists(
    st.tuples(
        st.fractions(min_value=Fraction(1, 1000), max_value=Fraction(1, 2), max_denominator=1000),
        st.sampled_from([SMALL, LARGE]),
        st.booleans(),
    ),
    max_size=24,
)


@given(frame_lists)
def test_every_frame_leaves_once_in_order_and_no_pair_spans_what_it_should_not(
    drawn_frames: list[tuple[Fraction, tuple[int, int], bool]],
) -> None:
    time, frames, after_cut = Fraction(0), [], set()
    for gap, size, cut in drawn_frames:
        time += gap
        frames.append(make_frame(time, size=size))
        if cut:
            after_cut.add(id(frames[-1]))
    pairs = list(pair(frames, is_cut=lambda _before, after: id(after) in after_cut))
    out = [frame for found in pairs for frame in found.frames]
    assert [id(frame) for frame in out] == [id(frame) for frame in frames]
    for found in pairs:
        if not found.alone:
            assert found.first.size == found.second.size
            assert 0 < found.second.pts - found.first.pts <= MAX_GAP
            assert id(found.second) not in after_cut
    # As many pairs as can be: two that stand alone side by side do not adjoin.
    for one, other in pairwise(pairs):
        if one.alone and other.alone:
            a, b = one.first, other.first
            apart = a.size != b.size or b.pts - a.pts > MAX_GAP or id(b) in after_cut
            assert apart


def test_upscale_gives_every_frame_once_with_its_time() -> None:
    frames = drawn("ABC_DE^F")
    with Upscaler("bicubic-x2", engine="null") as upscaler:
        big = list(upscale(pair(frames.values()), upscaler=upscaler))
    assert [(f.pts, f.duration) for f in big] == [(f.pts, f.duration) for f in frames.values()]
    assert [f.size for f in big] == [(2 * f.width, 2 * f.height) for f in frames.values()]
