"""Put exported models among those that are shipped.

    python scripts/pack_models.py FILE.onnx...

Packs each with its card into ``src/vidlift/models/``. One in 8 bits is packed without its weights,
so the network that it was made from comes before it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vidlift import models
from vidlift.errors import ModelError
from vidlift.evaluation import script
from vidlift.models import cards, packing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.onnx")
    for file in parser.parse_args().files:
        model, card = models.load(file), models.card(file)
        if card is None:
            raise ModelError(f"{file} has no card beside it")
        where = Path(models.__file__).with_name(f"{file.stem}{packing.PACKED}")
        packing.write(model.data, where)
        cards.save(card, where.with_name(f"{file.stem}.json"))
        sys.stdout.write(f"{where}: {where.stat().st_size} bytes\n")


if __name__ == "__main__":
    script.run(main)
