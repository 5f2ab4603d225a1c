"""From packets of a video stream to frames at their own times: what every source decodes with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain, islice, pairwise

import av
from av.video.stream import VideoStream

from vidlift.errors import InputError
from vidlift.frame import Frame
from vidlift.sources import decode
from vidlift.sources.deinterlace import progressive
from vidlift.sources.formats import Converter
from vidlift.video import VideoInfo

GUESSED = 16
"""Pictures by which it is seen whether guessed times are in order."""

EARLY = 32
"""Pictures before time zero, at most, whose times are found: they are held meanwhile."""


class Pictures:
    """The frames of one video stream. See ``Source`` for what it promises.

    A packet that cannot be decoded is passed over and counted in ``lost``, as is a picture whose
    timestamp does not go forward. The container stays whose it was: ``close`` leaves it open.
    """

    def __init__(
        self,
        stream: VideoStream,
        packets: Iterator[av.Packet[VideoStream]],
        *,
        name: str,
        since: Fraction | None = None,
        adapt: Callable[[av.VideoFrame], av.VideoFrame] | None = None,
    ) -> None:
        """Decodes the first picture, so that ``info`` is known; ``name`` is what errors say.

        ``packets`` are those of ``stream``, the empty ones that flush its decoder included.
        Frames whose time was over before ``since`` are decoded and left out; where that is all
        of them, the last one is given. ``adapt`` is done to each of the others.
        """
        self.lost: dict[str, int] = Counter()
        self._stream = stream
        self._packets = packets
        if not stream.codec_context.is_open:
            stream.codec_context.thread_type = "AUTO"
            stream.codec_context.options = decode.EXPORTED
        pictures = self._timed(self._decode())
        first = next(pictures, None)
        if first is None:
            raise InputError(f"{name}: no picture of its video can be decoded")
        self._converter = Converter(first, codec=decode.codec_of(stream), name=name)
        self.info: VideoInfo = decode.describe(stream, first, self._converter)
        self.begins: Fraction = self._to_frame(first, None).pts
        """Time of the first picture, given or left out."""

        whole = progressive(chain([first], pictures), time_base=self.info.time_base)
        if since is not None:
            whole = self._near(whole, since)
        if adapt is not None:
            whole = map(adapt, whole)
        frames = self._to_frames(whole)
        self._frames = frames if since is None else _since(frames, since)

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        self._frames.close()

    def _timed(self, pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Pictures of AVI, which has no times of its own: FFmpeg guesses them, out of order where
        there are B-frames; they are then shown in the rhythm in which they were decoded."""
        kind = self._stream.container.format.name
        if kind != "avi":
            yield from self._early(pictures) if kind.startswith("matroska") else pictures
            return
        first = list(islice(pictures, GUESSED))
        guessed, decoded = [p.pts for p in first], [p.dts for p in first if p.dts is not None]
        if _forward(guessed) or not decoded or not _forward(decoded):
            yield from chain(first, pictures)
            return
        at, step = (guessed[0] or 0), 1
        before = decoded[0]
        for picture in chain(first, pictures):
            if picture is not first[0]:
                # Of the last ones, which the decoder held back, it does not say when.
                step = step if picture.dts is None else picture.dts - before
                before, at = before + step, at + step
            picture.pts = at
            yield picture

    def _early(self, pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Pictures of Matroska, of which FFmpeg tells no times before zero: such pictures lie
        before the first that has a time as their rate says."""
        first: list[av.VideoFrame] = []
        for picture in pictures:
            first.append(picture)
            if picture.pts is not None or len(first) > EARLY:
                break
        if first and first[-1].pts is not None:
            zero, unit = first[-1].pts, first[-1].time_base or Fraction(1, 1000)
            rate = decode.rate_of(self._stream)
            step = 1 / (rate * unit) if rate else Fraction(first[-1].duration or 1)
            for places, picture in enumerate(reversed(first[:-1]), start=1):
                picture.pts = zero - round(places * step)
        yield from chain(first, pictures)

    def _decode(self) -> Iterator[av.VideoFrame]:
        while True:
            try:
                packet = next(self._packets)
            except StopIteration:
                return
            except (av.FFmpegError, OSError):
                self.lost["the file could not be read to its end"] += 1
                # The end did not come: what the decoder still holds has to be asked for.
                yield from self._decoded(lambda: self._stream.decode(None))
                return
            yield from self._decoded(packet.decode)

    def _decoded(self, decode: Callable[[], list[av.VideoFrame]]) -> list[av.VideoFrame]:
        try:
            return decode()
        except av.FFmpegError:
            self.lost["a packet could not be decoded"] += 1
            return []

    def _near(self, pictures: Iterator[av.VideoFrame], time: Fraction) -> Iterator[av.VideoFrame]:
        """Pictures from the last before ``time`` on."""
        before: av.VideoFrame | None = None
        for picture in pictures:
            unit = picture.time_base or self.info.time_base
            if picture.pts is not None and picture.pts * unit < time:
                before = picture
                continue
            if before is not None:
                yield before
                before = None
            yield picture
        if before is not None:
            yield before

    def _to_frames(self, pictures: Iterator[av.VideoFrame]) -> Generator[Frame]:
        """Times of pictures are their own; how long one is shown is told by the next one.

        The last is shown as long as it says or, where it says nothing, as the one before it.
        """
        waiting: Frame | None = None
        lasted = Fraction(0)
        for picture in pictures:
            frame = self._to_frame(picture, waiting)
            if waiting is None:
                waiting = frame
            elif frame.pts > waiting.pts:
                lasted = frame.pts - waiting.pts
                yield replace(waiting, duration=lasted)
                waiting = frame
            else:
                self.lost["its timestamp does not go forward"] += 1
        if waiting is not None:
            yield replace(waiting, duration=waiting.duration or lasted)

    def _to_frame(self, picture: av.VideoFrame, before: Frame | None) -> Frame:
        unit = picture.time_base or self.info.time_base
        duration = picture.duration * unit if picture.duration else _nominal(self.info)
        if picture.pts is not None:
            pts = picture.pts * unit
        else:
            pts = before.pts + before.duration if before is not None else Fraction(0)
        return decode.to_frame(
            picture, self._converter, pts=pts, duration=duration, sar=self.info.sar
        )


def _forward(times: Sequence[int | None]) -> bool:
    return all(
        before is not None and after is not None and before < after
        for before, after in pairwise(times)
    )


def _since(frames: Iterator[Frame], time: Fraction) -> Generator[Frame]:
    before: Frame | None = None
    for frame in frames:
        if frame.pts + frame.duration > time:
            yield frame
            before = None
            break
        before = frame
    yield from frames if before is None else (before,)


def _nominal(info: VideoInfo) -> Fraction:
    """How long a picture of this video lasts where nothing says so."""
    return 1 / info.rate if info.rate else Fraction(0)
