"""Upscaling what is received: looked at first, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import pytest

from support.cli import vidlift
from support.clips import make_clip
from support.films import FRAMES, faulty, publish_film
from support.networks import plain_network
from support.servers import Asked, answer, part_of, scripted
from vidlift.cloud.library import Title
from vidlift.cloud.serve import serving


@pytest.fixture(scope="module")
def title(tmp_path_factory: pytest.TempPathFactory) -> Title:
    return publish_film(tmp_path_factory.mktemp("received"))


def test_a_playlist_is_upscaled_as_a_file_is(title: Title, tmp_path: Path) -> None:
    network = tmp_path / "s-x2.onnx"
    network.write_bytes(plain_network(scale=2, channels=2, layers=1).data)
    kept, big = tmp_path / "kept.mp4", tmp_path / "big.mp4"
    with serving(title.folder.parent) as base:
        url = f"{base}/{title.path('master.m3u8')}"
        asked: list[str | Path] = ["upscale", url, big, "-m", network, "--no-progress"]
        assert vidlift(*asked).code == 0
        assert vidlift("verify", url, big).code == 0, "received again it is the same, bit for bit"
        big.unlink()
        assert vidlift(*asked, "--save", kept).code == 0
        assert vidlift("verify", kept, big).code == 0
        assert vidlift(*asked, "--save", kept, "--overwrite").code == 0, "it is there: go on"
    with av.open(str(big)) as entry:
        assert (entry.streams.video[0].width, entry.streams.video[0].frames) == (128, FRAMES)


def test_a_file_for_upscale_is_looked_at_before_it_is_received(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=200, width=320, height=240)
    content = clip.read_bytes()
    with scripted(lambda asked: [part_of(content, asked)]) as (url, _):
        ended = vidlift("upscale", url, tmp_path / "big.mp4", "--save", tmp_path / "kept.webm")
    assert ended.code == 2
    assert "no place for h264" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize("away", ["48p/00001.m4s", "sound-0/00001.m4s"])
def test_a_film_that_does_not_come_whole_is_not_upscaled(
    title: Title, tmp_path: Path, away: str
) -> None:
    """As if it were another film, a piece shorter."""

    def fault(asked: Asked, _: bytes) -> bytes | None:
        gone = asked.path.endswith((away, away.replace("48p", "32p")))
        return answer("404 Not Found") if gone else None

    with scripted(faulty(title, fault)) as (url, _):
        ended = vidlift("upscale", f"{url}/master.m3u8", tmp_path / "big.mp4", "--no-progress")
    assert ended.code == 5
    assert "did not come whole: 1 x a segment could not be received" in ended.complaint
    assert not list(tmp_path.iterdir())


def test_a_file_that_breaks_off_is_not_upscaled(tmp_path: Path) -> None:
    content = make_clip(tmp_path / "clip.mkv", frames=200, width=320, height=240).read_bytes()

    def half(asked: Asked) -> Iterable[bytes]:
        whole = part_of(content, asked, etag='"a"')
        return [whole[: len(whole) // 2] if asked.number == 0 else answer("404 Not Found")]

    with scripted(half) as (url, _):
        target = tmp_path / "kept.mkv"
        ended = vidlift("upscale", url, tmp_path / "big.mkv", "--save", target, "--no-progress")
    assert ended.code == 5
    assert "404" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mkv"]
