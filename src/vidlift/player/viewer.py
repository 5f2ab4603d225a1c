"""The viewer's side of a film: what was asked for by keys and mouse, and what lies over it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from vidlift.player import overlay
from vidlift.player.controls import CONTROLS, HELD, SEEKS, Control, key_list
from vidlift.player.ladder import is_network
from vidlift.player.leave import Leave, Open, OtherFilm, OtherSound, Quit, SeekTo
from vidlift.player.schedule import Wish
from vidlift.sinks.events import Closed, Dropped, Event, Key, Pointer
from vidlift.sinks.window import Sprite
from vidlift.sources.labels import NONE, Label, Wanted, called, find, marked

MESSAGE_FOR = 1.5
"""Seconds that a message stays at least."""

MESSAGES_MAX = 3
"""Messages that stand below one another at most."""

READ_IN = 0.05
"""Seconds in which a letter of it is read: a long one stays longer."""

BAR_FOR = 2.5
"""Seconds that the bar stays after the mouse moved."""

INFO_EVERY = 0.5
"""Seconds between looks at the figures."""

VOLUME_STEP = 5


class Text(Protocol):
    """Subtitles: ``sources.words.Words``, ``sources.captions.HlsWords``."""

    @property
    def label(self) -> Label: ...

    def at(self, time: float) -> str:
        """What is said at a media time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From when to when a film lasts, in media time."""

    start: float
    end: float | None
    """None where nobody knows."""

    live: bool = False
    """Whether it is received as it happens, so that the only seek is to what happens now."""

    seekable: bool = True
    """Whether it can be shown from another point on than its beginning."""

    def inside(self, time: float) -> float:
        """The time, or the end of the film that lies nearest to it."""
        return min(max(time, self.start), math.inf if self.end is None else self.end)

    def share(self, time: float) -> float:
        if self.end is None or self.end <= self.start:
            return 0.0
        return (time - self.start) / (self.end - self.start)


class Viewer:
    """What the viewer set, over all films of a run. Not thread-safe, but for ``wish``."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float],
        super_resolve: bool = True,
        subtitles: Wanted | None = None,
    ) -> None:
        """``subtitles``: those to show, wherever a film has them; None: what each film asks for."""
        self._monotonic = monotonic
        self.super_resolve = super_resolve
        self.wish = Wish()
        self.paused = False
        self.loop = False
        self.muted = False
        self.volume = 100
        self.divider = 0.5
        """Share of the window left of the line between two pictures."""

        self.place = 0, 1
        """Which of how many films is played."""

        self.full_screen = False
        self.save_picture = False
        """The picture on the screen is to be saved; whoever does it sets this back."""

        self.status: Callable[[], overlay.Rows] = tuple
        """Gives the figures that ``i`` shows."""

        self.split = ""
        """What the right of two pictures on the screen was made by; empty where there is one."""

        self.enlarged = True
        """Whether pictures are made larger, so that there is something to see side by side."""

        self.waits_for = ""
        """What is being waited for, shown where there is no other message."""

        self.sounds = 0
        """Tracks of sound there are to choose from."""

        self.saved = False
        """Whether the film is being saved: it cannot begin anew, nor with another sound."""

        self._texts: Sequence[Text] = ()
        self._text = 0
        """Which of the subtitles are shown, if any are."""

        self._wanted = subtitles
        """Which of them the viewer chose, for all films."""

        self._subtitled: bool | None = None if subtitles is None else subtitles != NONE
        """Whether the viewer chose to have any, for all films; None: what each asks for."""

        self._panels: list[Control] = []
        """The figures and the list of keys, as far as they are shown, the newest last."""

        self._message, self._message_until = "", 0.0
        self._bar_until = 0.0
        self._info_rows: tuple[overlay.Rows, float] = ((), 0.0)
        self._drawn: dict[tuple[object, ...], Sprite] = {}

    @property
    def loudness(self) -> float:
        """What samples are multiplied by: as loud as ears judge half a scale to be half."""
        return 0.0 if self.muted else (self.volume / 100) ** 2

    def offer(self, texts: Sequence[Text]) -> None:
        """The subtitles of the film that comes."""
        self._texts = texts
        labels = self._labels()
        wanted = find(labels, self._wanted)
        self._text = marked(labels) if wanted is None else wanted

    @property
    def subtitled(self) -> bool:
        """Whether subtitles are shown, where there are any."""
        if self._subtitled is None:
            return bool(self._texts) and self._texts[self._text].label.wanted
        return self._subtitled

    def _labels(self) -> list[Label]:
        return [text.label for text in self._texts]

    def _said(self, time: float) -> str:
        return self._texts[self._text].at(time) if self.subtitled and self._texts else ""

    def _next_subtitles(self) -> None:
        """Show the subtitles, then those after them; after the last, none."""
        if not self.subtitled:
            self._subtitled = True
        else:
            self._text += 1
            self._subtitled = self._text < len(self._texts)
            self._text %= max(1, len(self._texts))
        labels = self._labels()
        if not self._subtitled or not labels:
            self.say("no subtitles")
        else:
            self._wanted = labels[self._text]
            several = len(labels) > 1
            self.say(f"subtitles {called(labels, self._text)}" if several else "subtitles")

    def say(self, message: str, *, too: bool = False) -> None:
        """Show a line for a moment, from when it is first seen. ``too``: below those that nobody
        has seen yet."""
        unseen = self._message.split("\n") if too and self._message_until == math.inf else []
        self._message = "\n".join([*unseen, message][-MESSAGES_MAX:])
        self._message_until = math.inf

    def reach(self, step: int) -> OtherFilm | None:
        """So many films further, as far as there are any: over and over they have no end."""
        at, count = self.place
        wanted = at + step
        if self.loop or 0 <= wanted < count:
            return OtherFilm(step) if step else None
        self.say("the last film" if wanted > at else "the first film")
        return self.reach(min(max(wanted, 0), count - 1) - at)

    def obey(self, event: Event, *, time: float, span: Span, area: tuple[int, int]) -> Leave | None:
        """Do what an event asks for; returns why the film is to be left, if it is."""
        leave: Leave | None = None
        match event:
            case Closed():
                return Quit()
            case Dropped(where):
                return Open(where)
            case Key(name, held) if name in CONTROLS:
                if not held or CONTROLS[name] in HELD:
                    leave = self._control(CONTROLS[name], time, span)
            case Pointer(x, y, pressed):
                leave = self._point(x, y, pressed, span, area)
        if isinstance(leave, SeekTo) and self.saved and not span.seekable:
            self.say("it is saved as it comes, and cannot be sought in")
            return None
        return leave

    def sprites(self, *, time: float, span: Span, area: tuple[int, int]) -> list[Sprite]:
        """What lies over the film now. What did not change is the same object as before."""
        kept, self._drawn = self._drawn, {}
        size, now = overlay.text_size(area), self._monotonic()

        def draw(
            key: tuple[object, ...], make: Callable[[], overlay.Rgba], at: tuple[int | None, int]
        ) -> Sprite:
            """Put a picture at a place, counted from the far edges where it is negative, or in
            the middle.
            """
            key = (*key, area, at)
            found = kept.get(key)
            if found is None:
                pixels = make()
                height, width, _ = pixels.shape
                x, y = at
                if x is None:
                    x = (area[0] - width) // 2
                elif x < 0:
                    x += area[0] - width
                if y < 0:
                    y += area[1] - height
                found = Sprite(max(0, x), max(0, y), pixels)
            self._drawn[key] = found
            return found

        if area[0] < 64 or area[1] < 64:
            return []
        barred = now < self._bar_until
        across = area[0] - 2 * size
        if words := self._said(time):
            bottom = overlay.bar_box(area)[1] - area[1] - size if barred else -2 * size
            draw(
                ("subtitle", words),
                lambda: overlay.subtitle(words, size=size * 3 // 2, room=(across, area[1] // 2)),
                (None, bottom),
            )
        if self.split:
            middle = round(self.divider * area[0])
            draw(
                ("bicubic",),
                lambda: overlay.label("bicubic", size=size),
                (middle - area[0] - size, size),
            )
            by = "Vidlift" if is_network(self.split) else "bicubic"
            draw(("right", by), lambda: overlay.label(by, size=size), (middle + size, size))
        beside = math.inf
        for panel in self._panels[::-1]:
            figures = panel is Control.INFO
            rows = self._figures(now) if figures else tuple(key_list())
            at = size if figures else -size, 5 * size if self.split else size
            high = area[1] - at[1] - size // 2
            make = partial(overlay.panel, rows, size=size, room=(across, high))
            wide = draw((panel, *rows), make, at).pixels.shape[1]
            if wide > beside:  # the newer takes its place
                self._drawn.popitem()
                self._panels.remove(panel)
            beside = across - size - wide
        text = self.waits_for
        if now < self._message_until:
            text = self._message
            stays = max(MESSAGE_FOR, READ_IN * len(text))
            self._message_until = min(self._message_until, now + stays)
        if text:
            draw((text,), lambda: overlay.label(text, size=size, room=across), (size, -4 * size))
        if barred:
            x, y, _, _ = overlay.bar_box(area)
            end = "" if span.end is None else f" / {overlay.clock_text(span.end - span.start)}"
            played = overlay.clock_text(time - span.start) + end
            share = span.share(time)
            draw(
                ("bar", played, round(share * area[0])),
                lambda: overlay.bar(share, played, area=area),
                (x, y),
            )
        return list(self._drawn.values())

    def _figures(self, now: float) -> overlay.Rows:
        if now >= self._info_rows[1]:
            self._info_rows = tuple(self.status()), now + INFO_EVERY
        return self._info_rows[0]

    def _point(
        self, x: int, y: int, pressed: bool, span: Span, area: tuple[int, int]
    ) -> Leave | None:
        if (self.wish.side_by_side or self.split) and area[0]:
            self.divider = min(max(x / area[0], 0.0), 1.0)
        shown, self._bar_until = self._monotonic() < self._bar_until, self._monotonic() + BAR_FOR
        share = overlay.bar_share((x, y), area=area)
        if pressed and shown and share is not None and span.end is not None:
            return SeekTo(span.start + share * (span.end - span.start))
        return None

    def _anew(self, time: float, span: Span) -> SeekTo | None:
        """In a pause, have the picture on the screen made again, as it is wanted now."""
        if not self.paused:
            return None
        if span.live or not span.seekable:
            self.say("from the next picture on", too=True)
            return None
        return SeekTo(time)

    def _control(self, control: Control, time: float, span: Span) -> Leave | None:
        if span.live and (control in SEEKS or control in (Control.HOME, Control.END)):
            if control is Control.END:
                return SeekTo(time)
            self.say("live: End leads to now")
            return None
        if control in SEEKS:
            self._bar_until = self._monotonic() + BAR_FOR
            return SeekTo(time + SEEKS[control])
        match control:
            case Control.QUIT:
                return Quit()
            case Control.HOME:
                return SeekTo(span.start)
            case Control.END if span.end is not None:
                return SeekTo(span.end)
            case Control.NEXT:
                return OtherFilm(1)
            case Control.PREVIOUS:
                return OtherFilm(-1)
            case Control.PAUSE:
                self.paused = not self.paused
                self._bar_until = self._monotonic() + BAR_FOR
            case Control.COMPARE:
                self.super_resolve = not self.super_resolve
                what = "super-resolution" if self.super_resolve else "bicubic"
                self.say(what if self.enlarged else f"{what}, once the film is enlarged")
                return self._anew(time, span)
            case Control.SPLIT:
                self.wish.side_by_side = not self.wish.side_by_side
                if self.wish.side_by_side and not self.enlarged:
                    self.say("nothing to compare: the film is not enlarged")
                return self._anew(time, span)
            case Control.INFO | Control.HELP if control in self._panels:
                self._panels.remove(control)
            case Control.INFO | Control.HELP:
                self._panels.append(control)
            case Control.WORDS:
                self._next_subtitles()
            case Control.SOUND if self.sounds > 1 and self.saved:
                self.say("the sound that is saved cannot change")
            case Control.SOUND if self.sounds > 1:
                return OtherSound(1)
            case Control.SOUND:
                self.say("no other sound")
            case Control.FULL_SCREEN:
                self.full_screen = not self.full_screen
            case Control.PICTURE:
                self.save_picture = True
            case Control.LOOP:
                self.loop = not self.loop
                self.say("over and over" if self.loop else "once")
            case Control.MUTE:
                self.muted = not self.muted
                self.say("sound off" if self.muted else f"volume {self.volume} %")
            case Control.QUIETER | Control.LOUDER:
                step = VOLUME_STEP if control is Control.LOUDER else -VOLUME_STEP
                self.volume, self.muted = min(max(self.volume + step, 0), 100), False
                self.say(f"volume {self.volume} %")
        return None
