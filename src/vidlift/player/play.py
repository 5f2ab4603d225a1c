"""Play films: everything from their bytes to the screen, and the receipt of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vidlift import models
from vidlift.errors import InputError, OutputError, UsageError, VidliftError
from vidlift.pipeline import Meter
from vidlift.player import overlay
from vidlift.player.choose import FRAMES_AHEAD, NO_SCREEN, Chooser
from vidlift.player.film import Film
from vidlift.player.governor import Change, Governor
from vidlift.player.ladder import AS_IT_IS
from vidlift.player.loop import Loop, Record
from vidlift.player.options import PlayOptions
from vidlift.player.power import EnergyMeter
from vidlift.player.schedule import NOT_BEGUN, Tally, enlarge
from vidlift.player.snapshot import save
from vidlift.player.sound import Feeder
from vidlift.player.viewer import Leave, Open, OtherFilm, OtherSound, Quit, SeekTo, Viewer
from vidlift.receipt import Receipt, peak_memory_mb, process_age, stage_times
from vidlift.sinks.speaker import Speaker
from vidlift.sinks.window import Window
from vidlift.sources import labels, shown_name
from vidlift.stages.ahead import ahead
from vidlift.stages.pair import pair

__all__ = ["PlayOptions", "play"]

CHUNKS_AHEAD = 16
"""Decoded chunks of sound that wait beside the half second the loudspeaker holds."""

POWER_EVERY = 10.0
"""Seconds between looks at where the power comes from."""


def play(where: str | Sequence[str], options: PlayOptions | None = None) -> Receipt:
    """Play files or http(s) URLs with their sound; call it from the main thread.

    Ends with the last film, its ``duration``, or when the viewer quits. Raises the errors of
    ``vidlift.errors``.
    """
    films = [where] if isinstance(where, str) else list(where)
    if not films:
        raise UsageError("there is nothing to play")
    if options is not None and options.save is not None and len(films) > 1:
        raise UsageError(f"one film can be saved as {options.save.name}, not {len(films)}")
    with ExitStack() as stack:
        return _Session(films, options or PlayOptions(), stack).run()


class _Session:
    """A run of the player over its films: one window, one loudspeaker, one receipt."""

    def __init__(self, films: list[str], options: PlayOptions, stack: ExitStack) -> None:
        self._films = films
        self._options = options
        self._stack = stack
        self._dummy = options.display == "none"
        self._viewer = Viewer(
            monotonic=time.monotonic,
            super_resolve=options.super_resolve,
            subtitles=options.subtitles,
        )
        self._viewer.loop = options.loop
        self._viewer.status = self._status
        self._record, self._tally, self._meter = Record(), Tally(), Meter()
        self._warnings: list[str] = []
        self._lost: Counter[str] = Counter()
        self._changes: list[Change] = []
        self._begun = time.monotonic()
        self._loaded = process_age()
        self._energy = EnergyMeter()
        self._power_seen = self._begun
        self._saved: Path | None = None
        self._sound = options.sound
        """The track of sound that is wanted of any film."""

        self._film = Film(films[0], save=options.save, cached=options.cached, sound=self._sound)
        stack.callback(lambda: self._film.close())
        self._window = stack.enter_context(closing(self._open_window()))
        self._speaker = self._open_speaker()
        self._chooser = Chooser(self._film, options)
        self._governor = self._govern()
        self._loop: Loop | None = None
        self._received = 0
        self._network: list[dict[str, Any]] = []

    def run(self) -> Receipt:
        index = 0
        try:
            while True:
                leave: Leave | None = Quit()  # unless it comes to its end
                leave = self._play_film()
                if isinstance(leave, Open):
                    index += 1
                    self._films[index:index] = [leave.where, *leave.then]
                else:
                    following = self._following(index, leave)
                    if following is None:
                        break
                    index = following
                self._change_to(self._films[index], ended=leave is None)
        finally:
            self._chooser.close()
            self._leave_film(ended=leave is None and self._options.duration is None)
        return self._receipt(time.monotonic() - self._begun)

    def _following(self, index: int, leave: Leave | None) -> int | None:
        """Which film comes after one was left, None at the end."""
        match leave:
            case Quit():
                return None
            case OtherFilm(step):
                return min(max(index + step, 0), len(self._films) - 1)
        if index + 1 < len(self._films):
            return index + 1
        return 0 if self._viewer.loop else None

    def _offer(self) -> None:
        """Have the viewer choose between the tracks of this film, and say what is not there."""
        film, viewer = self._film, self._viewer
        viewer.sounds = 0 if self._speaker is None or film.sound is None else len(film.sounds)
        viewer.offer(film.words)
        texts = [words.label for words in film.words]
        for kind, tracks, wanted in (
            ("sound", film.sounds, self._options.sound),
            ("subtitles", texts, self._options.subtitles),
        ):
            if lacking := labels.lacking(tracks, wanted):
                self._warnings.append(f"{film.name} has no {kind} {lacking}")

    def _listen_on(self) -> None:
        """Play the next of the film's tracks of sound."""
        film = self._film
        if film.saving is not None:
            self._viewer.say("the sound that is saved cannot change")
            return
        at = (film.sound_at + 1) % len(film.sounds)
        film.listen(at)
        self._sound = film.sounds[at]
        self._viewer.say(f"sound {labels.called(film.sounds, at)}")

    def _play_film(self) -> Leave | None:
        """Play the film that is open, with all seeks; returns why it was left."""
        at: float | None = None
        self._offer()
        while True:
            leave = self._play_from(at)
            match leave:
                case SeekTo(time=at):
                    continue
                case OtherSound():
                    self._listen_on()
                    assert self._loop is not None
                    at = self._loop.position
                    continue
                case Open(where):
                    try:
                        Film(where).close()
                    except VidliftError as error:
                        self._viewer.say(str(error))
                        assert self._loop is not None
                        at = self._loop.position
                        continue
            return leave

    def _play_from(self, at: float | None) -> Leave | None:
        """Build the chain anew from a time on, or from the beginning, and play it."""
        if at is not None:
            at = self._seek(at)
        film, split = self._film, self._film.split
        stop = None
        if self._options.duration is not None:
            stop = film.span.start + self._options.duration
        self._loop = loop = Loop(
            self._window,
            self._viewer,
            self._record,
            span=film.span,
            tally=self._tally,
            meter=self._meter,
            attend=self._attend,
            at=at,
        )
        pictures = enlarge(
            self._chooser.sized(
                pair(self._meter.watch("decode", film.frames(stop=stop))), self._governor
            ),
            shelf=self._chooser.shelf,
            governor=self._governor,
            tally=self._tally,
            meter=self._meter,
            wish=self._viewer.wish,
            gain=film.gain,
            trial=lambda first: self._chooser.trial(first, self._governor),
            hurry=at is not None,
        )
        with ExitStack() as threads:
            frames = threads.enter_context(closing(ahead(pictures, depth=FRAMES_AHEAD)))
            sound = None
            if film.sound is not None and self._speaker is not None:
                chunks = threads.enter_context(closing(ahead(film.sound, depth=CHUNKS_AHEAD)))
                sound = Feeder(chunks, self._speaker, loudness=self._viewer.loudness)
            threads.callback(split.stop)  # before the threads are waited for
            leave: Leave | None = Quit()  # unless it comes to its end
            try:
                leave = loop.run(frames, sound, stop=stop)
                return leave
            finally:
                if isinstance(leave, (Quit, OtherFilm)):
                    film.give_up()  # a server that is silent holds nobody up

    def _seek(self, to: float) -> float | None:
        """Where the film goes on: None, its beginning, where it cannot be sought in."""
        try:
            return self._film.seek(to)
        except InputError:
            if self._film.saving is not None:
                raise
            self._viewer.say("it cannot be sought in: from the beginning")
            self._change_to(self._film.where, ended=False)
            self._viewer.offer(self._film.words)
            return None

    def _change_to(self, where: str, *, ended: bool) -> None:
        """Close the film that was left and open another, or the same again."""
        self._leave_film(ended=ended and self._options.duration is None)
        self._chooser.close()
        self._film = Film(where, cached=self._options.cached, sound=self._sound)
        self._window.begin(**self._window_options())
        if self._speaker is None:
            self._film.split.mute()
        self._chooser = Chooser(self._film, self._options)
        self._governor = self._govern()

    def _leave_film(self, *, ended: bool) -> None:
        """Close the film. ``ended``: it came to its end, and was not left."""
        film = self._film
        self._lost.update(film.lost)
        self._received += film.received or 0
        self._network += [film.network] if film.network else []
        self._changes += self._governor.changes
        self._chooser.learn(self._governor)
        with closing(film):
            target = film.saving
            if target is not None and (failed := film.finish(ended=ended)):
                self._warnings.append(failed)
            elif target is not None:
                self._saved = target

    def _govern(self) -> Governor:
        screen = NO_SCREEN if self._dummy else self._window.screen_size
        self._window.opens_at = self._chooser.opening(screen)
        governor = self._chooser.governor(self._now, screen)
        if self._chooser.measured:  # what is measured with the first picture, later
            self._film.weigh(self._chooser.tiers)
        return governor

    def _now(self) -> float:
        return NOT_BEGUN if self._loop is None else self._loop.time

    def _attend(self) -> None:
        """See to what the viewer and the machine want of the governor."""
        governor, viewer = self._governor, self._viewer
        governor.on = viewer.super_resolve
        area = self._window.area
        if not self._dummy and area[0]:
            size = self._chooser.size
            scale = self._chooser.scale(area)
            if size == self._chooser.size:  # it may change in the other thread
                governor.scale = scale
        if time.monotonic() >= self._power_seen + POWER_EVERY:
            self._power_seen = time.monotonic()
            governor.cap = self._chooser.cap()
            self._film.weigh(partial(self._chooser.tiers, load=governor.load))
            self._energy.joules()
        if viewer.save_picture:
            viewer.save_picture = False
            viewer.say(save(self._record.on_screen, self._film))

    def _after(self, moments: Iterable[float]) -> float | None:
        """Seconds from the beginning to the first of some moments."""
        first = min(moments, default=None)
        return None if first is None else round(first - self._begun, 3)

    def _open_window(self) -> Window:
        return Window(**self._window_options(), dummy=self._dummy)

    def _window_options(self) -> dict[str, Any]:
        return {
            "title": f"{Path(self._film.name).name} – Vidlift",
            "source_height": self._film.info.height,
            "display_matrix": self._film.info.display_matrix,
        }

    def _open_speaker(self) -> Speaker | None:
        try:
            return self._stack.enter_context(closing(Speaker(dummy=self._dummy)))
        except OutputError as error:
            if self._film.sound is not None:
                self._warnings.append(f"played without sound: {error}")
            self._film.split.mute()
            return None

    def _status(self) -> overlay.Rows:
        """The figures of the overlay."""
        film, record, picture = self._film, self._record, self._record.on_screen
        lasts = self._chooser.ladders.pair_lasts
        (width, height), seen = self._chooser.size, self._governor.seen
        rows = [("film", f"{width}x{height}, {2 / lasts:.3g} frames/s")]
        if picture is not None:
            by = picture.by
            engine = self._chooser.ran(by).engine_of.get(by, "")
            rows.append(("shown", f"{picture.frame.width}x{picture.frame.height} by {by}"))
            rows.append(("engine", engine))
            if by in seen:
                took = 500 * float(np.median(seen[by][-24:]))
                rows.append(("network", f"{took:.1f} ms a frame of {500 * lasts:.1f}"))
        for stage in ("decode", "present"):
            if seconds := self._meter.seconds.get(stage):
                rows.append((stage, f"{1000 * float(np.median(seconds[-48:])):.1f} ms"))
        if record.rate is not None:
            rows.append(("rate", f"{record.rate:.1f} frames/s"))
        rows.append(("dropped", str(sum(self._tally.dropped.values()))))
        rows.append(("bypassed", str(sum(self._tally.bypassed.values()))))
        if skew := record.off_clock(last=240):
            rows.append(("skew", f"{skew['p95']:.1f} ms"))
        rows.append(("memory", f"{peak_memory_mb():.0f} MB at most"))
        passed = max(time.monotonic() - self._begun, 1e-3)
        if film.received is not None:
            rows.append(("received", f"{8e-6 * film.received / passed:.2f} Mbit/s"))
        joules = self._energy.joules()
        if joules is not None:
            rows.append(("power", f"{joules / passed:.1f} W"))
        return rows

    def _receipt(self, seconds: float) -> Receipt:
        record, tally = self._record, self._tally
        by = max(tally.made_by, key=lambda name: tally.made_by[name], default=None)
        networks = [name for name in tally.made_by if not name.startswith(models.BICUBIC)]
        main = max(networks, key=lambda name: tally.made_by[name], default=by)
        ladders = self._chooser.ran(main)
        info, engine = ladders.info, ladders.engine_of.get(main or "")
        model = None if engine is None or main is None else ladders.model(main)
        scale = model.descriptor.scale if model else self._governor.scale
        joules = self._energy.joules()
        networks_first = [  # those of a trial too, which are seen before there is a choice
            at
            for by, at in record.first_by.items()
            if not by.startswith((models.BICUBIC, AS_IT_IS))
        ]
        return Receipt(
            command="play",
            input=", ".join(dict.fromkeys(map(shown_name, self._films))),
            output=None if self._saved is None else str(self._saved),
            model=None if model is None else model.descriptor.name,
            model_sha256=None if model is None else model.sha256,
            engine=engine,
            scale=scale,
            size_in=(info.width, info.height),
            size_out=(info.width * scale, info.height * scale),
            frames_in=len(self._meter.seconds.get("decode", ())),
            frames_out=record.shown,
            bypassed=dict(tally.bypassed),
            dropped=dict(tally.dropped),
            seconds=round(seconds, 3),
            fps=round(record.shown / seconds, 2),
            stages=stage_times(self._meter),
            peak_memory_mb=peak_memory_mb(),
            warnings=(*self._warnings, *(f"{n} x {why}" for why, n in self._lost.items())),
            extra={
                "display": self._options.display,
                "clock": "wall" if self._film.sound is None or self._speaker is None else "audio",
                "skew_ms": record.off_clock(),
                "stalls": record.stalls,
                "drops": tally.drops,
                "made_by": dict(tally.made_by),
                "engines": self._chooser.engines,
                "changes": [asdict(change) for change in self._changes],
                "first_picture_s": self._after(record.first_by.values()),
                "first_super_resolved_s": self._after(networks_first),
                "loaded_s": self._loaded,
                "joules_per_second": None if joules is None else round(joules / seconds, 2),
                "bytes_received": self._received or None,
                "network": self._network,
                **self._chooser.choice,
            },
        )
