"""Super-resolve a picture: the Python API in ten lines.

python examples/upscale_picture.py small.png big.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from vidlift import Upscaler


def main(source: Path, target: Path) -> None:
    with Image.open(source) as picture:
        rgb = np.asarray(picture.convert("RGB"))
    with Upscaler("m-x4") as upscaler:
        big = upscaler.picture(rgb)  # uint8 [H, W, 3] -> [4*H, 4*W, 3]
    Image.fromarray(big).save(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
