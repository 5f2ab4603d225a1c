"""How far does mixed precision move the picture of each shipped network?

    python benchmarks/mixed.py PICTURES [NAMES...]

Runs networks in float32, or in 8 bits, and in ``openvino-mixed`` on the held-out pictures of a
folder of training pictures and writes ``figures.mixed`` into their cards: the largest difference of
a sample, how many differ by more than 1, the share that differs, and the dB lost. That is for
photographs, which recipes learn from; ``drawn`` has the same for drawings, text and screens, whose
edges are harder than those of any photograph. The player runs a network in mixed precision only
where the largest on photographs is 1. Needs a CPU that computes in bfloat16; anything else may run
meanwhile. Nothing but the figures of a card is changed.
"""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidlift import metrics, models
from vidlift.evaluation import script
from vidlift.models import Model, cards
from vidlift.rgb import rgb_of
from vidlift.training import pictures
from vidlift.training.pictures import Picture
from vidlift.upscaler import Upscaler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, help="a folder of training pictures")
    parser.add_argument("names", nargs="*", help="networks; all that are shipped")
    options = parser.parse_args()
    for name in options.names or models.names():
        model = models.load(name)
        found = moved(model, held_out(options.pictures, drawn=False))
        found["drawn"] = moved(model, held_out(options.pictures, drawn=True))
        where = models.path(name).with_name(f"{name}.json")
        card = models.card(name) or {}
        cards.save({**card, "figures": {**card.get("figures", {}), "mixed": found}}, where)
        for kind, each in (("photographs", found), ("drawn", found["drawn"])):
            sys.stdout.write(
                f"{name}, {kind}: largest {each['largest']}, {each['over_1']} samples by more "
                f"than 1, {each['differ']:.2%} differ, {each['psnr']:+.4f} dB\n"
            )
        sys.stdout.flush()


def moved(model: Model, highs: dict[str, NDArray[np.uint8]]) -> dict[str, Any]:
    """``figures.mixed`` of a card: what bfloat16 between the ends does to pictures."""
    scale = model.descriptor.scale
    small = [pictures.degraded(h, source=name, scale=scale) for name, h in highs.items()]
    exact = _made(model, small, engine="openvino")
    mixed = _made(model, small, engine="openvino-mixed")
    wrong = [np.abs(a.astype(int) - b) for a, b in zip(exact, mixed, strict=True)]
    lost = [
        metrics.psnr(a, each.high, border=scale) - metrics.psnr(b, each.high, border=scale)
        for a, b, each in zip(exact, mixed, small, strict=True)
    ]
    samples = sum(each.size for each in wrong)
    return {
        "largest": max(int(each.max()) for each in wrong),
        "over_1": sum(int((each > 1).sum()) for each in wrong),
        "differ": round(sum(int((each > 0).sum()) for each in wrong) / samples, 5),
        "psnr": round(float(np.mean(lost)), 5),
        "pictures": len(small),
    }


def _made(model: Model, small: list[Picture], *, engine: str) -> list[NDArray[np.uint8]]:
    """What a network makes of the small pictures, on one plan for all sizes."""
    largest = np.max([each.low.shape for each in small], axis=0)
    with Upscaler(model, engine=engine) as upscaler:
        upscaler.luma(np.zeros((1, *(largest + 1)), np.uint8))
        return [upscaler.luma(each.low[None])[0] for each in small]


@cache
def held_out(folder: Path, *, drawn: bool) -> dict[str, NDArray[np.uint8]]:
    """Luma of every picture of the validation split, by name: photographs, or what is drawn."""
    found = {}
    for where in pictures.picture_files([folder]):
        of_kind = drawn == any(fnmatch(where.name, each) for each in pictures.DRAWN)
        if of_kind and pictures.is_held_out(pictures.source_of(where)):
            with Image.open(where) as image:
                found[where.name] = pictures.luma(np.asarray(rgb_of(image)))
    return found


if __name__ == "__main__":
    script.run(main)
