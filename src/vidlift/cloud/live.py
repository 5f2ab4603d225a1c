"""A live film: what comes in is encoded as it comes, and offered as a window that slides.

    LIBRARY/NAME/
      master.m3u8 vidlift.json
      live-1f3a…/270p/index.m3u8     the newest segments, written anew for each
      live-1f3a…/270p/00042.m4s      removed a while after they have left the list

A segment appears before the list that names it, and every list whole or not at all. When what
comes in ends, the lists say so and the last window stays. Where its times jump, as when the
encoder before the pipe begins anew, those of the title go on.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import groupby
from pathlib import Path
from select import select
from socket import socketpair
from typing import Any, BinaryIO

from vidlift import __version__
from vidlift.cloud.boxes import Sample, codec_string, fragment, header_of, timescale
from vidlift.cloud.ladder import Rung, brought_down, rungs, shrink
from vidlift.cloud.library import CARD, MASTER, Title, read_title, title_name
from vidlift.cloud.pack import segment_of, tail_of
from vidlift.cloud.playlists import Alternative, Variant, master_playlist, media_playlist
from vidlift.cloud.sounds import SoundEncoder
from vidlift.errors import OutputError
from vidlift.frame import Frame
from vidlift.jobs.notes import alone, write_whole
from vidlift.sinks.gop import GOP_CODECS, Gop, GopEncoder, GopOptions
from vidlift.sources.split import SoundChunk, Split
from vidlift.stages.ahead import STIR, Ahead, ahead

SEGMENT = Fraction(2)
"""Seconds of a segment, a group of pictures each: less delay than on demand."""

KEPT = 4
"""Segments that stay on the disk after they have left the list: somebody may be fetching them."""

SOUND_WAIT = 2.0
"""Seconds that a segment waits for its sound."""

BACK, ON = Fraction(1), Fraction(3600)
"""Seconds that times jump back, or on, at least, where what comes in has begun anew."""

LOCK = ".live-lock"
"""Held while somebody broadcasts the title."""

_AHEAD = 8

_PACKET = 1024
"""Samples of a packet of sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    rungs: tuple[int, ...] = (180, 270, 360)
    crf: int | None = None
    name: str = "live"
    window: int = 8
    """Segments in the list."""

    pace: bool = True
    """Whether frames wait for their time, as those of a file must; a live input paces itself."""


Tell = Callable[[int, Fraction], None]
"""Told after each segment how many there are and where in the film that is."""


