"""Publish, serve, receive, play: the whole way on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from support.clips import make_clip
from vidlift.client.fetch import HttpFile
from vidlift.cloud.library import Title, titles
from vidlift.cloud.publish import PublishOptions, publish
from vidlift.cloud.serve import serving
from vidlift.errors import InputError, OutputError
from vidlift.sources.file import FileSource

SMALL = PublishOptions(rungs=(32,))


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
    (rendition,) = published.renditions
    with closing(FileSource(published.folder / rendition["file"])) as small:
        assert (small.info.width, small.info.height) == (48, 32)
        assert small.info.color.matrix == 6
        times = [frame.pts for frame in small]
    with closing(FileSource(published.folder.parent.parent / "Clip One.mp4")) as whole:
        assert times == [frame.pts for frame in whole]
    assert [title.name for title in titles(published.folder.parent)] == ["clip-one"]
    assert [path.name for path in published.folder.parent.iterdir()] == ["clip-one"]


def test_publishing_twice_is_refused_or_replaces(published: Title, tmp_path: Path) -> None:
    clip = published.folder.parent.parent / "Clip One.mp4"
    publish(clip, tmp_path, SMALL)
    with pytest.raises(OutputError, match="--overwrite"):
        publish(clip, tmp_path, SMALL)
    publish(clip, tmp_path, PublishOptions(rungs=(32,), overwrite=True))
    assert [path.name for path in tmp_path.iterdir()] == ["clip-one"]


def test_a_video_that_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no film")
    with pytest.raises(InputError):
        publish(broken, tmp_path / "library", SMALL)
    assert list((tmp_path / "library").iterdir()) == []


def test_what_is_served_is_what_lies_there(published: Title, base: str) -> None:
    file = published.folder / published.renditions[0]["file"]
    content = file.read_bytes()
    url = f"{base}/{published.path(file.name)}"
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
    file = published.renditions[0]["file"]
    with closing(HttpFile(f"{base}/{published.path(file)}")) as remote:
        assert remote.read() == (published.folder / file).read_bytes()


def test_a_title_plays_from_the_server(published: Title, base: str) -> None:
    from vidlift.player.play import PlayOptions, play

    url = f"{base}/{published.path(published.renditions[0]['file'])}"
    receipt = play(url, PlayOptions(model="bicubic-x2", display="none"))
    assert receipt.size_out == (96, 64)
    assert receipt.frames_out + sum(receipt.dropped.values()) == 12
    assert receipt.extra["bytes_received"] == int(httpx2.head(url).headers["content-length"])
