"""Sound and pictures of an HLS film: as ``Split`` gives those of a file.

    pieces ──> runs of pieces that one demuxer takes ──> Split of each run ──> frames, chunks

A run ends where the rung changes, or the times in the segments do. Frames then have another
size, and times are moved so that they go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from threading import Lock
from typing import Any, BinaryIO, cast

from vidlift.client.gains import Gains
from vidlift.client.hls import HlsFilm
from vidlift.client.track import Piece
from vidlift.errors import InputError, NetworkError, VidliftError
from vidlift.frame import Frame
from vidlift.sources import labels
from vidlift.sources.captions import HlsWords, of_rendition
from vidlift.sources.decode import open_container
from vidlift.sources.labels import Label
from vidlift.sources.onward import Onward, onward
from vidlift.sources.runs import Run, Runs, Times
from vidlift.sources.split import RATE, UNDECODED, Sound, SoundChunk, Split, sound_streams
from vidlift.video import VideoInfo

SILENT = "a segment held no sound that could be decoded"

BROKEN_MAX = 3
"""Runs in a row that may hold nothing to be decoded."""


class HlsSplit:
    """Sound and pictures of an HLS film. Used as ``Split`` is; ``film`` stays the caller's."""

    seekable = True

    def __init__(self, film: HlsFilm, *, sound: labels.Wanted | None = None) -> None:
        """Receives the beginning and decodes the first picture. ``sound`` as for ``Split``."""
        self.name = film.name
        self.film = film
        self._times = Times(live=film.live)
        self._gains = Gains(film.card)
        self._muted = False
        self.words = tuple(
            HlsWords(film, text, lambda: self._times.base)
            for text in ([] if film.live else film.texts)
        )
        """Text subtitles."""

        self.sounds: tuple[Label, ...] = tuple(map(of_rendition, film.sounds))
        """The tracks of sound there are to choose from, where they come apart."""

        self.sound_at = labels.marked(self.sounds)
        """Which of them is played."""

        wanted = labels.find(self.sounds, sound)
        if wanted is not None and wanted != self.sound_at:
            self.listen(wanted)
        self.sound: HlsSound | ApartSound | None = None
        self._begin(0.0, since=None)
        self._start = self.pictures.begins

    @property
    def end(self) -> Fraction | None:
        """When the film ends; None for a live one."""
        if self.film.seconds is None:
            return None
        return self._start + Fraction(self.film.seconds).limit_denominator(1_000_000)

    def seek(self, to: Fraction) -> None:
        """Make both sides anew, from what is shown and heard at ``to`` on.

        Both must be at rest: stopped, and their threads gone. Of a live film it is what happens
        now that is then shown and heard, at that time.
        """
        self._end_runs()
        self.film.go_on()
        if self.film.live:
            self._times = Times(to, live=True)
            self._begin(0.0, since=None)
            return
        assert self._times.base is not None
        self._begin(max(0.0, float(to - self._times.base)), since=to)

    def gain(self, frame: Frame, model: str) -> float | None:
        """Decibels that a network gains on a frame, as the title's card says; None: not known."""
        if self._times.base is None:
            return None
        return self._gains.gain(float(frame.pts - self._times.base), frame.size, model)

    def listen(self, at: int) -> None:
        """From the next ``seek`` on give another track of sound."""
        self.film.listen(at)
        self.sound_at = at

    def mute(self) -> None:
        """The sound is not wanted (any more)."""
        self._muted = True
        self.sound = None
        self._picture_runs.mute()

    def stop(self) -> None:
        """End both sides soon, from any thread."""
        self.film.stop()
        self._picture_runs.stop()

    def close(self) -> None:
        """Let go of all but the film. Both sides must be at rest."""
        self._end_runs()
        for each in self.words:
            each.close()

    def _begin(self, start: float, *, since: Fraction | None) -> None:
        film, times = self.film, self._times
        apart = film.sound is not None
        self._picture_runs = _Opened(
            Runs(film.pictures, since=start, depth=film.depth), name=self.name, live=film.live
        )
        self._sound_runs: Runs | None = None
        try:
            if apart or self._muted:
                self._picture_runs.mute()
            self.pictures = HlsPictures(self._picture_runs, times, since=since)
            self.sound = None
            if self._muted:
                return
            if film.sound is not None:
                self._sound_runs = Runs(film.sound, since=start, depth=film.depth)
                self.sound = ApartSound(
                    self._sound_runs, times, name=self.name, since=since, live=film.live
                )
            elif self._picture_runs.get(0).sound is not None:
                self._picture_runs.sides = 2
                self.sound = HlsSound(self._picture_runs, times, since=since)
        except BaseException:
            self._end_runs()
            raise

    def _end_runs(self) -> None:
        self.stop()
        self._picture_runs.close()
        if self._sound_runs is not None:
            self._sound_runs.close()