def go_live(
    source: Path | BinaryIO,
    library: str | Path,
    options: LiveOptions | None = None,
    *,
    tell: Tell = lambda _count, _time: None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Title:
    """Offer what comes from ``source`` as a live title until it ends; returns the title.

    However it ends, viewers are told so once anything was offered. Raises the errors of
    ``vidlift.errors``.
    """
    options = options or LiveOptions()
    where = Path(library) / title_name(options.name)
    if not _is_free(where):
        raise OutputError(f"{where} is there already, and is no live title")
    with ExitStack() as stack:
        name = str(source) if isinstance(source, Path) else "what comes from the pipe"
        pipe, wake = None, _nothing
        if not isinstance(source, Path) and not source.seekable():
            pipe = stack.enter_context(closing(_Pipe(source)))
            wake = pipe.wake
        try:
            entry: Any = pipe or source
            split = stack.enter_context(closing(_Onward(entry, name=name)))
        finally:
            if pipe is not None and pipe.interrupted:
                raise KeyboardInterrupt
        stack.enter_context(_broadcasting(where))
        broadcast = _Broadcast(split, where, options)
        try:
            frames = ahead(broadcast.brought_down(), depth=_AHEAD, wake=wake)
            pictures = stack.enter_context(closing(frames))
            sound = None
            if split.sound is not None:
                sound = stack.enter_context(closing(ahead(split.sound, depth=_AHEAD, wake=wake)))
            stack.callback(split.stop)
            listener = _Listener(sound, clock=clock, pause=pause)
            paced = _paced(pictures, clock, pause) if options.pace else pictures
            for _, segment in groupby(paced, key=lambda f: f[0].pts // SEGMENT):
                end = broadcast.pictures(segment)
                broadcast.sound(listener.until(end + broadcast.origin), end)
                broadcast.publish()
                tell(broadcast.count, end)
        finally:
            broadcast.end()  # also when it is interrupted, so that nobody waits for more
        title = read_title(where)
    assert title is not None
    return title


def _nothing() -> None:
    """Wakes nobody: a file comes to its end by itself."""


def _is_free(where: Path) -> bool:
    """Whether a broadcast may have this folder: nothing is there but what others of it left.

    One that was killed left its files without the card, or with nothing in any list yet.
    """
    there = read_title(where)
    if there is not None or not where.is_dir():
        return "live" in there.card if there is not None else not os.path.lexists(where)
    names = {path.name for path in where.iterdir()}
    ours = {name for name in names if name == LOCK or name.startswith("live-")}
    return bool(ours) and names <= ours | {MASTER, f".{MASTER}.part", f".{CARD}.part"}


@contextmanager
def _broadcasting(where: Path) -> Iterator[None]:
    """Have a title's folder, which nobody else broadcasts in; it is gone again if none came."""
    lock = where / LOCK
    try:
        where.mkdir(parents=True, exist_ok=True)
        lock.touch()
    except OSError as error:
        raise OutputError(f"cannot write {where}: {error.strerror}") from error
    with alone(lock, busy=f"another vidlift is live in {where} at this moment"):
        try:
            yield
        finally:
            if not (where / CARD).exists():
                with suppress(OSError):
                    lock.unlink()
                    where.rmdir()


class _Pipe:
    """The bytes of a pipe, whose reader need not wait for ever."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._waker, self._woken = socketpair()
        self.interrupted = False
        """Whether somebody pressed Ctrl-C in ``read``: FFmpeg, which calls it, loses errors."""

    def read(self, size: int) -> bytes:
        """Bytes as they come, none at the end, or once it was woken."""
        pipe, woken = self._source.fileno(), self._woken.fileno()
        ready: list[int] = []
        try:
            while not ready:  # not in one wait: see ``STIR``
                ready, _, _ = select([pipe, woken], [], [], STIR)
            return b"" if woken in ready else os.read(pipe, size)
        except KeyboardInterrupt:
            self.interrupted = True
            self.wake()
            return b""

    def wake(self) -> None:
        """End a wait for bytes, now or later. From any thread, and again."""
        self._waker.close()

    def close(self) -> None:
        self._waker.close()
        self._woken.close()


class _Onward(Split):
    """A film whose time goes on where it jumps, in pictures and sound alike.

    as it came   0 1 2 3 | 0 1 2 | 95000 95001
    as given     0 1 2 3 | 4 5 6 | 7 8
    """

    def _without_words(self, packets: Iterator[Any]) -> Iterator[Any]:
        shift = reached = Fraction(0)
        known: dict[int, tuple[Fraction, Fraction]] = {}  # by stream: its shift, its last time
        for packet in super()._without_words(packets):
            stamp = packet.pts if packet.dts is None else packet.dts
            if stamp is None:  # what flushes a decoder
                yield packet
                continue
            unit, stream = packet.time_base, packet.stream.index
            own, last = known.get(stream, (shift, stamp * unit))
            if not -BACK < stamp * unit - last < ON:
                if own == shift:  # no other stream has jumped before it
                    shift = reached - unit * (stamp if packet.pts is None else packet.pts)
                own = shift
            known[stream] = own, stamp * unit
            moved = round(own / unit)
            if packet.dts is not None:
                packet.dts += moved
            if packet.pts is not None:
                packet.pts += moved
            end = max(stamp + moved, packet.pts or 0) + (packet.duration or 0)
            reached = max(reached, end * unit)
            yield packet


Laddered = tuple[Frame, tuple[Frame, ...]]


def _paced(
    frames: Iterable[Laddered], clock: Callable[[], float], pause: Callable[[float], None]
) -> Iterator[Laddered]:
    """Frames not before their time, counted from the first one."""
    begun: float | None = None
    for frame in frames:
        begun = clock() if begun is None else begun
        early = begun + float(frame[0].pts) - clock()
        if early > 0:
            pause(early)
        yield frame


class _Listener:
    """Takes sound as far as a segment goes, without waiting for it for ever."""

    def __init__(
        self,
        chunks: Ahead[SoundChunk] | None,
        *,
        clock: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._chunks = chunks
        self._clock, self._pause = clock, pause
        self._waiting: SoundChunk | None = None

    def until(self, end: Fraction) -> Iterator[SoundChunk]:
        """The chunks that begin before ``end``, as far as they come in time."""
        since = self._clock()
        while self._chunks is not None:
            if self._waiting is None:
                if not self._chunks.ready:
                    if self._clock() - since > SOUND_WAIT:
                        return
                    self._pause(0.01)
                    continue
                self._waiting = next(self._chunks, None)
                if self._waiting is None:
                    self._chunks = None
                    return
            if self._waiting.pts >= end:
                return
            chunk, self._waiting = self._waiting, None
            yield chunk


class _Broadcast:
    """The files of a live title."""

    def __init__(self, split: Split, where: Path, options: LiveOptions) -> None:
        info = split.pictures.info
        self._split, self._where, self._options = split, where, options
        self._rungs = rungs(info, options.rungs)
        self._infos = [replace(brought_down(info, rung), bits=8) for rung in self._rungs]
        self._gop = GopOptions(crf=options.crf)
        self.origin = split.pictures.begins
        self.count = 0
        """Segments that are offered, or were."""

        self._times: list[tuple[Fraction, Fraction]] = []
        self._before: list[Fraction] = []
        self._heard = 0
        self._encoder = SoundEncoder() if split.sound is not None else None
        self._rates: dict[str, float] = {}
        self._codecs: dict[str, str] = {}
        self._version = f"live-{time.time_ns():x}"
        self._content = where / self._version
        names = [rung.name for rung in self._rungs]
        if self._encoder is not None:
            names.append("sound-0")
        try:
            for name in names:
                (self._content / name).mkdir(parents=True)
        except OSError as error:
            raise OutputError(f"cannot write {where}: {error.strerror}") from error
        self._names = names
        self._clear()

    def brought_down(self) -> Iterator[Laddered]:
        siting = self._split.pictures.info.siting
        for frame in self._split.pictures:
            moved = replace(frame, pts=frame.pts - self.origin)
            yield (
                moved,
                tuple(
                    shrink(moved, rung, siting=siting, bits=8, color=info.color)
                    for rung, info in zip(self._rungs, self._infos, strict=True)
                ),
            )

    def pictures(self, segment: Iterable[Laddered]) -> Fraction:
        """Encode a segment's pictures and write its files; returns where it ends."""
        encoders = [GopEncoder(info, self._gop) for info in self._infos]
        times: list[Fraction] = []
        end = Fraction(0)
        try:
            for frame, small in segment:
                times.append(frame.pts)
                end = frame.pts + frame.duration
                for encoder, picture in zip(encoders, small, strict=True):
                    encoder.write(picture)
            gops = [encoder.finish() for encoder in encoders]
        except BaseException:
            for encoder in encoders:
                encoder.abandon()
            raise
        depth = GOP_CODECS[self._gop.codec].reordered
        if not self._before:
            self._before = [times[0]] * depth
        for rung, gop in zip(self._rungs, gops, strict=True):
            self._write(rung, gop, end, seconds=end - times[0])
        self._before = tail_of(self._before, times, header_of(gops[0].header))
        self._times.append((times[0], end))
        return end

    def sound(self, chunks: Iterable[SoundChunk], end: Fraction) -> None:
        """Encode a segment's sound and write its file, which may be empty of sound."""
        if self._encoder is None:
            return
        header = self._encoder.header
        ticks = timescale(header)
        packets = [packet for chunk in chunks for packet in self._encoder.encode(chunk)]
        start = self._times[-1][0]
        timed = [(int((pts - self.origin) * ticks), data) for data, pts in packets]
        # Before the pictures, or over what was heard before a jump; less is a clock's trembling.
        timed = [(at, data) for at, data in timed if at >= max(0, self._heard - _PACKET // 2)]
        folder = self._content / "sound-0"
        if self.count == 0:
            self._put(folder / "init.mp4", header)
            self._codecs["sound-0"] = codec_string(header)
        samples = [Sample(data=data, duration=_PACKET) for _, data in timed]
        first = timed[0][0] if timed else int(start * ticks)
        self._heard = first + len(samples) * _PACKET
        data = fragment(samples, number=self.count + 1, decoded_at=first)
        self._put(folder / _segment(self.count), data)
        self._note("sound-0", data, end - start)

    def publish(self) -> None:
        """Name the newest segment in the lists, and let go of those long out of them."""
        self.count += 1
        for name in self._names:
            self._list(name, ended=False)
            self._drop(name, self._first - KEPT - 1)
        if self.count == 1:
            self._write_top(live=True)

    def end(self) -> None:
        """Tell viewers that no more comes; where nothing was offered, nothing stays.

        Each list is told by itself, since a disk that is full has room for some, and for more
        once those segments are gone that are in no list.
        """
        if self.count == 0:
            shutil.rmtree(self._content, ignore_errors=True)
            return
        for name in self._names:
            self._drop(name, self.count)
        notes = [partial(self._list, name, ended=True) for name in self._names]
        failed = _failures([*notes, partial(self._write_top, live=False)])
        if failed:
            for name in self._names:
                for index in range(max(0, self._first - KEPT - 1), self._first):
                    self._drop(name, index)
            failed = _failures([*notes, partial(self._write_top, live=False)])
        for error in failed:
            raise error

    @property
    def _first(self) -> int:
        """The first segment in the lists."""
        return max(0, self.count - self._options.window)

    def _list(self, name: str, *, ended: bool) -> None:
        rows = [
            (_segment(index), float(self._times[index][1] - self._times[index][0]))
            for index in range(self._first, self.count)
        ]
        target = int(SEGMENT) + 1
        text = media_playlist(
            rows, header="init.mp4", first=self._first, ended=False, target=target
        )
        if ended:
            text += "#EXT-X-ENDLIST\n"
        self._put(self._content / name / "index.m3u8", text.encode())

    def _drop(self, name: str, index: int) -> None:
        with suppress(OSError):
            (self._content / name / _segment(index)).unlink(missing_ok=True)

    def _put(self, file: Path, data: bytes) -> None:
        try:
            write_whole(file, data)
        except OSError as error:
            with suppress(OSError):
                file.with_name(f".{file.name}.part").unlink()
            raise OutputError(f"cannot write {self._where}: {error.strerror or error}") from error

    def _write(self, rung: Rung, gop: Gop, end: Fraction, *, seconds: Fraction) -> None:
        header = header_of(gop.header)
        folder = self._content / rung.name
        if self.count == 0:
            self._put(folder / "init.mp4", header)
            self._codecs[rung.name] = codec_string(header)
        data = segment_of(
            list(gop.packets), header, number=self.count + 1, before=self._before, end=end
        )
        self._put(folder / _segment(self.count), data)
        self._note(rung.name, data, seconds)

    def _note(self, name: str, data: bytes, seconds: Fraction) -> None:
        self._rates[name] = max(self._rates.get(name, 0.0), 8 * len(data) / float(seconds))

    def _write_top(self, *, live: bool) -> None:
        sound = self._rates.get("sound-0", 0.0)
        codecs = self._codecs.get("sound-0")
        rate = self._split.pictures.info.rate
        variants = [
            Variant(
                uri=f"{self._version}/{rung.name}/index.m3u8",
                # A peak of the beginning: what comes later is not known yet.
                peak=round(1.5 * self._rates[rung.name] + sound),
                average=round(self._rates[rung.name] + sound),
                codecs=",".join(c for c in (self._codecs[rung.name], codecs) if c),
                width=rung.width,
                height=rung.height,
                rate=float(rate) if rate else None,
            )
            for rung in self._rungs
        ]
        sounds = [
            Alternative(
                kind="AUDIO",
                uri=f"{self._version}/sound-0/index.m3u8",
                name="Sound",
                language=None,
                default=True,
                channels=2,
            )
        ]
        renditions: list[dict[str, Any]] = [
            {"name": r.name, "width": r.width, "height": r.height, "codec": "h264"}
            for r in self._rungs
        ]
        card = {
            "format": 2,
            "vidlift": __version__,
            "title": self._where.name,
            "version": self._version,
            "live": live,
            "playlist": MASTER,
            "poster": None,
            "renditions": renditions,
            "needless": [],
            "warnings": self._warnings(),
        }
        master = master_playlist(variants, sounds if codecs else [])
        self._put(self._where / MASTER, master.encode())
        self._put(self._where / CARD, (json.dumps(card, indent=2) + "\n").encode())

    def _warnings(self) -> list[str]:
        lost = dict(self._split.pictures.lost)
        if self._split.sound is not None:
            lost |= self._split.sound.lost
        return [f"{count} x {reason}" for reason, count in lost.items()]

    def _clear(self) -> None:
        """Remove what earlier broadcasts left, the last one that was offered apart."""
        there = read_title(self._where)
        kept = [self._version, there and there.card.get("version")]
        for folder in self._where.glob("live-*"):
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)


def _segment(index: int) -> str:
    return f"{index:05d}.m4s"


def _failures(writes: Iterable[Callable[[], None]]) -> list[OutputError]:
    """Do them all, and give what failed."""
    failed = []
    for write in writes:
        try:
            write()
        except OutputError as error:
            failed.append(error)
    return failed
