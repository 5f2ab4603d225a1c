"""Super-resolve a file into a file, and never lose work.

The picture is encoded in closed segments that are noted in a journal (``journal.py``). Whatever
stops the job, the same call goes on after the last finished segment, and the result is that of a
run that was never stopped: segments begin at fixed frames, pairs do not reach across them, each
is encoded by a fresh encoder. At the end the segments are joined with the input's sound and the
rest (``join.py``), and the output takes its name in one step.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from vidlift import models
from vidlift.descriptor import SCALES
from vidlift.errors import OutputError, UsageError
from vidlift.frame import Frame
from vidlift.jobs.join import Picture, container_of, join
from vidlift.jobs.journal import Journal, open_journal
from vidlift.jobs.progress import Progress, Report, silent
from vidlift.pipeline import Meter
from vidlift.receipt import Receipt, peak_memory_mb, stage_times
from vidlift.sinks.file import EncoderOptions, FileSink, check_format
from vidlift.sources import open_bytes
from vidlift.sources.file import FileSource
from vidlift.stages.ahead import ahead
from vidlift.stages.pair import pair
from vidlift.stages.upscale import upscale
from vidlift.upscaler import Upscaler
from vidlift.video import VideoInfo

DEFAULT_TIER = "m"
DEFAULT_SCALE = 2

SEGMENT_SAMPLES = 250_000_000
"""Luma samples of output in a segment, about: 120 frames of 1080p, some seconds of work."""

_AHEAD = 4
"""Frames super-resolved while earlier ones are encoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpscaleOptions:
    """What ``upscale_file`` does and how."""

    scale: int | None = None
    """2, 3 or 4; None means that of the model, 2 where there is none either."""

    model: str | None = None
    """A name of the catalogue or an ``.onnx`` file; None means tier ``m`` of the scale."""

    encoder: EncoderOptions = field(default_factory=EncoderOptions)
    engine: str = "auto"
    overwrite: bool = False
    resume: bool = True

    def __post_init__(self) -> None:
        if self.scale is not None and self.scale not in SCALES:
            raise UsageError(f"scale {self.scale}: there are networks for 2, 3 and 4")

    def load_model(self) -> models.Model:
        """The model meant. Raises ``ModelError``; ``UsageError`` where scale and model differ."""
        scale = self.scale or DEFAULT_SCALE
        model = models.load(self.model or f"{DEFAULT_TIER}-x{scale}")
        if self.scale is not None and model.descriptor.scale != self.scale:
            raise UsageError(
                f"model {model.descriptor.name} is for scale {model.descriptor.scale}, "
                f"not {self.scale}"
            )
        return model


def upscale_file(
    source: str | Path,
    output: str | Path,
    options: UpscaleOptions | None = None,
    *,
    report: Report = silent,
) -> Receipt:
    """Super-resolve ``source``, a file or an http(s) URL, into ``output``, mp4 or mkv.

    Every frame keeps its time; sound, subtitles, chapters and attachments are copied, and what
    the container cannot hold is named in the receipt's warnings. When this is interrupted or
    fails, call it again with the same arguments and it goes on; ``output`` is written whole or
    not at all. Raises the errors of ``vidlift.errors``.
    """
    options = options or UpscaleOptions()
    where = Path(output)
    container = container_of(where)
    _check_output(source, where, overwrite=options.overwrite)
    model = options.load_model()
    entry = open_bytes(str(source))
    with (
        closing(FileSource(entry, name=str(source))) as frames,
        closing(Upscaler(model, engine=options.engine, siting=frames.info.siting)) as upscaler,
    ):
        info = scaled(frames.info, model.descriptor.scale)
        check_format(info, options.encoder)
        identity = _identity(entry, upscaler, options, info)
        folder = where.with_name(where.name + ".vidlift-job")
        with (
            _writing(where),
            open_journal(folder, identity, resume=options.resume) as journal,
        ):
            job = _Job(frames, info, upscaler, journal, options.encoder, report)
            job.work()
            picture = Picture(
                segments=tuple(
                    (journal.path(s.index), Fraction(s.start)) for s in journal.segments
                ),
                info=info,
                end=Fraction(journal.segments[-1].end),
            )
            whole = folder / f"whole{where.suffix}"
            warnings = join(
                picture, open_bytes(str(source)), whole, container=container, name=str(source)
            )
            _move(whole, where)
            journal.remove()
            return job.receipt(str(source), where, warnings)


