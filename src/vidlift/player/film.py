"""One film, open: its two sides from any point of it, and what is known of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlift.errors import UsageError
from vidlift.frame import Frame
from vidlift.player.viewer import Span
from vidlift.sinks.screen import shown_size, turn
from vidlift.sources import labels, open_entry, shown_name
from vidlift.sources.split import Sound, Split
from vidlift.sources.words import Words
from vidlift.stages.ahead import ahead
from vidlift.video import VideoInfo

if TYPE_CHECKING:
    from vidlift.client.hls import Runs
    from vidlift.sources.captions import HlsWords
    from vidlift.sources.hls import ApartSound, HlsSound, HlsSplit
    from vidlift.sources.keep import Keeper

LAST = 0.1
"""Seconds before the end of a film that a seek goes to at most, but for pictures that came."""


class Film:
    """A file or an http(s) URL. ``close`` it when no thread takes from it any more."""

    def __init__(
        self,
        where: str,
        *,
        save: Path | None = None,
        cached: bool = True,
        sound: labels.Wanted | None = None,
    ) -> None:
        """``save``: the file that what is received goes into as well; see ``finish``.

        ``sound``: the track to play, where it is there.
        ``cached``: what is received is kept for another time. Raises ``InputError``,
        ``NetworkError``; ``UsageError`` and ``OutputError`` for what cannot be saved.
        """
        self.where, self.name = where, shown_name(where)
        self._lost: Counter[str] = Counter()
        self._latest = -inf
        """Media time of the latest picture that was given."""

        self._open = ExitStack()
        self._keeper: Keeper | None = None
        with ExitStack() as undo:
            undo.callback(self._abandon)  # once nothing is received any more
            undo.enter_context(self._open)
            self._entry: Any = open_entry(where, cached=cached)
            if not isinstance(self._entry, Path):
                self._open.enter_context(closing(self._entry))
            self._save = save
            self._keeper = None if save is None else _keeper(self._entry, save)
            self.split: Split | HlsSplit = self._open.enter_context(
                closing(_split(self._entry, self.name, sound))
            )
            if self._keeper is not None:
                self._keeper.check()
            undo.pop_all()
        self.info: VideoInfo = self.split.pictures.info
        start, end = self.split.pictures.begins, self.split.end
        self.span = Span(
            start=float(start),
            end=None if end is None else float(end),
            live=bool(getattr(self._entry, "live", False)),
            seekable=self.split.seekable and _seekable(self._entry),
        )

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height as it should appear when nothing is enlarged."""
        return self.shown_as(self.info.width, self.info.height)

    @property
    def largest(self) -> tuple[int, int]:
        """Width and height of the largest pictures that may come."""
        sizes = [] if isinstance(self.split, Split) else self.split.film.sizes
        return max([(self.info.width, self.info.height), *sizes], key=lambda s: s[0] * s[1])

    def shown_as(self, width: int, height: int) -> tuple[int, int]:
        """The same for pictures of another size."""
        return shown_size((width, height), sar=self.info.sar, turn=turn(self.info.display_matrix))

    @property
    def sound(self) -> Sound | HlsSound | ApartSound | None:
        return self.split.sound

    @property
    def sounds(self) -> tuple[labels.Label, ...]:
        """The tracks of sound to choose from."""
        return self.split.sounds

    @property
    def sound_at(self) -> int:
        """Which of them is played."""
        return self.split.sound_at

    def listen(self, at: int) -> None:
        """Play another track of sound from the next ``seek`` on."""
        self.split.listen(at)

    @property
    def words(self) -> Sequence[Words | HlsWords]:
        """Text subtitles that lie beside the pictures."""
        return self.split.words

    @property
    def lost(self) -> dict[str, int]:
        """What could not be given so far, by reason."""
        parts = [self._lost, self.split.pictures.lost]
        if self.split.sound is not None:
            parts.append(self.split.sound.lost)
        return dict(sum((Counter(part) for part in parts), Counter()))

    @property
    def received(self) -> int | None:
        """Bytes that came over a network, None for a file."""
        found: int | None = getattr(self._entry, "received", None)
        return found

    @property
    def network(self) -> dict[str, Any]:
        """How the film was received, for receipts; empty for a file."""
        report = getattr(self._entry, "report", None)
        found: dict[str, Any] = {} if report is None else report()
        return found

    @property
    def has_rungs(self) -> bool:
        """Whether there is more than one rung to choose from."""
        return not isinstance(self.split, Split) and len(self.split.film.pictures.variants) > 1

    def weigh(self, runs: Runs) -> None:
        """Choose rungs from now on by the networks that run in time, by width and height."""
        if not isinstance(self.split, Split):
            self.split.film.weigh(runs)

    def gain(self, frame: Frame, model: str) -> float | None:
        """Decibels over interpolation that a network gains on a frame; None: not known."""
        return None if isinstance(self.split, Split) else self.split.gain(frame, model)

    def frames(self, *, stop: float | None) -> Iterator[Frame]:
        """The frames of the picture side up to a media time."""
        for frame in self.split.pictures:
            if stop is not None and frame.pts >= stop:
                return
            self._latest = max(self._latest, float(frame.pts))
            yield frame

    def seek(self, to: float) -> float:
        """Make both sides anew from a time on, inside the film; returns that time.

        A live film goes on with what happens now.
        """
        end = self.span.end
        if end is not None:
            to = min(to, max(end - LAST, self._latest))
        to = max(to, self.span.start)
        self._lost = Counter(self.lost)
        self.split.seek(Fraction(to).limit_denominator(1_000_000))
        return to

    def give_up(self) -> None:
        """Nothing more of the film is wanted: what is being received ends soon, from any thread."""
        if not isinstance(self._entry, Path):
            self._entry.stop()

    @property
    def saving(self) -> Path | None:
        """The file that is still to be made of it, None where there is none."""
        return None if self._keeper is None else self._save

    def finish(self, *, ended: bool) -> str | None:
        """Make the file that is to be saved; returns why there is none, None where all is well.

        Call it once no thread takes from the film any more, before ``close``. ``ended``: it was
        played to its end. Raises ``OutputError``.
        """
        self.split.close()  # nothing more is received
        keeper, self._keeper = self._keeper, None
        return None if keeper is None else keeper.finish(whole=ended)

    def close(self) -> None:
        """What was to be saved and is not finished is given up."""
        self._open.close()
        self._abandon()

    def _abandon(self) -> None:
        if self._keeper is not None:
            self._keeper.abandon()
            self._keeper = None


def _seekable(entry: Any) -> bool:
    """Whether the bytes can be: some servers tell no length."""
    found: bool = not hasattr(entry, "seekable") or entry.seekable()
    return found


def _keeper(entry: Any, save: Path) -> Keeper:
    from vidlift.sources.keep import Keeper

    if isinstance(entry, Path):
        raise UsageError(f"{entry} is a file already: only what comes from a URL is saved")
    return Keeper(entry, save)


def _split(entry: Any, name: str, sound: labels.Wanted | None) -> Split | HlsSplit:
    """Sound and pictures apart."""
    if isinstance(entry, Path):
        return Split(entry, name=name, sound=sound)
    # In another thread: PyAV loses a Ctrl-C that comes while it is given bytes.
    received = ahead(map(_received, [entry], [name], [sound]), depth=1, wake=entry.stop)
    (split,) = received
    return split


def _received(entry: Any, name: str, sound: labels.Wanted | None) -> Split | HlsSplit:
    """What plays from a network is loaded for a network only."""
    from vidlift.client.hls import HlsFilm
    from vidlift.sources.hls import HlsSplit

    if isinstance(entry, HlsFilm):
        return HlsSplit(entry, sound=sound)
    return Split(entry, name=name, sound=sound)
