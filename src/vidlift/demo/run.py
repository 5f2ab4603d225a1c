"""The main job from one end to the other, with the parts that everything else uses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vidlift import models
from vidlift.client.hls import HlsFilm
from vidlift.cloud.publish import PublishOptions, publish
from vidlift.cloud.serve import serving
from vidlift.demo.side_by_side import Panel, save_side_by_side
from vidlift.errors import OutputError
from vidlift.frame import Frame
from vidlift.jobs.upscale import UpscaleOptions, upscale_file
from vidlift.player.play import PlayOptions, play
from vidlift.receipt import Receipt
from vidlift.rgb import to_rgb
from vidlift.sources import open_entry
from vidlift.sources.file import FileSource
from vidlift.sources.keep import receive
from vidlift.stages.pair import pair
from vidlift.stages.upscale import upscale
from vidlift.upscaler import Upscaler

CLIP = Path(__file__).with_name("big_buck_bunny.mp4")

MODEL = "m-x4"
"""What the file is made by, and compared."""

SHOWN = 100
"""Number of the frame whose detail is put side by side, or the last one of a shorter clip."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """PSNR-Y against the original over the whole clip, in dB."""

    bicubic: float
    vidlift: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What a demo left behind."""

    receipt: Receipt
    """Of the playback, with the quality in it."""

    quality: Quality
    sent: int
    """Bytes of what was sent, lists and sound included; the original has ``original``."""

    original: int
    received: Path
    video: Path
    picture: Path
    report: Path


def run_demo(
    folder: Path, *, display: str, clip: Path = CLIP, say: Say = lambda _line: None
) -> Demo:
    """Run the main job on a clip, the bundled one unless said, and leave its results in ``folder``.

    ``say`` is told what happens next. Raises the errors of ``vidlift.errors``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {error.strerror}") from error
    with closing(FileSource(clip)) as source:
        lines = source.info.height // models.describe(MODEL).scale
    rungs = (lines * 2 // 3 // 2 * 2, lines)
    say(f"publishing {clip.name} at {' and '.join(map(str, rungs))} lines")
    library = folder / "library"
    options = PublishOptions(
        rungs=rungs, tiers=(models.describe(MODEL).tier,), whole_file=False, overwrite=True
    )
    title = publish(clip, library, options)
    with serving(library) as base:
        url = f"{base}/{title.path('master.m3u8')}"
        say(f"serving {url}")
        say("playing it, with what this machine has time for")
        receipt = play(url, PlayOptions(display=display, cached=False))
        say("receiving it as a file")
        received = folder / "received.mp4"
        sent = _receive(url, received)
        say("comparing with the original")
        quality = _compare(clip, received, folder / "side-by-side.png")
        say("writing the super-resolved file")
        video = folder / f"{clip.stem}-vidlift.mp4"
        upscale_file(received, video, UpscaleOptions(model=MODEL, overwrite=True))
    receipt = replace(
        receipt,
        command="demo",
        output=str(video),
        extra={
            **receipt.extra,
            "psnr_y": {"bicubic": quality.bicubic, "vidlift": quality.vidlift},
            "bytes_sent": sent,
            "bytes_original": clip.stat().st_size,
        },
    )
    report = folder / "receipt.json"
    receipt.save(report)
    return Demo(
        receipt=receipt,
        quality=quality,
        sent=sent,
        original=clip.stat().st_size,
        received=received,
        video=video,
        picture=folder / "side-by-side.png",
        report=report,
    )


def _receive(url: str, target: Path) -> int:
    """Have the film as a file, in its best rung; returns the bytes that came for it."""
    target.unlink(missing_ok=True)
    entry = open_entry(url, cached=False)
    assert isinstance(entry, HlsFilm)
    with closing(entry):
        receive(entry, target)
        return entry.received


def _compare(clip: Path, received: Path, picture: Path) -> Quality:
    """Measure both ways of showing what is received, and draw a detail of one frame."""
    error = np.zeros(2)
    frames = 0
    shown: tuple[Frame, ...] = ()
    with ExitStack() as stack:
        original = stack.enter_context(closing(FileSource(clip)))
        plain = models.kernel(scale=models.describe(MODEL).scale)
        ways = [_big(received, model, stack) for model in (plain, models.load(MODEL))]
        for group in zip(original, *ways, strict=True):
            wanted, *came = group
            error += [_squared_error(frame, wanted) for frame in came]
            shown = group if frames <= SHOWN else shown
            frames += 1
        _draw(picture, *shown)
    bicubic, vidlift = (round(10 * math.log10(255**2 * frames / e), 2) for e in error)
    return Quality(bicubic=bicubic, vidlift=vidlift)


def _big(received: Path, model: models.Model, stack: ExitStack) -> Iterator[Frame]:
    """The frames of a file, made bigger by that model."""
    source = stack.enter_context(closing(FileSource(received)))
    upscaler = stack.enter_context(Upscaler(model, siting=source.info.siting))
    return upscale(pair(source), upscaler=upscaler)


def _squared_error(a: Frame, b: Frame) -> float:
    difference = a.luma.astype(np.float32) - b.luma
    return float(np.mean(np.square(difference), dtype=np.float64))


def _draw(picture: Path, original: Frame, bicubic: Frame, vidlift: Frame) -> None:
    named = {"bicubic": bicubic, "Vidlift": vidlift, "original": original}
    panels = [
        Panel(title=title, rgb=to_rgb(frame, source_height=original.height))
        for title, frame in named.items()
    ]
    save_side_by_side(picture, panels, like=original.luma)
