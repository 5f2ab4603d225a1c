"""What do streams gain with the network that `auto` chooses for them?

    python benchmarks/chosen.py --data ../shared/data/test

Sends Vid4 at x4 through x264 as the protocol has it, lets ``models/auto.py`` choose by what
arrives, and looks the gain of what it chose up in ``results/quality.json``: run ``quality.py`` on
these streams first. Writes ``results/chosen.md``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from vidlift.descriptor import TIERS
from vidlift.evaluation import clips, report, script, sets, streams, tables
from vidlift.models import auto
from vidlift.sources.file import FileSource
from vidlift.sources.survey import survey

RESULTS = Path(__file__).parent / "results"
SCALE = 4
SET = "vid4"
STREAMS = ("h264-23", "h264-28", "h264-35")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of test sets")
    options = parser.parse_args()
    found = report.load(RESULTS / "quality.json")
    gains = {
        (each.name, stream, clip): score.psnr
        for each in found
        if each.scale == SCALE
        for stream, result in each.clips.get(SET, {}).items()
        for clip, score in result.clips.items()
    }
    rows = []
    for tier in TIERS:
        row = [tier]
        for stream in STREAMS:
            gained = []
            for clip, arrived in _arrivals(options.data, stream):
                name = auto.choose(arrived, scale=SCALE, tier=tier).name
                gain = gains[name, stream, clip] - gains[report.BICUBIC, stream, clip]
                gained.append((gain, name))
            chosen = sorted({name for _, name in gained})
            mean = statistics.fmean(gain for gain, _ in gained)
            least = min(gain for gain, _ in gained)
            row += [f"{mean:+.2f}", f"{least:+.2f}", ", ".join(chosen)]
        rows.append(row)
    titles = ["tier"]
    for stream in STREAMS:
        titles += [stream, "least of a clip", "by"]
    page = (
        "# What `auto` chooses\n\nVid4 at ×4, PSNR-Y over bicubic, dB, with the network of each "
        f"tier that `auto` chooses for each clip.\n\n{tables.table(titles, rows)}"
    )
    (RESULTS / "chosen.md").write_text(page)
    sys.stdout.write(page)


def _arrivals(data: Path, name: str) -> Iterator[tuple[str, auto.Stream]]:
    """What is known of each clip where it arrives."""
    encoder = streams.parse(name).encoder
    assert encoder is not None
    for where in sets.find(data, [SET])[0].clips:
        clip = clips.load(where, SCALE, streams.parse(streams.CLEAN))
        with closing(FileSource(where)) as source:
            first = clip.low[0]
            info = replace(source.info, width=first.width, height=first.height)
        with streams.sent(clip.low, info, encoder) as sent, closing(FileSource(sent)) as source:
            surveyed, arrived = survey(sent, name=name), source.info
        bits = 8 * surveyed.bytes / (surveyed.pictures * info.width * info.height)
        yield (
            clip.name,
            auto.Stream(codec=arrived.codec, bits_per_pixel=bits, quantizer=arrived.quantizer),
        )


if __name__ == "__main__":
    script.run(main)
