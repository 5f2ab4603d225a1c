"""Play a film: everything from its bytes to the screen, and the receipt of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from vidlift import models
from vidlift.descriptor import SCALES
from vidlift.errors import OutputError, UsageError
from vidlift.frame import Frame
from vidlift.pipeline import Meter
from vidlift.player.loop import Loop
from vidlift.player.schedule import Governor, Tally, enlarge
from vidlift.player.sound import Feeder
from vidlift.receipt import Receipt, peak_memory_mb, stage_times
from vidlift.sinks.screen import shown_size, turn
from vidlift.sinks.window import Speaker, Window
from vidlift.sources import is_url, open_bytes
from vidlift.sources.split import Split
from vidlift.stages.ahead import ahead
from vidlift.stages.pair import pair
from vidlift.upscaler import Upscaler
from vidlift.video import VideoInfo

DISPLAYS = ("window", "none")

NO_SCREEN = (1920, 1080)
"""The screen that ``-s auto`` fits where there is none."""

FRAMES_AHEAD = 4
"""Finished frames that wait for their time: what a burst of work may take longer."""

CHUNKS_AHEAD = 16
"""Decoded chunks of sound that wait beside the half second the loudspeaker holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOptions:
    scale: int | None = None
    """2, 3 or 4; None: that of the model, or what fits the screen."""

    model: str | None = None
    """A name of the catalogue or an ``.onnx`` file; None: tier ``m`` of the scale."""

    super_resolve: bool = True
    """Begin with super-resolution, or with bicubic interpolation."""

    duration: float | None = None
    """Seconds to play; None: all."""

    display: str = "none"
    """``window``, or ``none``: SDL's dummy drivers, which take pictures and sound as real ones."""

    engine: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and self.scale not in SCALES:
            raise UsageError(f"scale {self.scale}: there are networks for 2, 3 and 4")
        if self.display not in DISPLAYS:
            raise UsageError(f"display {self.display!r} is none of {', '.join(DISPLAYS)}")
        if self.duration is not None and self.duration <= 0:
            raise UsageError(f"a duration is more than 0 seconds, got {self.duration}")


def play(where: str, options: PlayOptions | None = None) -> Receipt:
    """Play a file or an http(s) URL with its sound; call it from the main thread.

    Ends with the film, its ``duration``, or when the viewer quits. Raises the errors of
    ``vidlift.errors``.
    """
    options = options or PlayOptions()
    dummy = options.display == "none"
    name = shown_name(where)
    with ExitStack() as stack:
        entry = open_bytes(where)
        if not isinstance(entry, Path):
            stack.enter_context(closing(entry))
        split = stack.enter_context(closing(Split(entry, name=name)))
        info = split.pictures.info
        window = stack.enter_context(
            closing(
                Window(
                    f"{Path(name).name} – Vidlift",
                    source_height=info.height,
                    display_matrix=info.display_matrix,
                    dummy=dummy,
                )
            )
        )
        model = _model(options, info, NO_SCREEN if dummy else window.screen_size)
        upscaler, plain = _upscalers(model, options, info, stack)
        warnings: list[str] = []
        sound = _open_sound(split, stack, dummy=dummy, warnings=warnings)

        tally, meter = Tally(), Meter()
        loop = Loop(window, sound=sound, tally=tally, meter=meter)
        governor = Governor(lambda: loop.time, enough=_enough(info), on=options.super_resolve)
        pictures = until(meter.watch("decode", split.pictures), options.duration)
        big = enlarge(
            pair(pictures),
            upscaler=upscaler,
            plain=plain,
            governor=governor,
            tally=tally,
            meter=meter,
        )
        frames = stack.enter_context(closing(ahead(big, depth=FRAMES_AHEAD)))
        stack.callback(split.stop)  # before the threads are waited for

        start = time.perf_counter()
        loop.run(frames, governor=governor, stop=options.duration)
        seconds = time.perf_counter() - start
        lost = split.pictures.lost, split.sound.lost if split.sound else {}
        return Receipt(
            command="play",
            input=name,
            model=upscaler.descriptor.name,
            model_sha256=upscaler.model.sha256,
            engine=upscaler.engine,
            scale=upscaler.scale,
            size_in=(info.width, info.height),
            size_out=(info.width * upscaler.scale, info.height * upscaler.scale),
            frames_in=len(meter.seconds.get("decode", ())),
            frames_out=loop.shown,
            bypassed=dict(tally.bypassed),
            dropped=dict(tally.dropped),
            seconds=round(seconds, 3),
            fps=round(loop.shown / seconds, 2),
            stages=stage_times(meter),
            peak_memory_mb=peak_memory_mb(),
            warnings=(*warnings, *(f"{n} x {why}" for part in lost for why, n in part.items())),
            extra={
                "display": options.display,
                "clock": "wall" if sound is None else "audio",
                "skew_ms": _skew(loop.skew),
                "stalls": loop.stalls,
                "drops": tally.drops,
                "bytes_received": getattr(entry, "received", None),
            },
        )


