"""The files of a live title, segment by segment."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from vidlift import __version__
from vidlift.cloud.boxes import Sample, codec_string, fragment, header_of, timescale
from vidlift.cloud.ladder import Rung, brought_down, rungs, shrink, spelt_out
from vidlift.cloud.library import CARD, MASTER, read_title
from vidlift.cloud.pack import segment_of, tail_of
from vidlift.cloud.playlists import LIGHT, Alternative, Variant, master_playlist, media_playlist
from vidlift.cloud.sounds import SoundEncoder
from vidlift.errors import OutputError
from vidlift.frame import Frame
from vidlift.jobs.notes import write_whole
from vidlift.sinks.gop import GOP_CODECS, Gop, GopEncoder, GopOptions
from vidlift.sources.split import SoundChunk, Split

SEGMENT = Fraction(2)
"""Seconds of a segment, a group of pictures each: less delay than on demand."""

KEPT = 4
"""Segments that stay on the disk after they have left the list: somebody may be fetching them."""

_PACKET = 1024
"""Samples of a packet of sound."""


Laddered = tuple[Frame, tuple[Frame, ...]]
"""A frame, and what it is on each rung."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    rungs: tuple[int, ...] = (180, 270, 360)
    crf: int | None = None
    name: str = "live"
    window: int = 8
    """Segments in the list."""

    pace: bool = True
    """Whether frames wait for their time, as those of a file must; a live input paces itself."""


class Broadcast:
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

        self._times: dict[int, tuple[Fraction, Fraction]] = {}
        """When each segment begins and ends: those in the lists, and the one in the making."""

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
        self._times[self.count] = times[0], end
        return end

    def sound(self, chunks: Iterable[SoundChunk], end: Fraction) -> None:
        """Encode a segment's sound and write its file, which may be empty of sound."""
        if self._encoder is None:
            return
        header = self._encoder.header
        ticks = timescale(header)
        packets = [packet for chunk in chunks for packet in self._encoder.encode(chunk)]
        start, _ = self._times[self.count]
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
        self._times.pop(self._first - 1, None)
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
        info = self._split.pictures.info
        variants = [
            Variant(
                uri=f"{self._version}/{rung.name}/index.m3u8",
                # A peak of the beginning: what comes later is not known yet.
                peak=round(1.5 * self._rates[rung.name] + sound),
                average=round(self._rates[rung.name] + sound),
                codecs=",".join(c for c in (self._codecs[rung.name], codecs) if c),
                width=rung.width,
                height=rung.height,
                rate=float(info.rate) if info.rate else None,
                light=LIGHT.get(spelt_out(info).transfer),
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
