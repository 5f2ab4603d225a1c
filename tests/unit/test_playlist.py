"""HLS playlists become values, or one clear line."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlift.client.playlist import (
    SEGMENTS_MAX,
    Key,
    MasterList,
    MediaList,
    Resource,
    looks_like,
    parse,
)
from vidlift.errors import InputError, NetworkError, VidliftError

BASE = "https://cdn.example/film/master.m3u8"

MASTER = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="deu",LANGUAGE="de",URI="de.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="eng",DEFAULT=YES,URI="en.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="eng",URI="text.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS="avc1.64001e,mp4a.40.2",AUDIO="a"
360/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=480x270,AUDIO="a"
270/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2",AUDIO="a"
sound/index.m3u8
"""

MEDIA = """#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="all.mp4",BYTERANGE="100@0"
#EXT-X-BYTERANGE:1000@100
#EXTINF:4,
all.mp4
#EXT-X-BYTERANGE:500
#EXTINF:3.5,
all.mp4
#EXT-X-DISCONTINUITY
#EXT-X-KEY:METHOD=AES-128,URI="key.bin",IV=0x0102
#EXTINF:2,
https://other.example/x.ts
#EXT-X-ENDLIST
"""


def media(text: str) -> MediaList:
    found = parse(text, BASE)
    assert isinstance(found, MediaList)
    return found


def master(text: str) -> MasterList:
    found = parse(text, BASE)
    assert isinstance(found, MasterList)
    return found


def test_a_list_of_rungs() -> None:
    found = master(MASTER)
    assert [v.height for v in found.variants] == [270, 360]
    assert found.variants[0].url == "https://cdn.example/film/270/index.m3u8"
    sounds = found.sounds_of(found.variants[0])
    (sound,) = (each for each in sounds if each.default)
    assert (sound.name, sound.url) == ("eng", "https://cdn.example/film/en.m3u8")


def test_a_list_of_segments() -> None:
    found = media(MEDIA)
    assert found.ended
    first, second, third = found.segments
    whole = "https://cdn.example/film/all.mp4"
    assert first.resource == Resource(url=whole, start=100, end=1100)
    assert second.resource == Resource(url=whole, start=1100, end=1600)
    assert first.header == Resource(url=whole, start=0, end=100)
    assert [s.number for s in found.segments] == [7, 8, 9]
    assert [s.start for s in found.segments] == [0, 4, 7.5]
    assert [s.epoch for s in found.segments] == [0, 0, 1]
    assert first.key is None
    assert third.key == Key(url="https://cdn.example/film/key.bin", iv=bytes(14) + b"\x01\x02")


def test_sound_inside_is_no_rendition_apart() -> None:
    text = MASTER.replace(',URI="de.m3u8"', "").replace(',URI="en.m3u8"', "")
    found = master(text)
    assert not found.sounds_of(found.variants[0])


def test_sound_inside_is_played_where_it_is_asked_for_whatever_there_is_beside_it() -> None:
    found = master(MASTER.replace(',URI="en.m3u8"', ""))
    assert not found.sounds_of(found.variants[0])


