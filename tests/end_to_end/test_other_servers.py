"""HLS as FFmpeg's own muxer writes it: streams of other people, without a card of ours."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from support.cli import vidlift
from support.clips import make_clip
from support.films import library, opened, take
from support.networks import plain_network
from support.servers import scripted
from vidlift.client.hls import HlsFilm
from vidlift.sources.keep import receive
from vidlift.sources.split import Split

FRAMES = 240
TIMES = [Fraction(n, 24) for n in range(FRAMES)]

KINDS: dict[str, dict[str, str]] = {
    "MPEG-TS": {},
    "fMP4": {"hls_segment_type": "fmp4"},
    "MPEG-TS in byte ranges": {"hls_flags": "single_file"},
    "fMP4 in byte ranges": {"hls_segment_type": "fmp4", "hls_flags": "single_file"},
    "AES-128": {"hls_key_info_file": "info"},
    "with dates": {"hls_flags": "program_date_time+independent_segments"},
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds, with B-frames and two-second groups."""
    where = tmp_path_factory.mktemp("others") / "clip.mp4"
    options = {"preset": "ultrafast", "g": "48", "bf": "2"}
    return make_clip(where, frames=FRAMES, width=64, height=48, options=options)


@pytest.fixture(params=KINDS)
def files(
    request: pytest.FixtureRequest, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, bytes]:
    """The files of a film of each kind, by path."""
    monkeypatch.chdir(tmp_path)
    Path("key").write_bytes(bytes(range(16)))
    Path("info").write_text("key\nkey\n")
    options = {"hls_time": "2", "hls_playlist_type": "vod", **KINDS[request.param]}
    with av.open(str(clip)) as entry, av.open("film.m3u8", "w", "hls", options) as out:
        twins: dict[int, Any] = {s.index: out.add_stream_from_template(s) for s in entry.streams}
        for packet in entry.demux():
            if packet.size:
                packet.stream = twins[packet.stream_index]
                out.mux(packet)
    return {f"/{path.name}": path.read_bytes() for path in tmp_path.iterdir()}


def test_it_plays_seeks_and_is_kept(files: dict[str, bytes], tmp_path: Path) -> None:
    with scripted(library(files, lambda _: None)) as (url, _):
        with opened(f"{url}/film.m3u8") as (film, split):
            assert film.seconds == 10
            got = take(split)
            begin = got.frames[0].pts
            assert near(got.times, TIMES)
            assert got.lost == {}
            last = got.chunks[-1]
            ends = last.pts + Fraction(len(last.samples), 48000) - begin
            assert abs(got.chunks[0].pts - begin) < Fraction(1, 20)
            assert abs(ends - 10) < Fraction(1, 20)
            for to in (Fraction(43, 10), Fraction(0), Fraction(54, 10), Fraction(99, 10)):
                split.stop()
                split.seek(begin + to)
                first = next(iter(split.pictures)).pts - begin
                assert to - Fraction(1, 20) < first <= to
                assert split.sound is not None
                heard = next(iter(split.sound)).pts - begin
                assert abs(heard - to) < Fraction(1, 20)
        with closing(HlsFilm(f"{url}/film.m3u8")) as film:
            receive(film, tmp_path / "kept.mp4")
    with closing(Split(tmp_path / "kept.mp4")) as kept:
        found = take(kept)
    assert near(found.times, TIMES)
    assert found.lost == {}


def near(found: list[Fraction], wanted: list[Fraction]) -> bool:
    """As MPEG-TS has times: in 90,000ths of a second."""
    pairs = zip(found, wanted, strict=False)
    return len(found) == len(wanted) and all(abs(a - b) < Fraction(1, 40_000) for a, b in pairs)


def test_the_program_plays_it(files: dict[str, bytes], tmp_path: Path) -> None:
    network = tmp_path / "s-x2.onnx"
    network.write_bytes(plain_network(scale=2, channels=2, layers=1).data)
    with scripted(library(files, lambda _: None)) as (url, _):
        ended = vidlift(
            "play", f"{url}/film.m3u8", "--display", "none", "-m", network, "--duration", "0.3"
        )
    assert ended.code == 0, ended.err
    assert "64x48 → 128x96" in ended.out
