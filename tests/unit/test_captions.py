"""WebVTT as HLS carries it becomes cues, or says nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vidlift.client.captions import Caption, read_captions

TEXT = """\ufeffWEBVTT
X-TIMESTAMP-MAP=LOCAL:00:00:01.000,MPEGTS:900000

NOTE a remark

one
00:00:02.500 --> 00:00:04.000 align:start
<b>Fish</b> &amp; chips
twice

01:02.000 --> 01:01.000
backwards

99:00:00.000 --> 99:00:01.000
late
"""


def test_cues_are_read_with_their_times_on_the_clock_of_the_film() -> None:
    first, late = read_captions(TEXT.encode())
    assert first == Caption(start=11.5, end=13.0, text="Fish & chips\ntwice", mapped=True)
    assert late.start == 99 * 3600 + 9


def test_without_a_clock_times_count_from_the_beginning() -> None:
    (cue,) = read_captions(b"WEBVTT\r\n\r\n00:01.000 --> 00:02.000\r\nhere\r\n")
    assert cue == Caption(start=1, end=2, text="here", mapped=False)


@given(st.lists(st.sampled_from([*TEXT.splitlines(), "\n", "-->", "<", "&#x110000;"])), st.binary())
def test_any_bytes_are_cues_or_nothing(lines: list[str], noise: bytes) -> None:
    for data in (noise, b"WEBVTT\n\n" + "\n".join(lines).encode() + noise):
        for cue in read_captions(data):
            assert cue.end > cue.start
            assert cue.text
