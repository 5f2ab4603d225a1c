"""Boxes of MP4: read as far as they are whole, written as a demuxer reads them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlift.cloud.boxes import boxes, codec_string, header_of, timescale
from vidlift.cloud.pack import segment_of
from vidlift.sinks.gop import GOP_CODECS, TICKS_MIN, Gop, GopEncoder, GopOptions
from vidlift.sources.file import FileSource
from vidlift.sources.synthetic import SyntheticSource
from vidlift.video import VideoInfo

TIMES = [Fraction(n, 24) for n in (0, 1, 2, 5, 6, 7, 20, 21)]
"""A variable rate."""


def info(bits: int = 8) -> VideoInfo:
    return SyntheticSource(width=64, height=64, bits=bits).info


def encode(codec: str, bits: int = 8) -> Gop:
    encoder = GopEncoder(info(bits), GopOptions(codec=codec))
    source = SyntheticSource(width=64, height=64, bits=bits, frames=len(TIMES))
    for frame, time in zip(source, TIMES, strict=True):
        encoder.write(replace(frame, pts=time))
    return encoder.finish()


@pytest.mark.parametrize(
    ("codec", "bits", "named"),
    [
        ("h264", 8, "avc1.64000a"),
        ("hevc", 8, "hvc1.1.6.L30.90"),
        ("hevc", 10, "hvc1.2.4.L30.90"),
        ("av1", 8, "av01.0.00M.08"),
        ("av1", 10, "av01.0.00M.10"),
        ("vp9", 8, "vp09.00.10.08"),
    ],
)
def test_every_codec_makes_fragments_that_are_read_back(codec: str, bits: int, named: str) -> None:
    gop = encode(codec, bits)
    header = header_of(gop.header)
    assert codec_string(header) == named
    assert gop.packets[0].key
    before = [Fraction(0)] * GOP_CODECS[codec].reordered
    data = header + segment_of(
        list(gop.packets), header, number=1, before=before, end=TIMES[-1] + Fraction(1, 24)
    )
    with closing(FileSource(BytesIO(data), name="fragments")) as source:
        assert [frame.pts for frame in source] == TIMES
        assert source.info.bits == bits
        assert source.lost == {}


def test_every_codec_of_the_table_is_tested() -> None:
    marks = test_every_codec_makes_fragments_that_are_read_back.pytestmark  # type: ignore[attr-defined]
    assert {row[0] for row in marks[0].args[1]} == set(GOP_CODECS)


def test_the_clock_of_a_track_is_that_of_the_video() -> None:
    ticks = timescale(header_of(encode("h264").header))
    assert ticks >= TICKS_MIN
    assert ticks % 24 == 0


@given(st.binary(max_size=200))
def test_any_bytes_are_boxes_inside_them_or_none(data: bytes) -> None:
    last = 0
    for kind, start, end in boxes(data):
        assert len(kind) == 4
        assert last < start <= end <= len(data)
        last = end
