"""An input on its way through the network: what every job does, whatever becomes of the frames.

file ──> decode [thread] ──> pairs ──> upscale [thread] ──> the job
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import chain, islice
from types import TracebackType

from vidlift.errors import InputError
from vidlift.frame import Frame
from vidlift.jobs.damage import ADVICE, Watched
from vidlift.models import Model
from vidlift.models.auto import Stream
from vidlift.pipeline import Meter
from vidlift.sources import opened_bytes, shown_name
from vidlift.sources.file import FileSource
from vidlift.sources.survey import Survey, survey
from vidlift.stages.ahead import Ahead, ahead
from vidlift.stages.pair import pair
from vidlift.stages.upscale import upscale
from vidlift.upscaler import Upscaler
from vidlift.video import VideoInfo

SEGMENT_SAMPLES = 250_000_000
"""Luma samples of output in a segment, about: 120 frames of 1080p, some seconds of work."""

_AHEAD = 4
"""Frames decoded, and frames super-resolved, before they are asked for."""


Pick = Callable[[Stream], tuple[Model, str | None]]
"""The model for a stream, and why it was chosen where that was by the stream."""


class Work:
    """One input, opened with its model. Use it as a context manager, or ``close`` it.

    Raises ``InputError`` for what cannot be read and, unless ``keep_going``, for damage.
    """

    def __init__(self, source: str, pick: Pick, *, engine: str, keep_going: bool = False) -> None:
        self.source = source
        self.name = shown_name(source)
        self.meter = Meter()
        with ExitStack() as opened:
            entry = opened.enter_context(opened_bytes(source))
            self.survey: Survey = survey(entry, name=self.name)
            if self.survey.damage and not keep_going:
                raise InputError(f"{self.name}: {self.survey.damage}; {ADVICE}")
            self._file = opened.enter_context(closing(FileSource(entry, name=self.name)))
            self._watched = Watched(self._file, name=self.name, keep_going=keep_going)
            info = self._file.info
            self.before: VideoInfo = replace(info, rate=info.rate or self.survey.rate)
            model, self._chosen_for = pick(self._stream())
            self.after: VideoInfo = scaled(self.before, model.descriptor.scale)
            self.upscaler = opened.enter_context(
                Upscaler(model, engine=engine, siting=self.before.siting)
            )
            self._opened = opened.pop_all()

    def frames(self, *, skip: int = 0) -> Ahead[Frame]:
        """Every frame but the first ``skip``, super-resolved; a multiple of ``segment_frames``.

        To be closed, from the thread that called this.
        """
        # Frames of finished segments are decoded and passed over. Seeking would be quicker and
        # is not exact: files with open GOPs, lost packets or wrong indices decode to other frames.
        left = islice(self.meter.watch("decode", self._watched), skip, None)
        return ahead(self._upscaled(left), depth=_AHEAD)

    @property
    def segment_frames(self) -> int:
        """Frames in a segment of video of this size; even, so that pairs fit."""
        return 2 * max(8, min(120, SEGMENT_SAMPLES // (2 * self.after.width * self.after.height)))

    @property
    def dropped(self) -> dict[str, int]:
        """Frames of the input that did not come, by reason."""
        return dict(self._file.lost)

    @property
    def choice(self) -> dict[str, str]:
        """For receipts: why this model, where it was chosen by the stream."""
        return {} if self._chosen_for is None else {"chosen_for": self._chosen_for}

    @property
    def warnings(self) -> list[str]:
        """What was passed over, and where."""
        damage = [f"{self.name}: {self.survey.damage}"] if self.survey.damage else []
        lost = [f"{count} x {reason}" for reason, count in self._file.lost.items()]
        return [*damage, *self._watched.warnings, *lost]

    def _stream(self) -> Stream:
        """How the pictures are stored, by all of the file."""
        samples = self.survey.pictures * self.before.width * self.before.height
        bits = 8 * self.survey.bytes / samples if samples else None
        return Stream(codec=self.before.codec, bits_per_pixel=bits, quantizer=self.before.quantizer)

    def _upscaled(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        with closing(ahead(frames, depth=_AHEAD)) as decoded:
            for segment in segments(decoded, self.segment_frames):
                pairs = pair(segment)
                yield from self.meter.watch("upscale", upscale(pairs, upscaler=self.upscaler))

    def close(self) -> None:
        self._opened.close()

    def __enter__(self) -> Work:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def scaled(info: VideoInfo, scale: int) -> VideoInfo:
    """What is known of a video after super-resolution. The display matrix moves by pixels, too."""
    matrix = info.display_matrix
    if matrix is not None:
        matrix = (*matrix[:6], matrix[6] * scale, matrix[7] * scale, matrix[8])
    return replace(
        info,
        width=info.width * scale,
        height=info.height * scale,
        display_matrix=matrix,
        bit_rate=None,
    )


def segments(frames: Iterable[Frame], length: int) -> Iterator[Iterator[Frame]]:
    """Cut a run into pieces of ``length``. Each is to be used up before the next is asked for."""
    source = iter(frames)
    for first in source:
        yield chain([first], islice(source, length - 1))