class _Opened:
    """The runs of pictures, each opened once, by whichever side comes to it first, and closed once
    all sides have left it: a decoder holds megabytes, and a film may have any number of runs."""

    def __init__(self, runs: Runs, *, name: str, live: bool) -> None:
        self._runs = runs
        self._name = name
        self._kind = Onward if live else Split
        self._lock = Lock()
        self._splits: dict[int, tuple[Split, Run]] = {}
        self._opened = 0
        self._left: Counter[int] = Counter()
        self._muted = self._stopped = False
        self._failed: VidliftError | None = None
        self.lost: Counter[str] = Counter()
        self.sides = 1
        """How many take from the runs, each in a thread of its own: pictures, and sound."""

    @property
    def lost_in_all(self) -> Counter[str]:
        """What could not be given of any run, pictures and sound, by reason."""
        found = self.lost + self._runs.lost
        for split in self._open:
            found.update(_lost(split))
        return found

    @property
    def failed(self) -> VidliftError | None:
        """Why the last that was lost could not be given."""
        return self._failed or self._runs.failed

    @property
    def _open(self) -> list[Split]:
        return [split for split, _ in tuple(self._splits.values())]

    def get(self, index: int) -> Split:
        return self._splits[index][0]

    def piece(self, index: int) -> Piece:
        return self._splits[index][1].first

    def open(self, index: int) -> bool:
        """Have a run open; False at the end of the film."""
        with self._lock:
            broken = 0
            while self._opened <= index and not self._stopped:
                run = self._runs.next()
                if run is None:
                    return False
                try:
                    split = self._kind(cast(BinaryIO, run), name=self._name)
                except InputError as error:
                    broken += 1
                    self._failed = error
                    self.lost["a segment could not be decoded"] += 1
                    if broken >= BROKEN_MAX:
                        raise
                    continue
                if self._muted:
                    split.mute()
                self._splits[self._opened] = split, run
                self._opened += 1
            return self._opened > index

    def leave(self, index: int, *, heard: float | None = None) -> None:
        """A side has read a run to its end, and asks for nothing of it any more; that of the sound
        says how many seconds of it were ``heard``."""
        with self._lock:
            split, run = self._splits[index]
            told = split.sound is not None and UNDECODED in split.sound.lost
            if heard is not None and not (self._stopped or told):
                self.lost[SILENT] += run.silent(heard)
            self._left[index] += 1
            if self._left[index] < self.sides:
                return
            self.lost.update(_lost(split))
            del self._splits[index], self._left[index]
        split.close()

    def mute(self) -> None:
        self._muted, self.sides = True, 1
        for split in self._open:
            split.mute()

    def stop(self) -> None:
        self._stopped = True
        for split in self._open:
            split.stop()

    def close(self) -> None:
        for split in self._open:
            split.close()
        self._runs.close()


def _lost(split: Split) -> Counter[str]:
    sound = {} if split.sound is None else split.sound.lost
    return Counter(split.pictures.lost) + Counter(sound)


