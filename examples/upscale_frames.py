"""Super-resolve the frames of a video in Python, without writing a file.

    python examples/upscale_frames.py INPUT [FRAMES]

Prints the time and the size of each of the first frames.
"""

from __future__ import annotations

import sys
from contextlib import closing
from itertools import islice

from vidlift import Upscaler
from vidlift.sources.file import FileSource
from vidlift.stages.pair import pair
from vidlift.stages.upscale import upscale


def main(where: str, frames: int = 8) -> None:
    with (
        closing(FileSource(where)) as source,
        Upscaler("m-x2", siting=source.info.siting) as upscaler,
    ):
        big = upscale(pair(source), upscaler=upscaler)
        for frame in islice(big, frames):
            sys.stdout.write(f"{float(frame.pts):8.3f} s  {frame.width}x{frame.height}\n")
        for reason, count in source.lost.items():
            sys.stderr.write(f"{count} x {reason}\n")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [where]:
            main(where)
        case [where, frames] if frames.isdecimal():
            main(where, int(frames))
        case _:
            sys.stderr.write("usage: python examples/upscale_frames.py INPUT [FRAMES]\n")
            sys.exit(2)
