"""Make the pictures of the player's window in ``docs/``: play the demo clip under Xvfb.

    python scripts/make_window_pictures.py

Needs the programs Xvfb and xdotool. The clip is made small first, as the cloud would, and is given
subtitles; then keys are pressed in the real window. The film is paused while a picture is taken:
it is taken once nothing changes any more, however slow the machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
from PIL import Image, ImageGrab

from vidlift.resample import quick_resize
from vidlift.sinks.file import EncoderOptions, FileSink
from vidlift.sources.file import FileSource

ROOT = Path(__file__).parents[1]
CLIP = ROOT / "src" / "vidlift" / "demo" / "big_buck_bunny.mp4"
VIDLIFT = (str(Path(sys.executable).with_name("vidlift")),)
SCREEN = (1280, 720)
SMALL = (480, 270)
WORDS = "1\n00:00:00,000 --> 00:01:00,000\nSend a small video, watch a big one.\n"

Actions = tuple[tuple[str, ...], ...]

BEGIN: Actions = (("key", "space"), ("key", "t"))
"""What is done with xdotool first: a pause, and no subtitles."""

PICTURES: dict[str, Actions] = {
    "window-split": (("key", "v"), ("mousemove", "1035", "560"), ("key", "End")),
    "window-keys": (("key", "v"), ("key", "h")),
    "window-figures": (
        *(("key", "h"), ("key", "t"), ("key", "i")),
        *(("key", "space"), ("sleep", "4.5"), ("key", "space")),
    ),
}
"""File in ``docs/``, and what is done before it is taken: each begins where the last one ended."""

STILL = 4
"""Looks, a second apart, at which nothing may have changed: the bar goes after 2.5 seconds."""

PATIENCE = 180
"""Seconds to wait for the window, and for it to stand still."""


def main() -> None:
    with TemporaryDirectory() as folder, screen() as display:
        film = Path(folder) / "big_buck_bunny.mkv"
        make_small(film)
        player = subprocess.Popen(
            [*VIDLIFT, "play", str(film), "-s", "4", "-m", "m-x4", "--loop", "--display", "window"],
            env={**os.environ, "DISPLAY": display, "SDL_AUDIODRIVER": "dummy"},
        )
        try:
            once_seen(display)
            for action in BEGIN:
                run("xdotool", *action, display=display)
            for name, actions in PICTURES.items():
                for action in actions:
                    run("xdotool", *action, display=display)
                save(once_still(display), ROOT / "docs" / f"{name}.png")
            run("xdotool", "key", "q", display=display)
            player.wait(60)
        finally:
            player.kill()


def once_seen(display: str) -> None:
    """Wait until there is something to see, and so a window that takes keys."""
    until = time.monotonic() + PATIENCE
    while not any(ImageGrab.grab(xdisplay=display).convert("L").getextrema()):
        if time.monotonic() > until:
            raise SystemExit(f"there is no window after {PATIENCE} s")
        time.sleep(1)


def once_still(display: str) -> Image.Image:
    """The screen, as soon as it has not changed for a while."""
    last, same = ImageGrab.grab(xdisplay=display), 0
    until = time.monotonic() + PATIENCE
    while same < STILL:
        if time.monotonic() > until:
            raise SystemExit(f"the window still changes after {PATIENCE} s")
        time.sleep(1)
        now = ImageGrab.grab(xdisplay=display)
        same = same + 1 if now.tobytes() == last.tobytes() else 0
        last = now
    return last


def save(picture: Image.Image, where: Path) -> None:
    """With 256 colours: a third of the bytes."""
    picture.quantize(256, dither=Image.Dither.NONE).save(where, optimize=True)


def make_small(where: Path) -> None:
    """The clip at the size that is sent."""
    with closing(FileSource(CLIP)) as source:
        info = replace(source.info, width=SMALL[0], height=SMALL[1])
        sizes = [SMALL, *[(SMALL[0] // 2, SMALL[1] // 2)] * 2]
        silent = where.with_suffix(".mp4")
        with closing(FileSink(silent, info, EncoderOptions(crf=20))) as sink:
            for frame in source:
                planes = tuple(
                    quick_resize(plane, size)
                    for plane, size in zip(frame.planes, sizes, strict=True)
                )
                sink.write(replace(frame, planes=planes))
    words = where.with_suffix(".srt")
    words.write_text(WORDS)
    join(silent, words, where)


def join(pictures: Path, words: Path, where: Path) -> None:
    """Put a video and its subtitles into one file that asks for them to be shown."""
    with (
        av.open(str(pictures)) as film,
        av.open(str(words)) as text,
        av.open(str(where), "w") as out,
    ):
        twins = {
            id(stream): out.add_stream_from_template(stream)
            for stream in (*film.streams.video, *text.streams.subtitles)
        }
        twins[id(text.streams.subtitles[0])].disposition = av.stream.Disposition.default
        packets = [p for each in (film, text) for p in each.demux() if p.dts is not None]
        for packet in sorted(packets, key=lambda p: Fraction(p.dts or 0) * p.time_base):
            packet.stream = twins[id(packet.stream)]
            out.mux(packet)


@contextmanager
def screen() -> Iterator[str]:
    """A screen that nobody sees; gives its name."""
    display = ":97"
    size = f"{SCREEN[0]}x{SCREEN[1]}x24"
    server = subprocess.Popen(
        ["Xvfb", display, "-screen", "0", size, "-noreset"], stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(1)
        yield display
    finally:
        server.terminate()
        server.wait()


def run(*command: str, display: str) -> None:
    subprocess.run(command, check=True, env={**os.environ, "DISPLAY": display})


if __name__ == "__main__":
    main()
