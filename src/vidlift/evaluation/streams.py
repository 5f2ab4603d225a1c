"""What happens to a low-resolution clip before a network sees it: nothing, or a codec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from vidlift.errors import InputError, UsageError
from vidlift.frame import Frame
from vidlift.sinks.file import EncoderOptions, FileSink
from vidlift.sources.file import FileSource
from vidlift.video import VideoInfo

CLEAN = "clean"

PROTOCOL = (CLEAN, "h264-18", "h264-23", "h264-28", "h264-35")
"""The streams that networks are compared on; ``av1-35`` is the further one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """How the low-resolution frames reach the viewer. Named ``clean`` or ``CODEC-CRF``."""

    name: str
    encoder: EncoderOptions | None
    """None where they are not compressed."""


def parse(name: str) -> Stream:
    """A stream by name: ``clean``, ``h264-23`` (x264, medium), ``av1-35`` (SVT-AV1, preset 8).

    Raises ``UsageError`` for a codec or a quality that is not there.
    """
    if name == CLEAN:
        return Stream(name=name, encoder=None)
    codec, _, crf = name.rpartition("-")
    if not codec or not crf.isdecimal():
        raise UsageError(f"no stream {name!r}; say {CLEAN}, or a codec and its CRF as in h264-23")
    return Stream(name=name, encoder=EncoderOptions(codec=codec, crf=int(crf)))


@contextmanager
def sent(frames: Sequence[Frame], info: VideoInfo, encoder: EncoderOptions) -> Iterator[Path]:
    """A file of the frames, encoded, while this context lasts. ``info`` describes them."""
    with TemporaryDirectory(prefix="vidlift-eval-") as folder:
        where = Path(folder) / "clip.nut"
        with closing(FileSink(where, info, encoder)) as sink:
            for frame in frames:
                sink.write(frame)
        yield where


def transmit(frames: Sequence[Frame], info: VideoInfo, stream: Stream) -> tuple[Frame, ...]:
    """The frames as they arrive, one for one. ``info`` describes them."""
    if stream.encoder is None:
        return tuple(frames)
    with sent(frames, info, stream.encoder) as where, closing(FileSource(where)) as source:
        arrived = tuple(source)
    if len(arrived) != len(frames):
        raise InputError(f"{len(frames)} frames went into {stream.name}, {len(arrived)} came out")
    # Raw tags: what the codec cannot store is still known here.
    return tuple(replace(frame, color=frames[0].color) for frame in arrived)
