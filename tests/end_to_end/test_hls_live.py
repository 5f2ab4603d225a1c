"""A live HLS film, followed as it comes: to its end, from now on, or until nothing more comes."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import av
import numpy as np
import pytest

from support.clips import make_clip
from support.films import library, opened, take
from support.servers import Asked, answer, part_of, scripted
from vidlift.errors import NetworkError
from vidlift.sources.split import RATE


@pytest.fixture(scope="module")
def transport(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    clip = tmp_path_factory.mktemp("ts") / "clip.ts"
    return make_clip(clip, frames=12, rate=Fraction(12), width=64, height=48).read_bytes()


class Broadcast:
    """A live film: each look at its list finds one segment more, and the oldest gone."""

    def __init__(
        self,
        segment: bytes,
        *,
        vanish: range = range(0),
        instead: bytes = answer("404 Not Found"),
    ) -> None:
        self._segment = segment
        self._vanish, self._instead = vanish, instead
        self.looks = 0

    def __call__(self, asked: Asked) -> Iterable[bytes]:
        if not asked.path.endswith(".m3u8"):
            return [part_of(self._segment, asked)]
        self.looks += 1
        if self.looks in self._vanish:
            return [self._instead]
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


def test_a_page_in_the_place_of_a_live_list_is_asked_for_again(transport: bytes) -> None:
    page = answer(body=b"<html>later</html>")
    broadcast = Broadcast(transport, vanish=range(3, 5), instead=page)
    with (
        scripted(broadcast) as (url, _),
        opened(f"{url}/live.m3u8") as (_, split),
    ):
        got = take(split)
    assert broadcast.looks > 8
    assert got.times == sorted(set(got.times))


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


class Channel:
    """A live film on one clock, with its sound apart. Each look at a list finds one segment more,
    and the oldest of four gone."""

    ends = 46
    back = Fraction(0)
    """Seconds that its clock goes back before segment 6."""

    counts_anew = False
    """Whether from segment 12 on its lists hold nothing of before and count from 0."""

    def __init__(self, folder: Path, *, sound: bool) -> None:
        self._folder, self._sound = folder, sound
        self.now = {"pictures": 4, "sound": 4}
        """Segments there were so far."""

        self.given: dict[str, list[int]] = {"pictures": [], "sound": []}
        self.begun = {"pictures": Event(), "sound": Event()}

    def __call__(self, asked: Asked) -> Iterable[bytes]:
        kind, _, rest = asked.path.removeprefix("/").partition("/")
        if kind == "master.m3u8":
            lines = ["#EXTM3U", "#EXT-X-STREAM-INF:BANDWIDTH=9999,RESOLUTION=64x48"]
            if self._sound:
                lines.insert(1, SOUND)
                lines[-1] += ',AUDIO="a"'
            return [answer(body="\n".join([*lines, "pictures/list.m3u8"]).encode())]
        if rest == "list.m3u8":
            end = self.now[kind]
            self.now[kind] = min(end + 1, self.ends)
            anew = 12 if self.counts_anew and end > 12 else 0
            first = max(end - 4, anew)
            lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{first - anew}"]
            lines += [f"#EXTINF:1,\n{number}.ts" for number in range(first, end)]
            lines += ["#EXT-X-ENDLIST"] if end == self.ends else []
            return [answer(body="\n".join(lines).encode())]
        if not rest:
            return [answer("404 Not Found")]
        number = int(rest.removesuffix(".ts"))
        self.given[kind].append(number)
        self.begun[kind].set()
        where = self._folder / f"{kind}-{number}.ts"
        start = number + 1 - (self.back if number >= 6 else Fraction(0))
        if kind == "sound":
            make_tone(where, start=start)
        else:
            make_clip(where, frames=12, rate=Fraction(12), start=start, sounds=0)
        return [part_of(where.read_bytes(), asked)]


SOUND = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",DEFAULT=YES,URI="sound/list.m3u8"'


def make_tone(where: Path, *, start: Fraction) -> None:
    """A second of silence."""
    with av.open(str(where), "w") as out:
        track: Any = out.add_stream("mp2", rate=48_000)
        track.codec_context.layout = "stereo"
        for at in range(0, 48_000 - 1151, 1152):
            chunk = av.AudioFrame.from_ndarray(np.zeros((1, 2304), np.int16), "s16", "stereo")
            chunk.sample_rate, chunk.time_base = 48_000, Fraction(1, 48_000)
            chunk.pts = round(48_000 * start) + at
            out.mux(track.encode(chunk))
        out.mux(track.encode(None))


@pytest.mark.parametrize(
    ("pictures", "sound"),
    [(40, None), (40, 40), (40, 42), (42, 40), (40, 0), (0, 40)],
    ids=["no sound", "alike", "sound later", "sound sooner", "pictures alone", "sound alone"],
)
def test_a_live_film_that_was_missed_goes_on_at_once(
    pictures: int, sound: int | None, tmp_path: Path
) -> None:
    """As after a pause that was longer than the server keeps segments for."""
    channel = Channel(tmp_path, sound=sound is not None)
    with (
        scripted(channel) as (url, _),
        opened(f"{url}/master.m3u8") as (_, split),
    ):
        assert sound is None or channel.begun["sound"].wait(10)
        channel.now["pictures"] = max(channel.now["pictures"], pictures)
        channel.now["sound"] = max(channel.now["sound"], sound or 0)
        got = take(split)
        heard = {} if split.sound is None else split.sound.lost
    played = channel.given["pictures"]
    missed = sum(b - a - 1 for a, b in pairwise(played))
    assert (missed > 20) == (pictures > 20)
    assert len(got.times) == 12 * len(played)
    assert max(b - a for a, b in pairwise(got.times)) < Fraction(1, 5)
    assert got.lost == ({"a segment of a live film was gone": missed} if missed else {})
    if sound is not None:
        assert ("a segment of a live film was gone" in heard) == (sound > 20)
        end = got.chunks[-1].pts + Fraction(len(got.chunks[-1].samples), RATE)
        assert abs(end - got.frames[-1].pts - Fraction(1, 12)) < Fraction(1, 10), "together"


@pytest.mark.parametrize("back", ["0.4", "0.9", "3", "6"])
@pytest.mark.parametrize("sound", [True, False])
def test_an_encoder_that_begins_anew_costs_no_picture(
    back: str, sound: bool, tmp_path: Path
) -> None:
    channel = Channel(tmp_path, sound=sound)
    channel.ends, channel.back = 10, Fraction(back)
    with (
        scripted(channel) as (url, _),
        opened(f"{url}/master.m3u8") as (_, split),
    ):
        got = take(split)
    assert len(got.times) == 12 * len(channel.given["pictures"])
    assert max(b - a for a, b in pairwise(got.times)) < Fraction(1, 5)
    assert got.lost == {}
    if sound:
        end = got.chunks[-1].pts + Fraction(len(got.chunks[-1].samples), RATE)
        assert abs(end - got.frames[-1].pts - Fraction(1, 12)) < Fraction(1, 5), "together"


@pytest.mark.parametrize("back", ["0", "6"])
@pytest.mark.parametrize("sound", [True, False])
def test_a_list_that_counts_anew_is_followed_at_once(
    back: str, sound: bool, tmp_path: Path
) -> None:
    """As where an encoder was started anew, which knows nothing of what it wrote before."""
    channel, waited = Channel(tmp_path, sound=sound), list[float]()
    channel.ends, channel.back, channel.counts_anew = 20, Fraction(back), True
    with (
        scripted(channel) as (url, _),
        opened(f"{url}/master.m3u8", pause=waited.append) as (_, split),
    ):
        got = take(split)
    assert channel.given["pictures"] == sorted(set(channel.given["pictures"]))
    assert channel.given["pictures"][-1] == 19
    assert len(got.times) == 12 * len(channel.given["pictures"])
    assert max(b - a for a, b in pairwise(got.times)) < Fraction(1, 5)
    assert sum(waited) < 60
    if sound:
        end = got.chunks[-1].pts + Fraction(len(got.chunks[-1].samples), RATE)
        assert abs(end - got.frames[-1].pts - Fraction(1, 12)) < Fraction(1, 5), "together"
