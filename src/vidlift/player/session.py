"""A run of the player over its films: one window, one loudspeaker, one receipt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from vidlift.errors import InputError, OutputError, UsageError, VidliftError
from vidlift.player.account import Account
from vidlift.player.choose import FRAMES_AHEAD, NO_SCREEN, Chooser
from vidlift.player.film import Film
from vidlift.player.governor import Governor
from vidlift.player.leave import Leave, Open, OtherFilm, OtherSound, Quit, SeekTo
from vidlift.player.loop import Loop
from vidlift.player.opening import Opening
from vidlift.player.options import PlayOptions
from vidlift.player.reel import FAILURES, Elsewhere, Reel, Stay
from vidlift.player.schedule import NOT_BEGUN, enlarge
from vidlift.player.snapshot import Album
from vidlift.player.sound import Feeder
from vidlift.player.viewer import Viewer
from vidlift.receipt import Receipt
from vidlift.sinks.speaker import Speaker
from vidlift.sinks.window import Window
from vidlift.sources import labels, shown_name
from vidlift.stages.ahead import Aside, ahead
from vidlift.stages.pair import pair

CHUNKS_AHEAD = 16
"""Decoded chunks of sound that wait beside the half second the loudspeaker holds."""

POWER_EVERY = 10.0
"""Seconds between looks at where the power comes from."""

Result = TypeVar("Result")


class Session:
    """A run of the player over its films: one window, one loudspeaker, one receipt."""

    def __init__(
        self,
        films: Sequence[str],
        options: PlayOptions,
        stack: ExitStack,
        *,
        opened: Callable[[], None],
    ) -> None:
        """Opens the first film that can be, calls ``opened``, and opens the rest.

        What is open ends with ``stack``. Raises what is wrong with the first film where there is
        none to play, and ``OutputError`` where there is no screen.
        """
        self._options = options
        self._stack = stack
        self._dummy = options.display == "none"
        self._account = account = Account()
        self._album = Album()
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
        if not isinstance(found, tuple):
            assert self.reel.failure is not None
            raise self.reel.failure
        self._at, self._film = found
        self._next: tuple[int, Film] | None = None
        """The film that the viewer leaves this one for, and its place; open."""

        stack.callback(self._close)
        opened()
        self._window = stack.enter_context(
            closing(Window(**self._window_options(), dummy=self._dummy))
        )
        self._speaker = self._open_speaker()
        self._chooser = Chooser(self._film, options)
        self._governor = self._govern()

    def run(self) -> Receipt:
        """Play until the last film has ended or the viewer quits."""
        going = True
        while going:
            self._viewer.place = self._at, len(self.reel.names)
            shown = self._account.record.shown
            leave = self._play_out()
            if self._account.record.shown > shown:
                self.reel.seen()
            going = not isinstance(leave, Quit) and self._go_on()
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

    def _go_on(self) -> bool:
        """Begin the film that comes after one was left or ended; False where there is none."""
        found, self._next = self._next, None
        if found is None:
            self._viewer.offer(())
            opened = self.reel.find(self._at + 1, over=self._viewer.loop)
            if not isinstance(opened, tuple):
                return False
            found = opened
        self._at, film = found
        self._begin(film)
        return True

    def _unless_left(self, go_on: Callable[[], Result]) -> Result | Elsewhere:
        """What comes of something, done anew where the viewer wants another film meanwhile and
        there is none; where there is one, it is open, and the film is to be left for it."""
        while isinstance(result := go_on(), (OtherFilm, Open)):
            assert self._loop is not None
            found = self.reel.leave(self._at, result, over=self._viewer.loop)
            if isinstance(found, Quit):
                return found
            if not isinstance(found, Stay):
                self._next = found
                return result
            self._viewer.place = self._at, len(self.reel.names)
            self._loop.stay()
            if found.why:
                self._viewer.say(found.why, too=True)
        return result

    def _open_film(self, place: int) -> Film | Elsewhere:
        """Open a film while the window, where there is one, is minded; or what the viewer wants
        before it is open. A server that is silent holds nobody up.
        """
        where = self.reel.names[place]
        save = self._options.save if self._loop is None else None  # the first only
        made = partial(Film, where, save=save, cached=self._options.cached, sound=self._sound)
        if self._loop is None:
            return made()
        self._viewer.place = place, len(self.reel.names)
        self._loop.stay()
        try:
            with closing(Opening(made)) as opening:
                leave = self._loop.wait(opening, naming=f"opening {shown_name(where)}")
                return leave if isinstance(leave, Elsewhere) else opening.result()
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
        viewer.saved = film.saving is not None
        for kind, tracks, wanted in (
            ("sound", film.sounds, self._options.sound),
            ("subtitles", [words.label for words in film.words], self._options.subtitles),
        ):
            if lacking := labels.lacking(tracks, wanted):
                self._account.warn(f"{film.name} has no {kind} {lacking}")

    def _listen_on(self, step: int) -> None:
        """Play another of the film's tracks of sound."""
        film = self._film
        at = (film.sound_at + step) % len(film.sounds)
        film.listen(at)
        self._sound = film.sounds[at]
        self._viewer.say(f"sound {labels.called(film.sounds, at)}")

    def _play_film(self) -> Leave | None:
        """Play the film that is open, with all seeks; returns why it was left."""
        self._offer()
        leave = self._play_from(None)
        while isinstance(leave, SeekTo | OtherSound):
            if isinstance(leave, OtherSound):
                self._listen_on(leave.step)
            assert self._loop is not None
            leave = self._play_from(self._loop.position)
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
                leave = self._unless_left(partial(loop.run, frames, sound, stop=stop))
            except BaseException:
                film.give_up()
                raise
            if leave is None and stop is not None:
                film.give_up()
                return None
            return self._come_to_rest(loop, threads, leave)

    def _come_to_rest(self, loop: Loop, threads: ExitStack, left: Leave | None) -> Leave | None:
        """End what takes from the film, which a silent server may hold up; tells why it is left."""
        leave: Leave | None = Quit()  # where the wait is interrupted
        resting = Aside(threads.pop_all().close)
        try:
            if not isinstance(left, Elsewhere):
                left = self._unless_left(partial(loop.wait, resting))
            leave = left
        finally:
            if isinstance(leave, Elsewhere):
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
                leave = self._unless_left(partial(self._make_loop(to).wait, seeking))
                if isinstance(leave, Elsewhere):
                    return None, leave
                (at,) = seeking
                return at, leave
        except InputError:
            if film.saving is not None:
                raise
            self._viewer.say("it cannot be sought in: from the beginning")
            return None, self._begin_again()

    def _begin_again(self) -> Leave | None:
        """Open the film once more, from its beginning; returns why it is left instead."""
        again = self._unless_left(partial(self._open_film, self._at))
        if isinstance(again, Elsewhere):
            return again
        self._leave_film(ended=False)
        self._begin(again)
        self._viewer.offer(again.words)
        return None

    def _close(self) -> None:
        self._album.close()
        self._film.close()
        if self._next is not None:
            self._next[1].close()

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
        self._account.leave(film, self._chooser, self._governor)
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
        governor = self._chooser.governor(self._now, self._area or screen)
        self._weigh()
        return governor

    def _weigh(self, *, load: float = 1.0) -> None:
        """Have the film choose its rungs by what runs here in time, where that is known: what is
        not, another thread measures, and nobody is to wait for that here."""
        if self._film.has_rungs and self._chooser.measured:
            self._film.weigh(partial(self._chooser.tiers, load=load))

    def _now(self) -> float:
        return NOT_BEGUN if self._loop is None else self._loop.time

    @property
    def _area(self) -> tuple[int, int] | None:
        """Width and height of the window; None as long as there is none, or nobody sees it."""
        area = self._window.area
        return None if self._dummy or not area[0] else area

    def _attend(self) -> None:
        """See to what the viewer and the machine want of the governor."""
        governor, viewer = self._governor, self._viewer
        governor.on = viewer.super_resolve
        if (area := self._area) is not None:
            self._chooser.fit(governor, area)
        viewer.enlarged = governor.enlarges
        if time.monotonic() >= self._power_seen + POWER_EVERY:
            self._power_seen = time.monotonic()
            governor.cap = self._chooser.cap()
            self._weigh(load=governor.load)
            self._account.energy.joules()
        if viewer.save_picture:
            viewer.save_picture = False
            self._album.add(self._account.record.on_screen, self._film)
        for told in self._album.saved():
            viewer.say(told, too=True)

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
                warning = f"played without sound: {error}"
                self._account.warn(warning)
                self._viewer.say(warning)
            self._film.split.mute()
            return None
