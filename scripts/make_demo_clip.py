"""Make the clip that `vidlift demo` plays: repack the shared Big Buck Bunny excerpt as MP4.

    python scripts/make_demo_clip.py ../shared/data/real/bbb_1080p24_hevc_aac51.ts

Picture and sound are copied as they are; only times are moved to begin at zero.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import av

TARGET = Path(__file__).parents[1] / "src" / "vidlift" / "demo" / "big_buck_bunny.mp4"


def repack(source: Path, target: Path) -> None:
    with av.open(str(source)) as entry, av.open(str(target), "w") as out:
        video, sound = entry.streams.video[0], entry.streams.audio[0]
        twins: dict[int, Any] = {s.index: out.add_stream_from_template(s) for s in (video, sound)}
        twins[video.index].codec_context.codec_tag = "hvc1"  # what Apple's players ask for
        start = video.start_time
        assert start is not None
        assert video.time_base is not None
        for packet in entry.demux(video, sound):
            if packet.dts is not None and packet.pts is not None:
                packet.pts -= round(start * video.time_base / packet.time_base)
                packet.dts -= round(start * video.time_base / packet.time_base)
                packet.stream = twins[packet.stream_index]
                out.mux(packet)


if __name__ == "__main__":
    repack(Path(sys.argv[1]), TARGET)
