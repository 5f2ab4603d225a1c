"""What may stand for a film on the command line, and what is said of anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from support.cli import vidlift
from support.clips import make_clip


@pytest.mark.parametrize("command", ["play", "probe", "upscale"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("http://", "names no server"),
        ("https:///film.mp4", "names no server"),
        ("http://[::1", "Invalid IPv6"),
        ("http://host:notaport/film.mp4", "notaport"),
        ("http://host:99999/film.m3u8", "Port out of range"),
        ("http://a b/film.mp4", "is not a URL"),
        ("http://999.0.0.1/film.mp4", "Invalid IPv4"),
        ("http://a..b/film.m3u8", "is not a URL"),
        ("file:///film.mp4", "without file://"),
        ("ftp://me:hush@host/film.mp4?hush", "only http:// and https://"),
        ("rtsp://host/film", "only http:// and https://"),
    ],
)
def test_what_is_no_url_is_wrong_use(command: str, name: str, said: str, tmp_path: Path) -> None:
    more = {"play": ("--display", "none"), "upscale": (tmp_path / "out.mp4", "-m", "bicubic-x2")}
    ended = vidlift(command, name, *more.get(command, ()))
    assert ended.code == 2, ended.err
    assert said in ended.complaint
    assert "hush" not in ended.err


def test_a_file_may_be_called_like_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ftp:").mkdir()
    make_clip(tmp_path / "ftp:" / "film.mp4")
    assert vidlift("probe", "ftp://film.mp4").code == 0


def test_music_with_a_cover_has_no_video(tmp_path: Path) -> None:
    clip, music = make_clip(tmp_path / "clip.mp4"), tmp_path / "music.mp4"
    with av.open(str(clip)) as entry, av.open(str(music), "w") as out:
        cover: Any = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        track: Any = out.add_stream_from_template(entry.streams.audio[0])
        out.mux(cover.encode(av.VideoFrame(64, 48, "yuvj420p")))
        for packet in entry.demux(audio=0):
            if packet.size:
                packet.stream = track
                out.mux(packet)
    ended = vidlift("play", music, "--display", "none")
    assert ended.code == 3
    assert "music.mp4 holds no video stream, only audio and a cover picture" in ended.complaint
