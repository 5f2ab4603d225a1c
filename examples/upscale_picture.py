"""Super-resolve a picture: the Python API in ten lines.

python examples/upscale_picture.py INPUT OUTPUT
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from vidlift import Upscaler
from vidlift.rgb import rgb_of


def main(source: Path, target: Path) -> None:
    with Image.open(source) as picture:
        rgb = np.asarray(rgb_of(picture))
    with Upscaler(scale=4) as upscaler:
        big = upscaler.picture(rgb)  # uint8 [H, W, 3] -> [4*H, 4*W, 3]
    Image.fromarray(big).save(target)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [source, target]:
            main(Path(source), Path(target))
        case _:
            sys.stderr.write("usage: python examples/upscale_picture.py INPUT OUTPUT\n")
            sys.exit(2)
