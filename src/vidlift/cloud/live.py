"""A live film: what comes in is encoded as it comes, and offered as a window that slides.

    LIBRARY/NAME/
      master.m3u8 vidlift.json
      live-1f3a…/270p/index.m3u8     the newest segments, written anew for each
      live-1f3a…/270p/00042.m4s      removed a while after they have left the list

A segment appears before the list that names it, and every list whole or not at all. When what
comes in ends, the lists say so and the last window stays.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from vidlift import __version__
from vidlift.cloud.boxes import Sample, codec_string, fragment, header_of, timescale
from vidlift.cloud.ladder import Rung, brought_down, rungs, shrink
from vidlift.cloud.library import CARD, MASTER, Title, read_title, title_name
from vidlift.cloud.pack import segment_of
from vidlift.cloud.playlists import Alternative, Variant, master_playlist, media_playlist
from vidlift.cloud.sounds import SoundEncoder
from vidlift.errors import OutputError
from vidlift.frame import Frame
from vidlift.jobs.notes import write_whole
from vidlift.sinks.gop import GOP_CODECS, Gop, GopEncoder, GopOptions
from vidlift.sources.split import SoundChunk, Split
from vidlift.stages.ahead import Ahead, ahead

SEGMENT = Fraction(2)
"""Seconds of a segment, a group of pictures each: less delay than on demand."""

KEPT = 4
"""Segments that stay on the disk after they have left the list: somebody may be fetching them."""

SOUND_WAIT = 2.0
"""Seconds that a segment waits for its sound."""

_AHEAD = 8


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
    there = read_title(where)
    if where.exists() and (there is None or "live" not in there.card):
        raise OutputError(f"{where} is there already, and is no live title")
    with ExitStack() as stack:
        name = str(source) if isinstance(source, Path) else "what comes from the pipe"
        split = stack.enter_context(closing(Split(source, name=name)))
        broadcast = _Broadcast(split, where, options)
        pictures = stack.enter_context(closing(ahead(broadcast.brought_down(), depth=_AHEAD)))
        sound = None
        if split.sound is not None:
            sound = stack.enter_context(closing(ahead(split.sound, depth=_AHEAD)))
        stack.callback(split.stop)
        listener = _Listener(sound, clock=clock, pause=pause)
        paced = _paced(pictures, clock, pause) if options.pace else pictures
        try:
            for _, segment in groupby(paced, key=lambda f: f[0].pts // SEGMENT):
                end = broadcast.pictures(segment)
                broadcast.sound(listener.until(end + broadcast.origin), end)
                broadcast.publish(ended=False)
                tell(broadcast.count, end)
        finally:
            if broadcast.count:  # also when it is interrupted, so that nobody waits for more
                broadcast.publish(ended=True)
    title = read_title(where)
    assert title is not None
    return title


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
        self._times: list[tuple[Fraction, Fraction]] = []
        self._before: list[Fraction] = []
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
        self._before = [*self._before, *times][-depth:]
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
        timed = [
            (int((pts - self.origin) * ticks), data) for data, pts in packets if pts >= self.origin
        ]
        folder = self._content / "sound-0"
        if self.count == 0:
            write_whole(folder / "init.mp4", header)
            self._codecs["sound-0"] = codec_string(header)
        samples = [Sample(data=data, duration=1024) for _, data in timed]
        first = timed[0][0] if timed else int(start * ticks)
        data = fragment(samples, number=self.count + 1, decoded_at=first)
        write_whole(folder / f"{self.count:05d}.m4s", data)
        self._note("sound-0", data, end - start)

    def publish(self, *, ended: bool) -> None:
        """Name the newest segment in the lists, and let go of those long out of them."""
        if not ended:
            self.count += 1
        first = max(0, self.count - self._options.window)
        target = int(SEGMENT) + 1
        for name in self._names:
            rows = [
                (f"{index:05d}.m4s", float(self._times[index][1] - self._times[index][0]))
                for index in range(first, self.count)
            ]
            text = media_playlist(rows, header="init.mp4", first=first, ended=False, target=target)
            if ended:
                text += "#EXT-X-ENDLIST\n"
            write_whole(self._content / name / "index.m3u8", text.encode())
            old = first - KEPT - 1
            if old >= 0:
                (self._content / name / f"{old:05d}.m4s").unlink(missing_ok=True)
        if self.count == 1 or ended:
            self._write_top(live=not ended)

    def _write(self, rung: Rung, gop: Gop, end: Fraction, *, seconds: Fraction) -> None:
        header = header_of(gop.header)
        folder = self._content / rung.name
        if self.count == 0:
            write_whole(folder / "init.mp4", header)
            self._codecs[rung.name] = codec_string(header)
        data = segment_of(
            list(gop.packets), header, number=self.count + 1, before=self._before, end=end
        )
        write_whole(folder / f"{self.count:05d}.m4s", data)
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
            "warnings": [],
        }
        master = master_playlist(variants, sounds if codecs else [])
        write_whole(self._where / MASTER, master.encode())
        write_whole(self._where / CARD, (json.dumps(card, indent=2) + "\n").encode())

    def _clear(self) -> None:
        """Remove what earlier broadcasts left, the last one apart."""
        earlier = sorted(p for p in self._where.glob("live-*") if p != self._content)
        for folder in earlier[:-1]:
            for file in sorted(folder.rglob("*"), reverse=True):
                file.rmdir() if file.is_dir() else file.unlink()
            folder.rmdir()
