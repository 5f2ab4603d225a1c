"""What a title tells of itself: ``vidlift.json`` for our player, the HLS list for every other."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from pathlib import Path
from statistics import fmean
from typing import Any

from vidlift import __version__
from vidlift.cloud.boxes import codec_string
from vidlift.cloud.captions import Captions
from vidlift.cloud.gain import MEASURES, is_needless
from vidlift.cloud.journal import Journal
from vidlift.cloud.ladder import Rung, spelt_out
from vidlift.cloud.playlists import LIGHT, Alternative, Variant, master_playlist
from vidlift.cloud.sounds import SoundTrack
from vidlift.models import BICUBIC
from vidlift.video import VideoInfo


def make_card(
    *,
    name: str,
    journal: Journal,
    info: VideoInfo,
    renditions: list[dict[str, Any]],
    needless: list[str],
    sounds: list[SoundTrack],
    captions: list[Captions],
    models: dict[str, str],
    whole: Path | None,
    warnings: list[str],
) -> tuple[dict[str, Any], str]:
    """The card and the list of rungs.

    ``whole`` is the last of the renditions as a file; ``needless`` are the rungs that
    super-resolution makes so, be they among the renditions or left out.
    """
    version = journal.content.name
    if whole is not None:
        last = {"file": f"{version}/{whole.name}", "bytes": whole.stat().st_size}
        renditions = [*renditions[:-1], renditions[-1] | last]
    color = spelt_out(info)
    card = {
        "format": 2,
        "vidlift": __version__,
        "title": name,
        "version": version,
        "playlist": "master.m3u8",
        "poster": f"{version}/poster.jpg",
        "thumbnails": f"{version}/thumbnails.vtt",
        "duration": round(_seconds(journal), 6),
        "rate": str(info.rate) if info.rate else None,
        "source": {"width": info.width, "height": info.height, "bits": info.bits},
        "colour": {
            "matrix": color.matrix,
            "primaries": color.primaries,
            "transfer": color.transfer,
            "range": color.range.name.lower(),
            "siting": "left",
        },
        "models": models,
        "segments": [{"start": row.start, "end": row.end} for row in journal.rows],
        "renditions": renditions,
        "needless": needless,
        "sounds": [
            {"name": s.title, "language": s.language, "channels": s.channels, "bytes": s.bytes}
            for s in sounds
        ],
        "captions": [{"name": c.title, "language": c.language} for c in captions],
        "warnings": warnings,
    }
    return card, _master(journal, info, renditions, sounds, captions, version)


def _seconds(journal: Journal) -> float:
    return float(sum(row.seconds for row in journal.rows))


def rendition(journal: Journal, rung: Rung, codec: str) -> dict[str, Any]:
    """A finished rung as the card has it."""
    version = journal.content.name
    header = (journal.content / rung.name / "init.mp4").read_bytes()
    sizes = [row.sizes[rung.name] for row in journal.rows]
    sizes[0] += len(header)  # received with the first, and part of the mean
    rates = [8 * size / float(row.seconds) for size, row in zip(sizes, journal.rows, strict=True)]
    total = sum(sizes)
    found: dict[str, Any] = {
        "name": rung.name,
        "playlist": f"{version}/{rung.name}/index.m3u8",
        "width": rung.width,
        "height": rung.height,
        "codec": codec,
        "codecs": codec_string(header),
        "bytes": total,
        "bits_per_second": round(8 * total / _seconds(journal)),
        "peak_bits_per_second": round(max(rates)),
    }
    by_segment = [row.gain.get(rung.name, {}) for row in journal.rows]
    for measure in MEASURES:
        if figures := _figures(by_segment, measure):
            found[measure] = figures
    return found


def _figures(
    by_segment: list[Mapping[str, Mapping[str, float]]], measure: str
) -> dict[str, Any] | None:
    """One measure of a rung by way: of each segment, None where it is not known, and on average."""
    ways = dict.fromkeys(w for row in by_segment for w, by in row.items() if measure in by)
    segments = {way: [row.get(way, {}).get(measure) for row in by_segment] for way in ways}
    mean = {
        way: round(fmean(v for v in values if v is not None), 3) for way, values in segments.items()
    }
    return {"segments": segments, "mean": mean} if ways else None


def needless_rungs(renditions: list[dict[str, Any]]) -> list[str]:
    """Names of rungs that, as bicubic shows them, are no better than a smaller one as we do.

    The smaller one is none that is needless itself: all of them can be left out together.
    """
    found: list[str] = []
    best: list[float] = []
    for row in renditions:
        if "psnr_y" not in row:
            return []
        mean = row["psnr_y"]["mean"]
        plain = max(value for name, value in mean.items() if name.startswith(BICUBIC))
        if is_needless(plain, best):
            found.append(row["name"])
        else:
            best.append(max(mean.values()))
    return found


def _master(
    journal: Journal,
    info: VideoInfo,
    renditions: list[dict[str, Any]],
    sounds: list[SoundTrack],
    captions: list[Captions],
    version: str,
) -> str:
    seconds = _seconds(journal)
    sound_mean = max((8 * sound.bytes / seconds for sound in sounds), default=0)
    sound_peak = max(ceil(sound_mean), *(sound.peak for sound in sounds), 0)
    codecs = sorted({sound.codecs for sound in sounds})
    variants = [
        Variant(
            uri=r["playlist"],
            peak=r["peak_bits_per_second"] + sound_peak,
            average=round(r["bits_per_second"] + sound_mean),
            codecs=",".join([r["codecs"], *codecs]),
            width=r["width"],
            height=r["height"],
            rate=float(info.rate) if info.rate else None,
            light=LIGHT.get(spelt_out(info).transfer),
        )
        for r in renditions
    ]
    alternatives = [
        Alternative(
            kind="AUDIO",
            uri=f"{version}/{sound.name}/index.m3u8",
            name=sound.title,
            language=sound.language,
            default=sound.default,
            channels=sound.channels,
        )
        for sound in sounds
    ]
    alternatives += [
        Alternative(
            kind="SUBTITLES",
            uri=f"{version}/text-{number}/index.m3u8",
            name=caption.title,
            language=caption.language,
            default=False,
        )
        for number, caption in enumerate(captions)
    ]
    return master_playlist(variants, alternatives)