class HlsPictures:
    """The frames of all runs. See ``Source`` for what it promises; sizes may change between."""

    def __init__(self, runs: _Opened, times: Times, *, since: Fraction | None) -> None:
        if not runs.open(0):
            cause = runs.failed or "it names none"
            away = isinstance(cause, NetworkError) and since is None  # a seek may lead too far
            kind = NetworkError if away else InputError
            raise kind(f"the playlist leads to no pictures: {cause}")
        self._runs, self._times, self._since = runs, times, since
        first = runs.get(0).pictures
        piece = runs.piece(0)
        self.info: VideoInfo = replace(
            first.info,
            duration=None,
            frames=None,
            bit_rate=8 * len(piece.data) / piece.seconds if piece.seconds else None,
        )
        self.begins: Fraction = first.begins + times.move(piece, first.begins)
        """Time of the first picture, given or left out."""

    @property
    def lost(self) -> dict[str, int]:
        """What could not be given, by reason."""
        return dict(self._runs.lost_in_all)

    def __iter__(self) -> Iterator[Frame]:
        try:
            yield from self._of_runs()
        finally:
            self._times.end()

    def _of_runs(self) -> Iterator[Frame]:
        index, latest = 0, None
        while self._runs.open(index):
            piece, pictures = self._runs.piece(index), self._runs.get(index).pictures
            by = self._times.move(piece, pictures.begins)
            for frame in pictures:
                moved = replace(frame, pts=frame.pts + by)
                over = self._since is not None and moved.pts + moved.duration <= self._since
                if over or (latest is not None and moved.pts <= latest):
                    continue
                latest = moved.pts
                self._times.lead(piece, frame.pts + frame.duration, by)
                yield moved
            self._runs.leave(index)
            index += 1


class HlsSound:
    """The sound that comes in the same segments as the pictures."""

    def __init__(self, runs: _Opened, times: Times, *, since: Fraction | None) -> None:
        self._runs, self._times, self._since = runs, times, since
        self.lost: dict[str, int] = {}
        """Told by the pictures' side, for both."""

    def __iter__(self) -> Iterator[SoundChunk]:
        index = 0
        while self._runs.open(index):
            split = self._runs.get(index)
            by = self._times.move(self._runs.piece(index), split.pictures.begins)
            heard = 0
            for chunk in split.sound or ():
                heard += len(chunk.samples)
                if _is_wanted(chunk, chunk.pts + by, self._since):
                    yield replace(chunk, pts=chunk.pts + by)
            self._runs.leave(index, heard=heard / RATE)
            index += 1


class ApartSound:
    """The sound that has segments of its own."""

    def __init__(
        self, runs: Runs, times: Times, *, name: str, since: Fraction | None, live: bool
    ) -> None:
        self._runs, self._times, self._live = runs, times, live
        self._name, self._since = name, since
        self._lost: Counter[str] = Counter()
        self._ended: str | None = None
        """Why there is none any longer, where it did not come to its end."""

    @property
    def lost(self) -> dict[str, int]:
        """What could not be given, by reason; where the rest is missing, that says it all."""
        return dict(self._runs.lost + self._lost) if self._ended is None else {self._ended: 1}

    def __iter__(self) -> Iterator[SoundChunk]:
        """A film goes on without its sound: what is wrong with it is told by ``lost``."""
        try:
            yield from self._chunks()
        except (NetworkError, InputError) as error:
            if not self._runs.stopped:
                self._ended = f"the sound could not be given to its end: {error}"

    def _chunks(self) -> Iterator[SoundChunk]:
        broken = leaps = 0
        while (run := self._runs.next()) is not None:
            try:
                container = open_container(cast(BinaryIO, run), name=self._name)
            except InputError as error:
                broken += 1
                self._lost["a segment of sound could not be decoded"] += 1
                if broken >= BROKEN_MAX:
                    raise InputError(f"{self._name}: the sound is damaged") from error
                continue
            broken = heard = 0
            told = self._lost[UNDECODED]
            with container:
                for stream in sound_streams(container)[:1]:
                    packets: Iterator[Any] = iter(container.demux(stream))
                    if self._live:
                        packets = onward(packets)
                    for chunk in Sound(packets, self._lost):
                        heard += len(chunk.samples)
                        if run.first.leaps > leaps:
                            leaps = run.first.leaps
                            stopped = lambda: self._runs.stopped  # noqa: E731
                            self._times.follow(run.first, chunk.pts, stopped=stopped)
                        place = self._times.place(run.first, chunk.pts)
                        if place is not None and _is_wanted(chunk, place, self._since):
                            yield replace(chunk, pts=place)
            if told == self._lost[UNDECODED] and not self._runs.stopped:
                self._lost[SILENT] += run.silent(heard / RATE)


def _is_wanted(chunk: SoundChunk, place: Fraction, since: Fraction | None) -> bool:
    return since is None or place + Fraction(len(chunk.samples), RATE) > since
