"""Publish, serve, receive, play: the whole way on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import httpx2
import m3u8
import pytest
from PIL import Image

from support.cli import vidlift
from support.clips import make_clip
from support.servers import part_of, scripted
from vidlift.client.fetch import HttpFile
from vidlift.cloud.ladder import Rung
from vidlift.cloud.library import Title, titles
from vidlift.cloud.publish import PublishOptions, publish
from vidlift.cloud.serve import serving
from vidlift.errors import InputError, OutputError, UsageError
from vidlift.sources import opened_file
from vidlift.sources.file import FileSource

SMALL = PublishOptions(rungs=(32, 48))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Title:
    folder = tmp_path_factory.mktemp("cloud")
    clip = make_clip(folder / "Clip One.mp4", frames=12, width=96, height=64)
    return publish(clip, folder / "library", SMALL)


@pytest.fixture(scope="module")
def base(published: Title) -> Iterator[str]:
    with serving(published.folder.parent) as url:
        yield url


def test_a_title_is_small_and_keeps_every_time(published: Title) -> None:
    best = published.renditions[-1]
    with closing(FileSource(published.folder / best["file"])) as small:
        assert (small.info.width, small.info.height) == (72, 48)
        assert small.info.color.matrix == 6
        times = [frame.pts for frame in small]
    with closing(FileSource(published.folder.parent.parent / "Clip One.mp4")) as whole:
        assert times == [frame.pts for frame in whole]
    assert [title.name for title in titles(published.folder.parent)] == ["clip-one"]
    assert [path.name for path in published.folder.parent.iterdir()] == ["clip-one"]


def test_a_turned_video_stays_turned(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=6, width=96, height=64)
    turned = tmp_path / "turned.mp4"
    quarter = (0, 65536, 0, -65536, 0, 0, 64 * 65536, 0, 1 << 30)
    with av.open(str(clip)) as entry, av.open(str(turned), "w") as out:
        old = entry.streams.video[0]
        new = out.add_stream_from_template(old)
        new.set_display_matrix(quarter)
        for packet in entry.demux(old):
            if packet.size:
                packet.stream = new
                out.mux(packet)
    title = publish(turned, tmp_path / "library", SMALL)
    rung = (title.folder / title.renditions[0]["playlist"]).parent
    data = (rung / "init.mp4").read_bytes() + (rung / "00000.m4s").read_bytes()
    with closing(FileSource(BytesIO(data))) as source:
        assert source.info.display_matrix is not None
        assert source.info.display_matrix[:5] == quarter[:5]
    with Image.open(title.folder / title.card["poster"]) as poster:
        assert poster.width < poster.height


def test_rungs_that_fall_together(published: Title, tmp_path: Path) -> None:
    clip = published.folder.parent.parent / "Clip One.mp4"
    options = PublishOptions(rungs=(36, 37), tiers=("s",), prune=True)
    title = publish(clip, tmp_path, options)
    assert [r["name"] for r in title.renditions] == ["36p"]
    with pytest.raises(UsageError, match="37p, which is one with 36p"):
        PublishOptions(rungs=(36, 37), kbps={37: 50})


def test_a_rate_is_for_the_rung_as_it_was_asked_for() -> None:
    options = PublishOptions(rungs=(135, 270), kbps={135: 50})
    rung = Rung(width=240, height=136, asked=135)
    assert (options.gop(rung).kbps, options.gop(rung).crf) == (50, None)
    assert options.gop(Rung(width=480, height=270)).kbps is None


def test_no_library_at_all(published: Title, tmp_path: Path) -> None:
    clip = published.folder.parent.parent / "Clip One.mp4"
    ended = vidlift("cloud", "publish", clip, "")
    assert ended.code == 2
    assert "library" in ended.complaint


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--name", "no name for a title can be made of ''"),
        ("--gain", "no tier ''"),
        ("--bitrate", "--bitrate ''"),
        ("--rungs", "--rungs ''"),
    ],
)
def test_an_option_without_a_value(option: str, says: str, tmp_path: Path) -> None:
    ended = vidlift("cloud", "publish", tmp_path / "film.mp4", tmp_path / "library", option, "")
    assert ended.code == 2
    assert says in ended.complaint


def test_the_peak_of_a_rung_is_no_less_than_its_mean(published: Title) -> None:
    for rendition in published.renditions:
        assert rendition["peak_bits_per_second"] >= rendition["bits_per_second"]
    for variant in m3u8.load(str(published.folder / "master.m3u8")).playlists:
        assert variant.stream_info.bandwidth >= variant.stream_info.average_bandwidth


@pytest.mark.parametrize(
    ("transfer", "expected"), [(16, "PQ"), (18, "HLG"), (1, None)], ids=["pq", "hlg", "sdr"]
)
def test_the_list_says_which_light_a_title_has(
    tmp_path: Path, transfer: int, expected: str | None
) -> None:
    tags = {"color_trc": transfer, "color_primaries": 9, "colorspace": 9, "color_range": 1}
    clip = make_clip(tmp_path / "a.mp4", frames=3, width=96, height=64, sounds=0, tags=tags)
    title = publish(clip, tmp_path / "library", PublishOptions(rungs=(32,)))
    with closing(FileSource(title.folder / title.renditions[0]["file"])) as rung:
        assert rung.info.color.transfer == transfer
    (variant,) = m3u8.load(str(title.folder / "master.m3u8")).playlists
    assert variant.stream_info.video_range == expected


def test_publishing_again_does_nothing_or_replaces(published: Title, tmp_path: Path) -> None:
    clip = published.folder.parent.parent / "Clip One.mp4"
    first = publish(clip, tmp_path, SMALL)
    made = (first.folder / "vidlift.json").stat()
    assert publish(clip, tmp_path, SMALL).card == first.card
    assert (first.folder / "vidlift.json").stat() == made
    other = PublishOptions(rungs=(32,))
    with pytest.raises(OutputError, match="--overwrite"):
        publish(clip, tmp_path, other)
    second = publish(clip, tmp_path, replace(other, overwrite=True))
    assert second.card["version"] != first.card["version"]
    # Who watches the old version may go on; the one before that is gone at the next change.
    assert (first.folder / first.card["version"]).is_dir()
    third = publish(clip, tmp_path, PublishOptions(rungs=(40,), overwrite=True))
    assert not (first.folder / first.card["version"]).is_dir()
    assert (first.folder / third.card["version"]).is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["clip-one"]


def test_a_folder_that_is_no_title_is_left_alone(published: Title, tmp_path: Path) -> None:
    (tmp_path / "clip-one").mkdir()
    (tmp_path / "clip-one" / "mine").write_text("mine")
    clip = published.folder.parent.parent / "Clip One.mp4"
    with pytest.raises(OutputError, match="something else"):
        publish(clip, tmp_path, replace(SMALL, overwrite=True))
    assert (tmp_path / "clip-one" / "mine").read_text() == "mine"


def test_a_video_that_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no film")
    with pytest.raises(InputError):
        publish(broken, tmp_path / "films" / "library", SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["broken.mp4"]


def test_a_video_that_is_cut_short_is_named(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", frames=48, options={"crf": "40"})
    content = clip.read_bytes()
    clip.write_bytes(content[: len(content) // 2])
    title = publish(clip, tmp_path / "library", SMALL)
    (warning,) = title.card["warnings"]
    assert warning.startswith("it ends at ")
    assert "lasts until 2.0" in warning


def test_damaged_sound_is_passed_over_in_the_whole_file(tmp_path: Path) -> None:
    """There is no --keep-going to be told of: what is damaged is named, and the rest is there."""
    clip = make_clip(tmp_path / "clip.ts", frames=48, sounds=1)
    content = bytearray(clip.read_bytes())
    for at in range(0, len(content), 188):
        pid = (content[at + 1] & 0x1F) << 8 | content[at + 2]
        if pid == 0x101 and at > len(content) * 3 // 4:
            content[at + 20 : at + 188] = bytes(168)
    clip.write_bytes(content)
    title = publish(clip, tmp_path / "library", SMALL)
    assert title.renditions[-1]["file"]
    assert [w for w in title.card["warnings"] if w.startswith("sound 1: ") and "decoded" in w]


def test_no_secret_of_a_url_is_told(tmp_path: Path) -> None:
    with (
        scripted(lambda asked: [part_of(b"no film", asked)]) as (base, _),
        pytest.raises(InputError) as caught,
    ):
        publish(f"{base}/film.mp4?token=hush", tmp_path, SMALL)
    assert "film.mp4" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_what_is_lost_of_ctrl_c_below_a_demuxer_comes_back(tmp_path: Path) -> None:
    content = make_clip(tmp_path / "clip.mkv").read_bytes()
    with scripted(lambda asked: [part_of(content, asked)]) as (base, _):
        opened = opened_file(f"{base}/film.mkv")
        file = opened.__enter__()
        assert isinstance(file, HttpFile)
        file.interrupted = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            opened.__exit__(None, None, None)
    assert file.closed


def test_segments_follow_one_another(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=30, rate=Fraction(3), width=96, height=64)
    title = publish(clip, tmp_path / "library", SMALL)
    with closing(FileSource(clip)) as source:
        times = [frame.pts for frame in source]
    for rendition in title.renditions:
        folder = (title.folder / rendition["playlist"]).parent
        data = (folder / "init.mp4").read_bytes()
        segments = sorted(folder.glob("*.m4s"))
        assert len(segments) == 3
        for segment in segments:
            data += segment.read_bytes()
            with closing(
                FileSource(BytesIO((folder / "init.mp4").read_bytes() + segment.read_bytes()))
            ) as alone:
                assert sum(1 for _ in alone) == (6 if segment is segments[-1] else 12)
                assert alone.lost == {}
        with closing(FileSource(BytesIO(data))) as source:
            assert [frame.pts for frame in source] == times
    master = m3u8.load(str(title.folder / "master.m3u8"))
    assert [p.stream_info.resolution for p in master.playlists] == [(48, 32), (72, 48)]
    assert master.playlists[0].stream_info.codecs == "avc1.64000a,mp4a.40.2"
    (sound,) = master.media
    listed = m3u8.load(str(title.folder / sound.uri))
    assert abs(sum(s.duration for s in listed.segments) - 10) < 0.05


def test_what_is_served_is_what_lies_there(published: Title, base: str) -> None:
    file = published.folder / published.renditions[-1]["file"]
    content = file.read_bytes()
    url = f"{base}/{published.path(published.renditions[-1]['file'])}"
    whole = httpx2.get(url)
    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["accept-ranges"] == "bytes"
    part = httpx2.get(url, headers={"range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, content[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{len(content)}"
    head = httpx2.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(content))
    beyond = httpx2.get(url, headers={"range": f"bytes={len(content)}-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(content)}"
    assert httpx2.get(f"{base}/nothing.mp4").status_code == 404
    assert httpx2.post(url).status_code == 405
    changed = httpx2.get(url, headers={"range": "bytes=5-9", "if-range": '"old"'})
    assert changed.status_code == 200


def test_a_file_on_the_server_is_read_as_one_on_the_disk(published: Title, base: str) -> None:
    file = published.renditions[-1]["file"]
    with closing(HttpFile(f"{base}/{published.path(file)}")) as remote:
        assert remote.read() == (published.folder / file).read_bytes()


def test_a_title_plays_from_the_server(published: Title, base: str) -> None:
    from vidlift.player.play import PlayOptions, play

    url = f"{base}/{published.path(published.renditions[-1]['file'])}"
    receipt = play(url, PlayOptions(model="bicubic-x2", display="none"))
    assert receipt.size_out == (144, 96)
    assert receipt.frames_out + sum(receipt.dropped.values()) == 12
    assert receipt.extra["bytes_received"] == int(httpx2.head(url).headers["content-length"])


def test_a_title_is_made_of_what_another_server_has(
    published: Title, base: str, tmp_path: Path
) -> None:
    file = published.path(published.renditions[-1]["file"])
    title = publish(f"{base}/{file}?of=a/b.mov", tmp_path, PublishOptions(rungs=(32,)))
    assert title.name == "48p"
    assert title.card["duration"] == published.card["duration"]
    with pytest.raises(InputError, match="playlist"):
        publish(f"{base}/{published.path('master.m3u8')}", tmp_path)
