"""A live HLS film, followed as it comes: to its end, from now on, or until nothing more comes."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import pytest

from support.clips import make_clip
from support.films import library, opened, take
from support.servers import Asked, answer, part_of, scripted
from vidlift.errors import NetworkError


@pytest.fixture(scope="module")
def transport(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    clip = tmp_path_factory.mktemp("ts") / "clip.ts"
    return make_clip(clip, frames=12, rate=Fraction(12), width=64, height=48).read_bytes()


class Broadcast:
    """A live film: each look at its list finds one segment more, and the oldest gone."""

    def __init__(self, segment: bytes, *, vanish: range = range(0)) -> None:
        self._segment = segment
        self._vanish = vanish
        self.looks = 0

    def __call__(self, asked: Asked) -> Iterable[bytes]:
        if not asked.path.endswith(".m3u8"):
            return [part_of(self._segment, asked)]
        self.looks += 1
        if self.looks in self._vanish:
            return [answer("404 Not Found")]
        first = min(self.looks, 6)
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
        lines += [f"#EXT-X-DISCONTINUITY-SEQUENCE:{first}"]
        for number in range(first, first + 4):
            lines += ["#EXT-X-DISCONTINUITY", "#EXTINF:1,", f"{number}.ts"]
        if self.looks > 8:
            lines.append("#EXT-X-ENDLIST")
        return [answer(body="\n".join(lines).encode())]


@pytest.mark.parametrize(
    ("vanish", "away"),
    [(range(0), 0), (range(3, 7), 2), (range(3, 45), 20)],
    ids=["steady", "away for two seconds", "away for twenty seconds"],
)
def test_a_live_film_is_followed_to_its_end(transport: bytes, vanish: range, away: float) -> None:
    broadcast, waited = Broadcast(transport, vanish=vanish), list[float]()
    with (
        scripted(broadcast) as (url, _),
        opened(f"{url}/live.m3u8", pause=waited.append) as (film, split),
    ):
        assert film.live
        assert split.end is None
        got = take(split)
    assert broadcast.looks > 8
    assert sum(waited) >= away
    assert got.times == sorted(set(got.times))
    assert got.times[:12] == [Fraction(n, 12) for n in range(12)]
    lost = got.lost.get("a segment of a live film was gone", 0)
    assert len(got.times) >= 12 * (5 - lost)


def test_a_live_film_goes_on_with_what_happens_now(transport: bytes) -> None:
    broadcast = Broadcast(transport)
    with (
        scripted(broadcast) as (url, _),
        opened(f"{url}/live.m3u8") as (film, split),
    ):
        next(iter(split.pictures))
        split.stop()
        looks = broadcast.looks = 7  # it went on meanwhile
        split.seek(Fraction(50))
        assert broadcast.looks > looks, "not what the list said then"
        got = take(split)
        assert film.live
    assert got.frames[0].pts == 50
    assert got.frames[0].luma.any()
    assert abs(got.chunks[0].pts - 50) < Fraction(1, 10)
    assert got.times == sorted(set(got.times))


def test_a_live_film_that_stands_still_ends_with_one_line(transport: bytes) -> None:
    text = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n"
    files = {"/live.m3u8": text, "/a.ts": transport}
    waited: list[float] = []
    with (
        scripted(library(files, lambda _: None)) as (url, _),
        pytest.raises(NetworkError, match="nothing new for 40 s"),
        opened(f"{url}/live.m3u8", pause=waited.append) as (_, split),
    ):
        take(split)
    assert 39 < sum(waited) < 42
