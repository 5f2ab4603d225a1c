"""From packets of a video stream to frames at their own times: what every source decodes with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain

import av
from av.video.stream import VideoStream

from vidlift.errors import InputError
from vidlift.frame import Frame
from vidlift.sources import decode
from vidlift.video import VideoInfo


class Pictures:
    """The frames of one video stream. See ``Source`` for what it promises.

    A packet that cannot be decoded is passed over and counted in ``lost``, as is a picture whose
    timestamp does not go forward. The container stays whose it was: ``close`` leaves it open.
    """

    def __init__(
        self, stream: VideoStream, packets: Iterator[av.Packet[VideoStream]], *, name: str
    ) -> None:
        """Decodes the first picture, so that ``info`` is known; ``name`` is what errors say.

        ``packets`` are those of ``stream``, the empty ones that flush its decoder included.
        """
        self.lost: dict[str, int] = Counter()
        self._packets = packets
        stream.codec_context.thread_type = "AUTO"
        pictures = self._decode()
        first = next(pictures, None)
        if first is None:
            raise InputError(f"{name}: no picture of its video can be decoded")
        self.info: VideoInfo = decode.describe(stream, first)
        pictures = chain([first], pictures)
        if self.info.interlaced:
            pictures = decode.progressive(pictures, stream)
        self._frames = self._to_frames(pictures)

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        self._frames.close()

    def _decode(self) -> Iterator[av.VideoFrame]:
        while True:
            try:
                packet = next(self._packets)
            except StopIteration:
                return
            except (av.FFmpegError, OSError):
                self.lost["the file could not be read to its end"] += 1
                return
            try:
                yield from packet.decode()
            except av.FFmpegError:
                self.lost["a packet could not be decoded"] += 1

    def _to_frames(self, pictures: Iterator[av.VideoFrame]) -> Generator[Frame]:
        """Times of pictures are their own; how long one is shown is told by the next one."""
        waiting: Frame | None = None
        for picture in pictures:
            frame = self._to_frame(picture, waiting)
            if waiting is None:
                waiting = frame
            elif frame.pts > waiting.pts:
                yield _lasting(waiting, frame.pts - waiting.pts)
                waiting = frame
            else:
                self.lost["its timestamp does not go forward"] += 1
        if waiting is not None:
            yield waiting

    def _to_frame(self, picture: av.VideoFrame, before: Frame | None) -> Frame:
        unit = picture.time_base or self.info.time_base
        duration = picture.duration * unit if picture.duration else _nominal(self.info)
        if picture.pts is not None:
            pts = picture.pts * unit
        else:
            pts = before.pts + before.duration if before is not None else Fraction(0)
        return decode.to_frame(picture, self.info, pts=pts, duration=duration)


def _lasting(frame: Frame, duration: Fraction) -> Frame:
    return replace(frame, duration=duration)


def _nominal(info: VideoInfo) -> Fraction:
    """How long a picture of this video lasts where nothing says so."""
    return 1 / info.rate if info.rate else Fraction(0)
