"""Another player than ours: hls.js in Chromium plays a published title, sound included."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from threading import Event

import pytest

from support.clips import join_tracks, make_clip
from support.servers import Asked, answer, scripted
from support.shared import ROOT, require
from vidlift.cloud.publish import PublishOptions, publish
from vidlift.cloud.serve import serving

BROWSER = ROOT / "tests" / "browser"
HLS = BROWSER / "node_modules" / "hls.js" / "dist" / "hls.min.js"

PATIENCE = 90
"""Seconds until a browser that tells nothing has failed."""


@pytest.mark.skipif(not HLS.is_file(), reason="no hls.js: npm ci --prefix tests/browser")
def test_a_title_plays_in_hls_js_with_sound(tmp_path: Path) -> None:
    require("chromium")
    clip = make_clip(tmp_path / "clip.mp4", frames=144, width=128, height=96, sounds=2)
    (tmp_path / "text.srt").write_text("1\n00:00:01,000 --> 00:00:05,000\nHello\n")
    film = join_tracks(
        tmp_path / "film.mkv",
        [
            (clip, 0, {}),
            (clip, 1, {"language": "eng"}),
            (clip, 2, {"language": "fre"}),
            (tmp_path / "text.srt", 0, {"language": "ger"}),
        ],
    )
    title = publish(film, tmp_path / "library", PublishOptions(rungs=(48, 64), whole_file=False))
    told: dict[str, object] = {}
    heard = Event()

    def page(asked: Asked) -> Iterable[bytes]:
        path = asked.path.partition("?")[0]
        if path == "/told":
            told.update(json.loads(asked.body))
            heard.set()
            return [answer("204 No Content")]
        files = {
            "/play.html": (BROWSER / "play.html", "text/html"),
            "/hls.min.js": (HLS, "text/javascript"),
        }
        if path not in files:
            return [answer("404 Not Found")]
        file, kind = files[path]
        return [answer(body=file.read_bytes(), content_type=kind)]

    with serving(tmp_path / "library") as base, scripted(page) as (site, _):
        address = f"{site}/play.html?list={base}/{title.path('master.m3u8')}"
        browser = subprocess.Popen(
            [
                "chromium",
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--autoplay-policy=no-user-gesture-required",
                f"--user-data-dir={tmp_path / 'profile'}",
                address,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert heard.wait(PATIENCE), "the browser tells nothing"
        finally:
            browser.terminate()
            browser.wait(20)
    assert told["how"] == "ended", told
    assert told["errors"] == [], told
    assert told["levels"] == [48, 64]
    assert told["sounds"] == ["eng", "fre"]
    assert told["texts"] == ["ger"]
    assert told["cues"] == [[1, 5, "Hello"]]
    assert told["sought"] is True
    assert told["width"] in (64, 86)
    duration, time = told["duration"], told["time"]
    assert isinstance(duration, float)
    assert isinstance(time, float | int)
    assert abs(duration - 6) < 0.1
    assert duration - time < 0.2
    frames, sound = told["frames"], told["sound"]
    assert isinstance(frames, int)
    assert isinstance(sound, int)
    assert frames > 24
    assert sound > 10_000