def test_sound_alone_is_played_where_there_is_nothing_else() -> None:
    found = master("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=64000\nsound.m3u8\n")
    assert found.variants[0].height is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("https://other.example/x.ts", "file:///etc/passwd"),
        ("https://other.example/x.ts", "FILE:///etc/passwd"),
        ("https://other.example/x.ts", "concat:http://a|file:///etc/passwd"),
        ("https://other.example/x.ts", "data:video/mp2t,x"),
        ('URI="all.mp4"', 'URI="file:///etc/passwd"'),
        ('URI="key.bin"', 'URI="file:///etc/passwd"'),
        ("https://other.example/x.ts", "http:///nowhere"),
    ],
)
def test_no_line_leads_to_another_protocol(old: str, new: str) -> None:
    assert old in MEDIA
    with pytest.raises(NetworkError, match="refused"):
        parse(MEDIA.replace(old, new), BASE)
    with pytest.raises(NetworkError, match="refused"):
        parse(MASTER.replace("270/index.m3u8", "file:///etc/passwd"), BASE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no playlist"),
        ("<html>#EXTM3U", "no playlist"),
        ("#EXTM3U\n#EXT-X-ENDLIST\n", "without segments"),
        (MEDIA.replace("METHOD=AES-128", "METHOD=SAMPLE-AES"), "only AES-128"),
        (MEDIA.replace("EXTINF:4", "EXTINF:99999"), "a segment of 99999 s"),
        (MEDIA.replace("EXTINF:4", "EXTINF:-4"), "a segment of -4 s"),
        (MEDIA.replace("EXTINF:4", "EXTINF:nan"), "a segment of nan s"),
        (MEDIA.replace("TARGETDURATION:4", "TARGETDURATION:99999"), "at most"),
        (MEDIA.replace("IV=0x0102", "IV=0x" + "1" * 40), "initialisation vector"),
        (MEDIA.replace("1000@100", "1000"), "does not say where it begins"),
        (MEDIA.replace("1000@100", "-1@0"), "a part of"),
        (MEDIA.replace("1000@100", "9" * 30 + "@0"), "a part of"),
        ("#EXTM3U\n" + "#EXTINF:4,\na.ts\n" * (SEGMENTS_MAX + 1), "more than 50000 segments"),
        (
            "#EXTM3U\n" + "#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n" * 201,
            "more than 200 renditions",
        ),
    ],
)
def test_what_is_no_playlist_or_too_much(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse(text, BASE + "?token=secret")
    assert "secret" not in str(caught.value)


def test_the_subtitles_of_a_film_may_be_one_segment() -> None:
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:5400\n#EXTINF:5400,\nall.vtt\n#EXT-X-ENDLIST\n"
    media = parse(text, "https://cdn.example/text.m3u8")
    assert isinstance(media, MediaList)
    assert [segment.seconds for segment in media.segments] == [5400]


def test_ten_thousand_segments_are_a_long_film() -> None:
    found = media("#EXTM3U\n#EXT-X-TARGETDURATION:4\n" + "#EXTINF:4,\na.ts\n" * 10_000)
    assert found.segments[-1].start == 4 * 9_999
    assert not found.ended


@given(st.floats(-5, 20))
def test_a_time_lies_in_one_segment_and_another_follows_it(time: float) -> None:
    found = media(MEDIA)
    here = found.holding(time)
    assert here is not None
    if 0 <= time < 9.5:
        assert here.start <= time < here.start + here.seconds
    after = found.following(here.start + here.seconds)
    assert (after.number if after else 10) == here.number + 1
    for off in (-0.02, 0.02):  # another rung's list may have rounded otherwise
        assert found.following(here.start + here.seconds + off) == after


LINES = st.sampled_from([*MASTER.splitlines(), *MEDIA.splitlines(), "x", "#EXT-X-KEY:", "#EXTINF:"])


@given(st.lists(LINES, max_size=12), st.text(max_size=20))
def test_any_text_is_a_playlist_or_an_error_of_ours(lines: list[str], noise: str) -> None:
    with suppress(VidliftError):
        assert parse("#EXTM3U\n" + "\n".join(lines) + noise, BASE).url == BASE


def test_playlists_are_known_by_their_beginning() -> None:
    assert looks_like(b"#EXTM3U\n")
    assert looks_like(b"\xef\xbb\xbf#EXTM3U")
    assert not looks_like(b"\x00\x00\x00\x20ftyp")


DEFINED = """#EXTM3U
#EXT-X-DEFINE:NAME="host",VALUE="https://cdn.example"
#EXT-X-DEFINE:NAME="where",VALUE="{$host}/a"
#EXT-X-DEFINE:QUERYPARAM="token"
#EXT-X-DEFINE:IMPORT="user"
#EXT-X-TARGETDURATION:4
#EXT-X-MAP:URI="{$where}/init.mp4"
#EXTINF:4,
{$where}/{$user}/1.m4s?t={$token}
#EXT-X-ENDLIST
"""


def test_what_a_list_defines_stands_for_its_name() -> None:
    found = parse(DEFINED, f"{BASE}?x=1&token=a%20b", defined={"user": "me"})
    assert isinstance(found, MediaList)
    (segment,) = found.segments
    assert segment.resource.url == "https://cdn.example/a/me/1.m4s?t=a b"
    assert segment.header == Resource(url="https://cdn.example/a/init.mp4")


def test_a_master_hands_on_what_it_defines() -> None:
    text = MASTER.replace("#EXTM3U", '#EXTM3U\n#EXT-X-DEFINE:NAME="d",VALUE="270"')
    found = master(text.replace("270/index.m3u8", "{$d}/index.m3u8"))
    assert found.defined == {"d": "270"}
    assert found.variants[0].url == "https://cdn.example/film/270/index.m3u8"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('NAME="host"', 'NAME="other"', "host"),
        ('IMPORT="user"', 'IMPORT="nobody"', "nobody"),
        ('QUERYPARAM="token"', 'QUERYPARAM="none"', "none"),
        ("EXT-X-DEFINE:NAME", "EXT-X-DEFINE:WHAT", "EXT-X-DEFINE"),
    ],
)
def test_what_nobody_defined_is_said(old: str, new: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse(DEFINED.replace(old, new), f"{BASE}?token=1", defined={"user": "me"})


def test_a_list_does_not_grow_without_end() -> None:
    lines = ["#EXTM3U", '#EXT-X-DEFINE:NAME="v0",VALUE="0123456789"']
    lines += [f'#EXT-X-DEFINE:NAME="v{n + 1}",VALUE="' + f"{{$v{n}}}" * 10 + '"' for n in range(12)]
    with pytest.raises(InputError, match="longer than"):
        parse("\n".join(lines), BASE)
