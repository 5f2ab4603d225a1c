"""What a title is made of: pictures of every codec, sound tracks, subtitles, stills."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import m3u8
import numpy as np
import pytest
from PIL import Image

from support.clips import join_tracks, make_clip, pitch
from vidlift.client import captions as client_captions
from vidlift.client.hls import HlsFilm
from vidlift.client.playlist import MediaList, parse
from vidlift.cloud.captions import plain_text, read_captions, stamp
from vidlift.cloud.library import Title
from vidlift.cloud.playlists import media_playlist
from vidlift.cloud.publish import PublishOptions, publish
from vidlift.cloud.serve import serving
from vidlift.cloud.sounds import write_sounds
from vidlift.sinks.file import CODECS
from vidlift.sinks.gop import GOP_CODECS
from vidlift.sources.file import FileSource
from vidlift.sources.hls import HlsSplit
from vidlift.video import ContentLight

RATE = Fraction(6)
FRAMES = 60

SUBTITLES = """1
00:00:01,000 --> 00:00:02,500
<i>Fish</i> & chips --> 1 < 2

2
00:00:03,000 --> 00:00:30,000
Two
lines
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("clip") / "film.mkv"
    return make_clip(where, frames=FRAMES, rate=RATE, width=96, height=64, sounds=2)


@pytest.mark.parametrize("codec", GOP_CODECS)
def test_a_title_of_every_codec_plays(codec: str, clip: Path, tmp_path: Path) -> None:
    title = publish(clip, tmp_path, PublishOptions(rungs=(32, 48), codec=codec))
    assert [rung["codec"] for rung in title.renditions] == [codec, codec]
    expected = [number / RATE for number in range(FRAMES)]
    with (
        serving(tmp_path) as base,
        closing(HlsFilm(f"{base}/{title.path('master.m3u8')}")) as film,
        closing(HlsSplit(film)) as split,
    ):
        near(expected, [frame.pts for frame in split.pictures])
    whole = title.folder / title.renditions[-1]["file"]
    for film_of in (whole, *(rendition(title, r["playlist"]) for r in title.renditions)):
        entry = film_of if isinstance(film_of, Path) else BytesIO(film_of)
        with closing(FileSource(entry)) as source:
            near(expected, [frame.pts for frame in source])
            assert source.lost == {}


def near(expected: Sequence[Fraction], found: Sequence[Fraction]) -> None:
    """The same times, but for Matroska's rounding."""
    assert len(found) == len(expected)
    assert max(abs(a - b) for a, b in zip(expected, found, strict=True)) < Fraction(1, 1000)


def rendition(title: Title, playlist: str) -> bytes:
    """All of a rendition, one part after the other."""
    listed = m3u8.load(str(title.folder / playlist))
    folder = (title.folder / playlist).parent
    parts = [listed.segment_map[0].uri, *(segment.uri for segment in listed.segments)]
    return b"".join((folder / part).read_bytes() for part in parts)


def test_a_film_is_published_from_its_own_size_in_ten_bits(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "deep.mkv", frames=4, codec="libx265", pix_fmt="yuv420p10le")
    for codec, bits in (("hevc", 10), ("h264", 8)):
        options = PublishOptions(rungs=(48,), codec=codec, name=codec, whole_file=False)
        title = publish(clip, tmp_path / "library", options)
        data = rendition(title, title.renditions[0]["playlist"])
        with closing(FileSource(BytesIO(data))) as source:
            assert source.info.bits == bits


HDR10 = (
    "log-level=none:master-display=G(13250,34500)B(7500,3000)R(34000,16000)"
    "WP(15635,16450)L(10000000,50):max-cll=1000,400"
)


@pytest.mark.parametrize("codec", CODECS)
def test_what_screen_a_film_was_graded_on_is_told(codec: str, tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "hdr.mkv",
        frames=FRAMES,
        rate=RATE,
        codec="libx265",
        pix_fmt="yuv420p10le",
        options={"x265-params": HDR10},
    )
    title = publish(clip, tmp_path / "library", PublishOptions(rungs=(48,), codec=codec))
    rung = title.renditions[0]
    with closing(FileSource(clip)) as film:
        wanted = film.info
    assert wanted.light == ContentLight(max_content=1000, max_average=400)
    for entry in (title.folder / rung["file"], BytesIO(rendition(title, rung["playlist"]))):
        with closing(FileSource(entry)) as source:
            assert source.info.light == wanted.light
            assert source.info.mastering is not None
            found = float(source.info.mastering.luminance[1])
            assert found == pytest.approx(1000)


