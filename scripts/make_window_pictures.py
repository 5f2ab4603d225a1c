"""Make the pictures of the player's window in ``docs/``: play the demo clip under Xvfb.

    python scripts/make_window_pictures.py

Needs the programs Xvfb, xdotool and import (ImageMagick). The clip is made small first, as the
cloud would; then keys are pressed in the real window and the screen is taken.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from vidlift.resample import quick_resize
from vidlift.sinks.file import EncoderOptions, FileSink
from vidlift.sources.file import FileSource

ROOT = Path(__file__).parents[1]
CLIP = ROOT / "src" / "vidlift" / "demo" / "big_buck_bunny.mp4"
VIDLIFT = (str(Path(sys.executable).with_name("vidlift")),)
SCREEN = (1280, 720)
SMALL = (480, 270)

PICTURES = {
    "window-split": (("mousemove", "640", "300"), ("key", "v")),
    "window-figures": (("key", "v"), ("mousemove", "200", "600"), ("key", "i")),
    "window-keys": (("key", "i"), ("key", "h")),
}
"""File in ``docs/``, and what is done with xdotool before it is taken."""


def main() -> None:
    with TemporaryDirectory() as folder, screen() as display:
        film = Path(folder) / "big_buck_bunny.mp4"
        make_small(film)
        player = subprocess.Popen(
            [*VIDLIFT, "play", str(film), "-s", "4", "--loop", "--display", "window"],
            env={**os.environ, "DISPLAY": display, "SDL_AUDIODRIVER": "dummy"},
        )
        try:
            time.sleep(15)  # the first time, the machine is measured
            for name, actions in PICTURES.items():
                for action in actions:
                    run("xdotool", *action, display=display)
                time.sleep(2)
                run(
                    "import", "-window", "root", str(ROOT / "docs" / f"{name}.png"), display=display
                )
            run("xdotool", "key", "q", display=display)
            player.wait(20)
        finally:
            player.kill()


def make_small(where: Path) -> None:
    """The clip at the size that is sent."""
    with closing(FileSource(CLIP)) as source:
        info = replace(source.info, width=SMALL[0], height=SMALL[1])
        sizes = [SMALL, *[(SMALL[0] // 2, SMALL[1] // 2)] * 2]
        with closing(FileSink(where, info, EncoderOptions(crf=20))) as sink:
            for frame in source:
                planes = tuple(
                    quick_resize(plane, size)
                    for plane, size in zip(frame.planes, sizes, strict=True)
                )
                sink.write(replace(frame, planes=planes))


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