class _Job:
    """The work between an open source and a finished journal, and what it has to tell."""

    def __init__(
        self,
        source: FileSource,
        info: VideoInfo,
        upscaler: Upscaler,
        journal: Journal,
        encoder: EncoderOptions,
        report: Report,
    ) -> None:
        self._source = source
        self._info = info
        self._upscaler = upscaler
        self._journal = journal
        self._encoder = encoder
        self._report = report
        self._resumed = journal.frames
        self._meter = Meter()
        self._seconds = 0.0

    def work(self) -> None:
        """Encode the segments that are not yet finished."""
        start = time.perf_counter()
        length = segment_frames(self._info)
        # Frames of finished segments are decoded and passed over. Seeking would be quicker and
        # is not exact: files with open GOPs, lost packets or wrong indices decode to other frames.
        decoded = self._meter.watch("decode", self._source)
        left = islice(decoded, self._journal.frames, None)
        with closing(ahead(self._upscaled(left, length), depth=_AHEAD)) as frames:
            for segment in _segments(frames, length):
                self._encode(segment)
        self._seconds = time.perf_counter() - start

    def _upscaled(self, frames: Iterable[Frame], length: int) -> Iterator[Frame]:
        for segment in _segments(frames, length):
            pairs = pair(segment)
            yield from self._meter.watch("upscale", upscale(pairs, upscaler=self._upscaler))

    def _encode(self, frames: Iterable[Frame]) -> None:
        journal, count = self._journal, 0
        start = end = Fraction(0)
        where = journal.path(len(journal.segments))
        sink = FileSink(where, self._info, self._encoder, container="nut")
        try:
            for frame in frames:
                if count == 0:
                    start = frame.pts
                moved = replace(frame, pts=frame.pts - start)
                self._meter.note("encode", lambda moved=moved: sink.write(moved))  # type: ignore[misc]
                count, end = count + 1, frame.pts + frame.duration
                self._tell(count, sink.bytes)
        except BaseException:
            sink.abandon()
            raise
        sink.close()
        journal.add(frames=count, start=start, end=end)

    def _tell(self, count: int, size: int) -> None:
        done = self._journal.frames + count
        written = self._journal.bytes + size
        total = estimate_frames(self._source.info)
        self._report(Progress(done=done, resumed=self._resumed, total=total, bytes=written))

    def receipt(self, source: str, output: Path, warnings: list[str]) -> Receipt:
        before, after = self._source.info, self._info
        made = self._journal.frames - self._resumed
        lost = self._source.lost
        return Receipt(
            command="upscale",
            input=Path(source).name,
            output=output.name,
            model=self._upscaler.descriptor.name,
            model_sha256=self._upscaler.model.sha256,
            engine=self._upscaler.engine,
            scale=self._upscaler.scale,
            size_in=(before.width, before.height),
            size_out=(after.width, after.height),
            frames_in=self._journal.frames,
            frames_out=self._journal.frames,
            dropped=dict(lost),
            seconds=round(self._seconds, 3),
            fps=round(made / self._seconds, 2) if self._seconds else 0.0,
            stages=stage_times(self._meter),
            peak_memory_mb=peak_memory_mb(),
            warnings=(*warnings, *(f"{count} x {reason}" for reason, count in lost.items())),
            extra={"resumed_frames": self._resumed, "output_bytes": output.stat().st_size},
        )


def scaled(info: VideoInfo, scale: int) -> VideoInfo:
    """What is known of a video after super-resolution. The display matrix moves by pixels, too."""
    matrix = info.display_matrix
    if matrix is not None:
        matrix = (*matrix[:6], matrix[6] * scale, matrix[7] * scale, matrix[8])
    return replace(
        info, width=info.width * scale, height=info.height * scale, display_matrix=matrix
    )


def segment_frames(info: VideoInfo) -> int:
    """Frames in a segment of video of this size; even, so that pairs fit."""
    return 2 * max(8, min(120, SEGMENT_SAMPLES // (2 * info.width * info.height)))


def estimate_frames(info: VideoInfo) -> int | None:
    """How many frames there will be, as far as the file tells."""
    if info.frames:
        return info.frames
    if info.duration and info.rate:
        return round(info.duration * info.rate)
    return None


def _segments(frames: Iterable[Frame], length: int) -> Iterator[Iterator[Frame]]:
    """Cut a run into pieces of ``length``. Each is to be used up before the next is asked for."""
    source = iter(frames)
    for first in source:
        yield chain([first], islice(source, length - 1))


def _check_output(source: str | Path, output: Path, *, overwrite: bool) -> None:
    if output.exists():
        if Path(source).exists() and output.samefile(source):
            raise UsageError(f"output and input are the same file: {output}")
        if not overwrite:
            raise OutputError(f"{output} exists; --overwrite replaces it when the job is done")
    if not output.parent.is_dir():
        raise OutputError(f"no folder {output.parent} to write {output.name} into")


def _identity(
    entry: Path | BinaryIO, upscaler: Upscaler, options: UpscaleOptions, info: VideoInfo
) -> dict[str, Any]:
    """What must be the same for work to go on: everything that decides a sample of the result."""
    return {
        "input_sha256": _sha256(entry),
        "model": upscaler.descriptor.name,
        "model_sha256": upscaler.model.sha256,
        "engine": upscaler.engine,
        "codec": options.encoder.codec,
        "crf": options.encoder.quality,
        "segment_frames": segment_frames(info),
    }


def _sha256(entry: Path | BinaryIO) -> str:
    if isinstance(entry, Path):
        with entry.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    digest = hashlib.sha256()
    at = entry.tell()
    entry.seek(0)
    while block := entry.read(1 << 20):
        digest.update(block)
    entry.seek(at)
    return digest.hexdigest()


@contextmanager
def _writing(output: Path) -> Iterator[None]:
    """Translate what the file system says into one line that tells what to do."""
    try:
        yield
    except (OSError, OutputError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(
                f"the disk is full; what is finished of {output} is kept: "
                "make room and run the same command again"
            ) from error
        if isinstance(error, OSError):
            raise OutputError(f"cannot write {output}: {error.strerror or error}") from error
        raise


def _move(whole: Path, output: Path) -> None:
    """Give the finished file its name, once the disk holds all of it."""
    for where in (whole, None, output.parent):
        if where is None:
            whole.replace(output)
            continue
        handle = os.open(where, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
