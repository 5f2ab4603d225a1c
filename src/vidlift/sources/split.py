"""One container read once, its sound and its pictures given apart: what a player plays from.

                      ┌─ parked pictures ──> Pictures ──> frames
    container ──> demux
                      └─ parked sound ─────> Sound ─────> chunks

Each side is pulled by a thread of its own. A side with nothing parked reads on and parks what
belongs to the other. Pictures are given as an ordinary screen shows them (``sdr.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from vidlift.errors import InputError
from vidlift.sources import decode, labels, words
from vidlift.sources.labels import Label
from vidlift.sources.parks import Parks
from vidlift.sources.pictures import Pictures
from vidlift.sources.sdr import ToSdr

RATE = 48_000
"""Samples a second of the sound given, whatever the file holds."""

UNDECODED = "a packet of sound could not be decoded"
SEEK_EARLIER = (0, 2, 10)
"""Seconds before the time wanted to seek to, in turn: some files lead to a picture after it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SoundChunk:
    """A stretch of sound: 48 kHz, stereo."""

    samples: NDArray[np.int16]
    """Shape [n, 2]: left and right."""

    pts: Fraction
    """When its first sample is heard, in seconds, exact, on the same axis as the pictures."""


class Split:
    """Sound and pictures of one file. Each side may be iterated in a thread of its own, once."""

    def __init__(
        self,
        where: str | Path | BinaryIO,
        *,
        name: str | None = None,
        sound: labels.Wanted | None = None,
    ) -> None:
        """Opens the file and decodes its first picture. Raises ``InputError``.

        ``sound`` is the track to play; where it is not there, the one that the file asks for.
        The side of that name is None where the file has none that can be decoded.
        """
        self.name = name or str(where)
        self._container = decode.open_container(where, name=self.name)
        try:
            self._video = decode.video_stream(self._container, name=self.name)
            self._audios = sound_streams(self._container)
            self.sounds: tuple[Label, ...] = tuple(map(labels.of_stream, self._audios))
            """The tracks of sound there are to choose from."""

            wanted = labels.find(self.sounds, sound)
            self.sound_at = labels.marked(self.sounds) if wanted is None else wanted
            """Which of them is played."""

            self._muted = False
            self.words = words.of(self._container)
            """Text subtitles, as far as they came by with the rest."""

            self._to_sdr = ToSdr(time_base=self._video.time_base or Fraction(1, av.time_base))
            self._begin()
            self._start = self.pictures.begins
        except BaseException:
            self._container.close()
            raise

    @property
    def end(self) -> Fraction | None:
        """When the film ends, as the file says; an estimate."""
        if self.pictures.info.duration is not None:
            return self._start + self.pictures.info.duration
        whole = self._container.duration
        return None if whole is None else self._start + Fraction(whole, av.time_base)

    @property
    def seekable(self) -> bool:
        """Whether it can be sought in, where its bytes can: a raw stream has no times."""
        kind: Any = self._container.format
        return not kind.flags & av.format.Flags.no_timestamps.value

    def seek(self, to: Fraction) -> None:
        """Make both sides anew, from what is shown and heard at ``to`` on.

        Where the film has ended by then, its last picture is given. Both sides must be at rest:
        stopped, and their threads gone.
        """
        failed: Exception | None = None
        earlier = [max(self._start, to - early) for early in SEEK_EARLIER]
        for target in (*earlier, self._start, self._start - SEEK_EARLIER[-1]):
            self._let_go()
            try:
                self._container.seek(int(target * av.time_base))
                self._begin(since=to)
                failed = None
                if self.pictures.begins <= to:
                    return
            except (InputError, av.FFmpegError, OSError) as error:
                failed = error  # it led to where nothing is, or nothing that can be decoded
        if failed is not None:
            raise InputError(f"{self.name} cannot be sought in: {failed}") from failed

    def listen(self, at: int) -> None:
        """From the next ``seek`` on give another track of sound."""
        self.sound_at = at

    def mute(self) -> None:
        """The sound is not wanted (any more): its side ends, nothing is parked for it."""
        self._shared.drop_following()
        self._muted = True

    def stop(self) -> None:
        """End both sides soon, from any thread: nobody waits for the other any longer."""
        self._shared.stop()

    def close(self) -> None:
        """Close the file. Both sides must be at rest: stopped, and their threads gone."""
        self._let_go()
        self._container.close()

    def _let_go(self) -> None:
        """Of both sides: else they keep one another, and a decoder, until cycles are collected."""
        self._shared.close()
        self.pictures.close()

    def _begin(self, *, since: Fraction | None = None) -> None:
        """Both sides from where the container stands, what was over before ``since`` left out."""
        video = self._video
        audio = self._audios[self.sound_at] if self._audios and not self._muted else None
        streams: list[Any] = [video] if audio is None else [video, audio]
        streams += [each.stream for each in self.words]
        self._shared = Parks(
            self._without_words(self._container.demux(streams)),
            leading=video.index,
            following=None if audio is None else audio.index,
        )
        self.pictures = Pictures(
            video,
            self._shared.side(video.index),
            name=self.name,
            since=since,
            adapt=self._to_sdr,
        )
        self.sound = (
            None
            if audio is None
            else Sound(self._shared.side(audio.index), self._shared.lost, since=since)
        )

    def _without_words(self, packets: Iterator[Any]) -> Iterator[Any]:
        """Packets of pictures and sound; those of subtitles are taken in as they come by."""
        said_in = {each.index: each for each in self.words}
        for packet in packets:
            if packet.stream.index in said_in:
                said_in[packet.stream.index].add(packet)
            else:
                yield packet