def fitting_scale(size: tuple[int, int], screen: tuple[int, int]) -> int:
    """The largest scale at which a picture of ``size`` does not exceed the screen; at least 2."""
    fitting = [s for s in SCALES if size[0] * s <= screen[0] and size[1] * s <= screen[1]]
    return max(fitting, default=min(SCALES))


def shown_name(where: str) -> str:
    """What messages and receipts call a source: a URL without what may be secret in it."""
    if not is_url(where):
        return where
    parts = urlsplit(where)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def until(frames: Iterable[Frame], seconds: float | None) -> Iterator[Frame]:
    """Yield the frames of the first ``seconds``, all of them where that is None."""
    start: Fraction | None = None
    for frame in frames:
        start = frame.pts if start is None else start
        if seconds is not None and frame.pts - start >= seconds:
            return
        yield frame


def _model(options: PlayOptions, info: VideoInfo, screen: tuple[int, int]) -> models.Model:
    if options.model is not None:
        model = models.load(options.model)
        if options.scale not in (None, model.descriptor.scale):
            raise UsageError(
                f"model {model.descriptor.name} is for scale {model.descriptor.scale}, "
                f"not {options.scale}"
            )
        return model
    shown = shown_size((info.width, info.height), sar=info.sar, turn=turn(info.display_matrix))
    return models.load(f"m-x{options.scale or fitting_scale(shown, screen)}")


def _upscalers(
    model: models.Model, options: PlayOptions, info: VideoInfo, stack: ExitStack
) -> tuple[Upscaler, Upscaler]:
    """The network, and plain interpolation for pairs that bypass it; one for both if it is one."""
    plain = models.kernel(scale=model.descriptor.scale)
    made = [
        stack.enter_context(
            Upscaler(m, engine=options.engine, threads=options.threads, siting=info.siting)
        )
        for m in ([model] if model.sha256 == plain.sha256 else [model, plain])
    ]
    return made[0], made[-1]


def _open_sound(
    split: Split, stack: ExitStack, *, dummy: bool, warnings: list[str]
) -> Feeder | None:
    if split.sound is None:
        return None
    try:
        speaker = stack.enter_context(closing(Speaker(dummy=dummy)))
    except OutputError as error:
        warnings.append(f"played without sound: {error}")
        split.mute()
        return None
    chunks = stack.enter_context(closing(ahead(split.sound, depth=CHUNKS_AHEAD)))
    return Feeder(chunks, speaker)


def _enough(info: VideoInfo) -> float:
    """Seconds of finished film at which a player that was late has caught up."""
    return float(FRAMES_AHEAD / 2 / (info.rate or 24))


def _skew(seconds: Any) -> dict[str, float]:
    """How far pictures were off the clock when they appeared, either way, in milliseconds."""
    if not len(seconds):
        return {}
    off = np.abs(np.array(seconds)) * 1000
    found = {"p50": np.percentile(off, 50), "p95": np.percentile(off, 95), "max": off.max()}
    return {name: round(float(value), 2) for name, value in found.items()}