@pytest.fixture(scope="module")
def dubbed(tmp_path_factory: pytest.TempPathFactory) -> Title:
    """A film with English and French sound, a commentary in FLAC, and subtitles."""
    folder = tmp_path_factory.mktemp("dubbed")
    clip = make_clip(folder / "clip.mp4", frames=FRAMES, rate=RATE, width=96, height=64, sounds=2)
    (folder / "subtitles.srt").write_text(SUBTITLES)
    commentary = _as_flac(clip, folder / "commentary.mkv")
    film = folder / "film.mkv"
    join_tracks(
        film,
        [
            (clip, 0, {}),
            (clip, 1, {"language": "eng"}),
            (clip, 2, {"language": "fre", "title": 'Version "française"'}),
            (commentary, 0, {}),
            (folder / "subtitles.srt", 0, {"language": "ger"}),
        ],
    )
    return publish(film, folder / "library", PublishOptions(rungs=(32, 48)))


def _as_flac(clip: Path, where: Path) -> Path:
    with av.open(str(clip), "r") as entry, av.open(str(where), "w") as out:
        track: Any = out.add_stream("flac", rate=44_100)
        track.codec_context.layout = "mono"
        resampler = av.AudioResampler(format="s16", layout="mono", rate=44_100)
        for frame in [*entry.decode(audio=0), None]:
            for part in resampler.resample(frame):
                out.mux(track.encode(part))
        out.mux(track.encode(None))
    return where


def test_each_sound_track_is_a_rendition(dubbed: Title) -> None:
    named = [(s["name"], s["language"], s["channels"]) for s in dubbed.card["sounds"]]
    assert named == [("eng", "eng", 2), ('Version "française"', "fre", 2), ("Sound 3", None, 2)]
    master = m3u8.load(str(dubbed.folder / "master.m3u8"))
    listed = [media for media in master.media if media.type == "AUDIO"]
    assert [media.name for media in listed] == ["eng", "Version 'française'", "Sound 3"]
    assert [media.default for media in listed] == ["YES", "NO", "NO"]
    for media, hertz in zip(listed, (440, 880, 440), strict=True):
        with av.open(BytesIO(rendition(dubbed, media.uri)), "r") as sound:
            samples = np.concatenate([f.to_ndarray()[0] for f in sound.decode(audio=0)])
            rate = sound.streams.audio[0].rate
        assert abs(len(samples) / rate - 10) < 0.1
        loudest = np.argmax(np.abs(np.fft.rfft(samples[rate : 3 * rate]))) / 2
        assert loudest == pytest.approx(hertz, abs=1)


def test_the_viewer_chooses_between_them(dubbed: Title) -> None:
    with (
        serving(dubbed.folder.parent) as base,
        closing(HlsFilm(f"{base}/{dubbed.path('master.m3u8')}")) as film,
        closing(HlsSplit(film, sound="fre")) as split,
    ):
        assert [str(sound) for sound in split.sounds] == [
            "eng",
            "fre, Version 'française'",
            "Sound 3",
        ]
        assert [str(words.label) for words in split.words] == ["ger"]
        heard = [(split.sound_at, pitch(split.sound or ()))]
        for at in (0, 2):
            split.listen(at)
            split.seek(split.pictures.begins)
            heard.append((split.sound_at, pitch(split.sound or ())))
    assert [at for at, _ in heard] == [1, 0, 2]
    assert [hertz for _, hertz in heard] == pytest.approx([880, 440, 440], abs=4)


def test_subtitles_are_webvtt_that_says_nothing_else(dubbed: Title) -> None:
    assert dubbed.card["captions"] == [{"name": "ger", "language": "ger"}]
    master = m3u8.load(str(dubbed.folder / "master.m3u8"))
    (text,) = (media for media in master.media if media.type == "SUBTITLES")
    (only,) = m3u8.load(str(dubbed.folder / text.uri)).segments
    vtt = ((dubbed.folder / text.uri).parent / only.uri).read_text()
    assert vtt.startswith("WEBVTT\n")
    assert vtt.endswith(
        "00:00:01.000 --> 00:00:02.500\nFish &amp; chips --&gt; 1 &lt; 2\n\n"
        "00:00:03.000 --> 00:00:10.000\nTwo\nlines\n"
    )


def test_a_silent_film_has_no_sound_in_its_list(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "silent.mp4", frames=6, sounds=0)
    title = publish(clip, tmp_path / "library", PublishOptions(rungs=(32,)))
    assert title.card["sounds"] == []
    master = m3u8.load(str(title.folder / "master.m3u8"))
    assert master.media == []
    assert master.playlists[0].stream_info.codecs == title.renditions[0]["codecs"]