class Sound:
    """The sound of a file in chunks as they come, decoded, mixed to stereo, at ``RATE``.

    Chunks have the times of the file, which may leave gaps or overlap.
    """

    def __init__(
        self,
        packets: Iterator[Any],
        lost: dict[str, int],
        *,
        since: Fraction | None = None,
    ) -> None:
        """What was over before ``since`` is left out."""
        self._packets = packets
        self._since = since
        self.lost = lost
        """What could not be given, by reason."""

    def __iter__(self) -> Iterator[SoundChunk]:
        for chunk in self._chunks():
            end = chunk.pts + Fraction(len(chunk.samples), RATE)
            if self._since is None or end > self._since:
                yield chunk

    def _chunks(self) -> Iterator[SoundChunk]:
        resampler = _resampler()
        for frame in self._decode():
            try:
                resampled = resampler.resample(frame)
            except ValueError:  # rate or layout changed on the way
                resampler = _resampler()
                resampled = resampler.resample(frame)
            yield from map(_chunk, resampled)
        yield from map(_chunk, resampler.resample(None))

    def _decode(self) -> Iterator[av.AudioFrame]:
        while True:
            try:
                packet = next(self._packets)
            except StopIteration:
                return
            except (av.FFmpegError, OSError):
                return  # told by the pictures' side
            try:
                yield from (frame for frame in packet.decode() if frame.pts is not None)
            except av.FFmpegError:
                self.lost[UNDECODED] += 1


def sound_streams(container: InputContainer) -> list[AudioStream]:
    """The streams of sound that can be decoded."""
    return [stream for stream in container.streams.audio if stream.codec_context is not None]


def _resampler() -> av.AudioResampler:
    return av.AudioResampler(format="s16", layout="stereo", rate=RATE)


def _chunk(frame: av.AudioFrame) -> SoundChunk:
    assert frame.pts is not None
    assert frame.time_base is not None
    samples = frame.to_ndarray().reshape(-1, 2)  # packed: left, right, left, ...
    return SoundChunk(samples=samples.astype(np.int16, copy=False), pts=frame.pts * frame.time_base)
