"""Play films: everything from their bytes to the screen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from vidlift.errors import InputError, OutputError, UsageError, VidliftError
from vidlift.player.account import Account
from vidlift.player.choose import FRAMES_AHEAD, NO_SCREEN, Chooser
from vidlift.player.film import Film
from vidlift.player.governor import Governor
from vidlift.player.loop import Loop
from vidlift.player.options import PlayOptions
from vidlift.player.reel import FAILURES, Reel
from vidlift.player.schedule import NOT_BEGUN, enlarge
from vidlift.player.snapshot import save
from vidlift.player.sound import Feeder
from vidlift.player.viewer import Leave, Open, OtherFilm, OtherSound, Quit, SeekTo, Viewer
from vidlift.receipt import Receipt
from vidlift.sinks.speaker import Speaker
from vidlift.sinks.window import Window
from vidlift.sources import check_name, labels
from vidlift.stages.ahead import Aside, ahead
from vidlift.stages.pair import pair

__all__ = ["PlayOptions", "play", "play_all"]

CHUNKS_AHEAD = 16
"""Decoded chunks of sound that wait beside the half second the loudspeaker holds."""

POWER_EVERY = 10.0
"""Seconds between looks at where the power comes from."""


def play(where: str | Sequence[str], options: PlayOptions | None = None) -> Receipt:
    """Play files or http(s) URLs with their sound; call it from the main thread.

    Ends with the last film, its ``duration``, or when the viewer quits. A film that cannot be
    played is passed over, and the receipt warns of it. Raises the errors of ``vidlift.errors``;
    what is wrong with a film only where each of them failed.
    """
    receipt, failure = play_all([where] if isinstance(where, str) else where, options)
    if failure is not None and not receipt.extra["films_played"]:
        raise failure
    return receipt


def play_all(
    films: Sequence[str], options: PlayOptions | None = None
) -> tuple[Receipt, VidliftError | None]:
    """As ``play``, and what was wrong with the first film that failed, None where none did.

    Raises that only where there is nothing to write a receipt of: no picture was shown.
    """
    if not films:
        raise UsageError("there is nothing to play")
    for where in films:
        check_name(where)
    if options is not None and options.save is not None and len(films) > 1:
        raise UsageError(f"one film can be saved as {options.save.name}, not {len(films)}")
    with ExitStack() as stack:
        session = _Session(films, options or PlayOptions(), stack)
        receipt = session.run()
    failure = session.reel.failure
    if failure is not None and not receipt.frames_out:
        raise failure
    return receipt, failure


class _Session:
    """A run of the player over its films: one window, one loudspeaker, one receipt."""

    def __init__(self, films: Sequence[str], options: PlayOptions, stack: ExitStack) -> None:
        self._options = options
        self._stack = stack
        self._dummy = options.display == "none"
        self._account = account = Account()
        self._viewer = Viewer(
            monotonic=time.monotonic,
            super_resolve=options.super_resolve,
            subtitles=options.subtitles,
        )
        self._viewer.loop = options.loop
        self._viewer.status = lambda: account.rows(self._film, self._chooser, self._governor)
        self._power_seen = time.monotonic()
        self._sound = options.sound
        """The track of sound that is wanted of any film."""

        self._loop: Loop | None = None
        self.reel = Reel(films, open_film=self._open_film, tell=self._tell)
        found = self.reel.find(0)
        if found is None:
            assert self.reel.failure is not None
            raise self.reel.failure
        self._begins_at, self._film = found
        stack.callback(lambda: self._film.close())
        self._window = stack.enter_context(closing(self._open_window()))
        self._speaker = self._open_speaker()
        self._chooser = Chooser(self._film, options)
        self._governor = self._govern()

    def run(self) -> Receipt:
        at: int | None = self._begins_at
        while at is not None:
            self._viewer.place = at, len(self.reel.names)
            shown = self._account.record.shown
            leave = self._play_out()
            if self._account.record.shown > shown:
                self.reel.seen()
            at = self._go_on(at, leave)
        silent = self._film.sound is None or self._speaker is None
        return self._account.receipt(
            self.reel.names,
            self._chooser,
            self._governor,
            display=self._options.display,
            clock="wall" if silent else "audio",
        )

    def _play_out(self) -> Leave | None:
        """Play the film that is open, and close it; returns why it was left."""
        leave: Leave | None = Quit()  # unless it comes to its end
        try:
            leave = self._play_film()
        except FAILURES as error:
            self.reel.fail(error, "not played to its end")
            return None
        else:
            self._account.played += 1
        finally:
            self._leave_film(ended=leave is None and self._options.duration is None)
        return leave

    def _go_on(self, at: int, leave: Leave | None) -> int | None:
        """Open the film that comes after one was left; returns its place, None at the end."""
        match leave:
            case Quit():
                return None
            case OtherFilm(step):
                pass
            case Open():
                self.reel.names[at + 1 : at + 1] = [leave.where, *leave.then]
                step = 1
            case _:
                step = 1
        found = self.reel.find(at + step, forward=step > 0, over=self._viewer.loop)
        if found is None:
            return None
        at, film = found
        self._begin(film)
        return at

    def _open_film(self, where: str) -> Film | None:
        """Open a film while the window, where there is one, is minded; None where the viewer quits
        before it is open.
        """
        save = self._options.save if self._loop is None else None  # the first only
        made = partial(Film, save=save, cached=self._options.cached, sound=self._sound)
        if self._loop is None:
            return made(where)
        self._viewer.offer(())
        at, opening = self._loop.position, Aside(partial(made, where))
        while not opening.ready:
            if isinstance(self._make_loop(at).wait(opening), Quit):
                return None  # it is left behind: a server that is silent holds nobody up
        try:
            return opening.result()
        except UsageError as error:  # of its name: the run is not to end for that
            raise InputError(str(error)) from error

    def _tell(self, error: VidliftError, warning: str) -> None:
        """Say what is wrong with a film."""
        self._viewer.say(str(error), too=True)
        self._account.warn(warning)

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
                self._account.warn(f"{film.name} has no {kind} {lacking}")

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
                        film = self._open_film(where)
                    except VidliftError as error:
                        self._viewer.say(str(error))
                        self._viewer.offer(self._film.words)
                        assert self._loop is not None
                        at = self._loop.position
                        continue
                    if film is None:
                        return Quit()
                    film.close()  # its turn comes when this one has been left
            return leave

    def _play_from(self, at: float | None) -> Leave | None:
        """Build the chain anew from a time on, or from the beginning, and play it."""
        if at is not None:
            at, left = self._seek(at)
            if left is not None:
                return left
        film, split = self._film, self._film.split
        stop = None
        if self._options.duration is not None:
            stop = film.span.start + self._options.duration
        loop = self._make_loop(at)
        pictures = enlarge(
            self._chooser.sized(
                pair(self._account.meter.watch("decode", film.frames(stop=stop))), self._governor
            ),
            shelf=self._chooser.shelf,
            governor=self._governor,
            tally=self._account.tally,
            meter=self._account.meter,
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
            try:
                leave = loop.run(frames, sound, stop=stop)
            except BaseException:
                film.give_up()
                raise
            if leave is None and stop is not None:
                film.give_up()
                return None
            return self._come_to_rest(loop, threads)

    def _come_to_rest(self, loop: Loop, threads: ExitStack) -> Leave | None:
        """End what takes from the film, which a silent server may hold up; tells why it is left."""
        leave: Leave | None = Quit()  # where the wait is interrupted
        resting = Aside(threads.pop_all().close)
        try:
            leave = loop.wait(resting)
        finally:
            if isinstance(leave, (Quit, OtherFilm)):
                self._film.give_up()
            resting.result()
        return leave

    def _make_loop(self, at: float | None) -> Loop:
        self._loop = Loop(
            self._window,
            self._viewer,
            self._account.record,
            span=self._film.span,
            tally=self._account.tally,
            meter=self._account.meter,
            attend=self._attend,
            at=at,
        )
        return self._loop

    def _seek(self, to: float) -> tuple[float | None, Leave | None]:
        """Where the film goes on: None, its beginning, where it cannot be sought in; or why it
        is left instead. A server that is silent holds nobody up: another thread waits for it.
        """
        film = self._film
        seeking = ahead(map(film.seek, [to]), depth=1, wake=film.give_up)
        try:
            with closing(seeking):
                leave = self._make_loop(to).wait(seeking)
                if isinstance(leave, (Quit, OtherFilm)):
                    return None, leave
                (at,) = seeking
                return at, leave
        except InputError:
            if film.saving is not None:
                raise
            self._viewer.say("it cannot be sought in: from the beginning")
            again = self._open_film(film.where)
            if again is None:
                return None, Quit()
            self._leave_film(ended=False)
            self._begin(again)
            self._viewer.offer(again.words)
            return None, None

    def _begin(self, film: Film) -> None:
        """What follows is another film, or the same again; the one before has been left."""
        self._film = film
        self._window.begin(**self._window_options())
        if self._speaker is None:
            film.split.mute()
        self._chooser = Chooser(film, self._options)
        self._governor = self._govern()

    def _leave_film(self, *, ended: bool) -> None:
        """Close the film. ``ended``: it came to its end, and was not left."""
        film = self._film
        self._chooser.close()
        self._chooser.learn(self._governor)
        self._account.leave(film, self._governor)
        with closing(film):
            target = film.saving
            if target is not None and (failed := film.finish(ended=ended)):
                self._account.warn(failed)
            elif target is not None:
                self._account.saved = target
                if not ended:
                    kept = f"{target.name} has what was received until the film was left"
                    self._account.warn(kept)
                    self._viewer.say(kept, too=True)

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
            self._account.energy.joules()
        if viewer.save_picture:
            viewer.save_picture = False
            viewer.say(save(self._account.record.on_screen, self._film))

    def _open_window(self) -> Window:
        return Window(**self._window_options(), dummy=self._dummy)

    def _window_options(self) -> dict[str, Any]:
        return {
            "title": f"{Path(self._film.name).name} – Vidlift",
            "source_height": self._film.info.height,
            "display_matrix": self._film.info.display_matrix,
        }

    def _open_speaker(self) -> Speaker | None:
        if self._options.sound == labels.NONE:
            self._film.split.mute()
            return None
        try:
            return self._stack.enter_context(closing(Speaker(dummy=self._dummy)))
        except OutputError as error:
            if self._film.sound is not None:
                self._account.warn(f"played without sound: {error}")
            self._film.split.mute()
            return None