def test_the_poster_and_the_thumbnails(dubbed: Title) -> None:
    with Image.open(dubbed.folder / dubbed.card["poster"]) as poster:
        assert poster.size == (72, 48)
    vtt = dubbed.folder / dubbed.card["thumbnails"]
    cues = re.findall(
        r"^([\d:.]+) --> ([\d:.]+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$",
        vtt.read_text(),
        re.MULTILINE,
    )
    assert [cue[:2] for cue in cues] == [
        ("00:00:00.000", "00:00:04.000"),
        ("00:00:04.000", "00:00:08.000"),
        ("00:00:08.000", "00:00:10.000"),
    ]
    with Image.open(vtt.parent / cues[0][2]) as strip:
        for cue in cues:
            x, y, width, height = map(int, cue[3:])
            assert x + width <= strip.width
            assert y + height <= strip.height == 90


@pytest.mark.parametrize(("late", "lists"), [(Fraction(5), 10), (Fraction(3, 10), 10)])
def test_sound_that_begins_late_is_where_its_list_says(
    late: Fraction, lists: int, clip: Path, tmp_path: Path
) -> None:
    """Players look in the list for what a moment needs, and stop where a track has nothing."""
    film = _with_sound_from(clip, tmp_path / "late.mp4", late)
    folder = tmp_path / "title"
    folder.mkdir()
    times: Any = {"origin": Fraction(0), "end": Fraction(10), "length": Fraction(4)}
    (track,) = write_sounds(film, folder, **times, warnings=[])
    assert sum(seconds for _, seconds in track.segments) == pytest.approx(lists, abs=0.05)
    files = [name for name, _ in track.segments]
    parts = [(folder / "sound-0" / name).read_bytes() for name in ["init.mp4", *files]]
    with av.open(BytesIO(b"".join(parts)), "r") as entry:
        heard: list[Any] = list(entry.decode(audio=0))
    assert heard[0].time == pytest.approx(0 if late > 1 else float(late), abs=0.03)
    gaps = [b.time - a.time for a, b in pairwise(heard)]
    assert max(gaps) < 0.05
    loud = next(frame.time for frame in heard if np.abs(frame.to_ndarray()).max() > 0.05)
    assert loud == pytest.approx(float(late), abs=0.03)


def _with_sound_from(clip: Path, where: Path, late: Fraction) -> Path:
    """The pictures of a clip and its first sound, less what is heard before a time."""
    with av.open(str(clip)) as entry, av.open(str(where), "w") as out:
        old = [entry.streams.video[0], entry.streams.audio[0]]
        new = {stream.index: out.add_stream_from_template(stream) for stream in old}
        packet: Any
        for packet in entry.demux(old):
            if packet.size and (packet.stream is old[0] or packet.pts * packet.time_base >= late):
                packet.stream = new[packet.stream_index]
                out.mux(packet)
    return where


def test_subtitles_of_a_long_film_are_believed_by_our_player(tmp_path: Path) -> None:
    said = {"early": (1, 2), "across": (298, 302), "late": (700, 705)}
    cues = [
        f"{stamp(Fraction(a)).replace('.', ',')} --> {stamp(Fraction(b)).replace('.', ',')}\n{text}"
        for text, (a, b) in said.items()
    ]
    (tmp_path / "film.srt").write_text("\n\n".join(f"{n}\n{cue}" for n, cue in enumerate(cues, 1)))
    (found,) = read_captions(
        tmp_path / "film.srt", origin=Fraction(0), end=Fraction(1501, 2), warnings=[]
    )
    shown = [
        [cue.text for cue in client_captions.read_captions(text.encode())]
        for text, _ in found.segments
    ]
    assert shown == [["early", "across"], ["across"], ["late"]]
    rows = [(f"{n}.vtt", float(seconds)) for n, (_, seconds) in enumerate(found.segments)]
    assert [seconds for _, seconds in rows] == [300, 300, 150.5]
    assert isinstance(parse(media_playlist(rows, header=None), "https://x/index.m3u8"), MediaList)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (r"{\i1}a{\i0}\Nb", "a\nb"),
        (r"a\hb\n\n c ", "a b\nc"),
        ("1 < 2 & --> 3", "1 &lt; 2 &amp; --&gt; 3"),
    ],
)
def test_what_is_left_of_the_marks_of_subtitles(written: str, shown: str) -> None:
    assert plain_text(written) == shown
