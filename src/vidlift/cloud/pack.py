"""Frames to segments: every rung of a ladder, cut at the same times, group by group.

    time     0     2     4     6     8
    groups   |-----|-----|-----|-----|     closed, begun by a key picture
    segments |-----------|-----------|     one file a rung

All rungs are encoded side by side from one decoding of the video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import groupby

from vidlift.cloud.boxes import Sample, fragment, header_of, timescale
from vidlift.cloud.gain import Gain
from vidlift.cloud.journal import Journal, Row
from vidlift.cloud.ladder import Rung, brought_down, shrink
from vidlift.errors import InputError
from vidlift.frame import Frame
from vidlift.jobs.notes import sync, write_whole
from vidlift.sinks.gop import GOP_CODECS, Gop, GopEncoder, GopOptions, Packet
from vidlift.sources.file import FileSource
from vidlift.stages.ahead import ahead
from vidlift.video import VideoInfo

GOP = Fraction(2)
"""Seconds of a group of pictures."""

SEGMENT = Fraction(4)
"""Seconds of a segment: a multiple of ``GOP``."""

_AHEAD = 4
"""Frames decoded and brought down while earlier ones are encoded."""

# Note [Decoding times]
# Pictures that refer to later ones are decoded after those. A picture is decoded when the one
# REORDERED places before it in order of showing is shown, which needs the last times of the
# segment before and keeps decoding times in line across segments. Nothing is decoded before the
# film begins, since fragments know no negative times: the first few pictures follow one another
# by a tick, and where they are all of a segment, the next goes on from there. (Negative offsets
# from decoding to showing would be another way, which many players misread; a film that begins
# late would be a third, and players skip the hole.)

Measure = Callable[[dict[str, bytes], list[Frame]], Gain]
"""From the coded segment of each rung and some original frames of it to how the rungs look."""

LONGEST = (1 << 31) - 1
"""Ticks that a fragment can say: from one picture to the next, or from decoding to showing."""

MEASURED_FROM = Fraction(5, 2)
"""Seconds into a segment of the two frames that quality is measured on, the last two of a shorter
one: between key pictures, and not where a film fades in."""

Laddered = tuple[Frame, tuple[Frame, ...]]
"""A frame, and the same one at every rung."""


class Packer:
    """Writes the segments of all rungs; goes on after the last one in the journal."""

    def __init__(
        self,
        source: FileSource,
        rungs: tuple[Rung, ...],
        options: Callable[[Rung], GopOptions],
        journal: Journal,
        *,
        bits: int,
        measure: Measure | None,
        tell: Callable[[int, int], None],
    ) -> None:
        """``tell`` is called after each frame with how many are done, and the bytes written."""
        self._source = source
        self._rungs = rungs
        self._infos = [_coded(source.info, rung, bits) for rung in rungs]
        self._options = [options(rung) for rung in rungs]
        self._reordered = max(GOP_CODECS[o.codec].reordered for o in self._options)
        self._journal = journal
        self._measure = measure
        self._tell = tell
        self.origin = Fraction(0)
        """The time in the file that is 0 in the title: that of its first frame."""

    def run(self) -> None:
        for rung in self._rungs:
            (self._journal.content / rung.name).mkdir(exist_ok=True)
        sync(self._journal.content)
        with closing(ahead(self._brought_down(), depth=_AHEAD)) as frames:
            for _, segment in groupby(frames, key=lambda f: f[0].pts // SEGMENT):
                self._write(segment)

    def _brought_down(self) -> Iterator[Laddered]:
        """Frames that are not yet in a finished segment, their times counted from the origin."""
        rows = self._journal.rows
        done = Fraction(rows[-1].end) if rows else Fraction(0)
        siting = self._source.info.siting
        for number, frame in enumerate(self._source):
            if number == 0:
                self.origin = frame.pts
            moved = replace(frame, pts=frame.pts - self.origin)
            if moved.pts < done:
                continue
            small = tuple(
                shrink(moved, rung, siting=siting, bits=info.bits, color=info.color)
                for rung, info in zip(self._rungs, self._infos, strict=True)
            )
            yield moved, small

    def _write(self, segment: Iterable[Laddered]) -> None:
        journal = self._journal
        index = len(journal.rows)
        frames, end, kept, times = 0, Fraction(0), list[Frame](), list[Fraction]()
        start: Fraction | None = None
        coded: list[list[Gop]] = [[] for _ in self._rungs]
        for _, group in groupby(segment, key=lambda f: f[0].pts // GOP):
            encoders = [GopEncoder(i, o) for i, o in zip(self._infos, self._options, strict=True)]
            try:
                for frame, small in group:
                    start = frame.pts if start is None else start
                    if self._measure and frame.pts - start <= MEASURED_FROM:
                        kept = [*kept[-1:], frame]
                    for encoder, picture in zip(encoders, small, strict=True):
                        encoder.write(picture)
                    times.append(frame.pts)
                    frames, end = frames + 1, frame.pts + frame.duration
                    self._tell(_count(journal) + frames, _bytes(journal))
                for gops, encoder in zip(coded, encoders, strict=True):
                    gops.append(encoder.finish())
            except BaseException:
                for encoder in encoders:
                    encoder.abandon()
                raise
        assert start is not None
        before = self._before(start)
        files = self._files(coded, index, before=before, end=end)
        for rung, (header, data) in zip(self._rungs, files, strict=True):
            if index == 0:
                write_whole(journal.content / rung.name / "init.mp4", header)
            write_whole(journal.path(rung.name, index), data)
            sync(journal.content / rung.name)
        names = [rung.name for rung in self._rungs]
        gain: Gain = {}
        if self._measure is not None:
            wholes = {name: h + d for name, (h, d) in zip(names, files, strict=True)}
            gain = self._measure(wholes, kept)
        sizes = {name: len(data) for name, (_, data) in zip(names, files, strict=True)}
        tail = [str(time) for time in tail_of(before, times, files[0][0])]
        journal.add(
            Row(start=str(start), end=str(end), frames=frames, tail=tail, sizes=sizes, gain=gain)
        )

    def _before(self, start: Fraction) -> list[Fraction]:
        """When the last frames before this segment were shown; its start where it is the first."""
        rows = self._journal.rows
        return [Fraction(time) for time in rows[-1].tail] if rows else [start] * self._reordered

    def _files(
        self, coded: list[list[Gop]], index: int, *, before: list[Fraction], end: Fraction
    ) -> list[tuple[bytes, bytes]]:
        """Header and segment of each rung."""
        found = []
        for gops in coded:
            header = header_of(gops[0].header)
            packets = [packet for gop in gops for packet in gop.packets]
            found.append(
                (header, segment_of(packets, header, number=index + 1, before=before, end=end))
            )
        return found


def segment_of(
    packets: list[Packet],
    header: bytes,
    *,
    number: int,
    before: Sequence[Fraction],
    end: Fraction,
) -> bytes:
    """A fragment of packets in order of decoding. See Note [Decoding times].

    ``before`` are when the last frames before these were shown, as many as may be reordered;
    the last frame of these is shown until ``end``. Raises ``InputError`` for more time between
    two frames than a fragment can say.
    """
    ticks = timescale(header)
    shown = [int(packet.pts * ticks) for packet in packets]
    decoded = _decoded([*before, *sorted(packet.pts for packet in packets), end], ticks)
    samples = []
    for index, (packet, pts) in enumerate(zip(packets, shown, strict=True)):
        assert decoded[index] <= pts, "a picture is shown before it is decoded"
        samples.append(
            Sample(
                data=packet.data,
                duration=decoded[index + 1] - decoded[index],
                offset=pts - decoded[index],
                key=packet.key,
            )
        )
    longest = max(max(sample.duration, sample.offset) for sample in samples)
    if longest > LONGEST:
        raise InputError(
            f"a gap of {longest / ticks / 3600:.1f} hours between its pictures, and in segments of "
            f"this video {LONGEST / ticks / 3600:.1f} hours are the most; cut it in two there"
        )
    return fragment(samples, number=number, decoded_at=decoded[0])


def tail_of(before: Sequence[Fraction], times: Sequence[Fraction], header: bytes) -> list[Fraction]:
    """``before`` of the segment after one whose frames are shown at ``times``."""
    ticks = timescale(header)
    decoded = _decoded([*before, *times], ticks)
    return [Fraction(tick, ticks) for tick in decoded[len(times) :]]


def _decoded(times: Iterable[Fraction], ticks: int) -> list[int]:
    """Times as ticks, each a tick after the one before it at least."""
    found: list[int] = []
    for time in times:
        found.append(max(int(time * ticks), found[-1] + 1 if found else 0))
    return found


def _coded(info: VideoInfo, rung: Rung, bits: int) -> VideoInfo:
    return replace(brought_down(info, rung), bits=bits)


def _count(journal: Journal) -> int:
    return sum(row.frames for row in journal.rows)


def _bytes(journal: Journal) -> int:
    return sum(sum(row.sizes.values()) for row in journal.rows)
