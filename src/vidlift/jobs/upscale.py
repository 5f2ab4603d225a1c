"""Super-resolve a file into a file, and never lose work.

The picture is encoded in closed segments that are noted in a journal (``journal.py``). Whatever
stops the job, the same call goes on after the last finished segment, and the result is that of a
run that was never stopped: segments begin at fixed frames, pairs do not reach across them, each
is encoded by a fresh encoder. At the end the segments are joined with the input's sound and the
rest (``join.py``), and the output takes its name in one step.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidlift import models
from vidlift.descriptor import SCALES
from vidlift.errors import OutputError, UsageError
from vidlift.frame import Frame
from vidlift.jobs.join import Picture, check_container, container_of, join
from vidlift.jobs.journal import Journal, open_journal
from vidlift.jobs.notes import sync
from vidlift.jobs.progress import Progress, Report, silent
from vidlift.jobs.work import Pick, Work, segments
from vidlift.models import auto
from vidlift.receipt import Receipt, stage_times
from vidlift.sinks.file import EncoderOptions, FileSink, check_format
from vidlift.sources import opened_bytes

DEFAULT_SCALE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class UpscaleOptions:
    """What ``upscale_file`` does and how."""

    scale: int | None = None
    """2, 3 or 4; None means that of the model, 2 where there is none either."""

    model: str | None = None
    """A name of the catalogue or an ``.onnx`` file; None or ``auto`` means the network of tier
    ``m`` that suits the stream (``models/auto.py``)."""

    encoder: EncoderOptions = field(default_factory=EncoderOptions)
    engine: str = "auto"
    overwrite: bool = False
    resume: bool = True
    keep_going: bool = False
    """Pass over what cannot be decoded, and name it, instead of stopping there."""

    def __post_init__(self) -> None:
        if self.scale is not None and self.scale not in SCALES:
            raise UsageError(f"scale {self.scale}: there are networks for 2, 3 and 4")

    def pick(self) -> Pick:
        """The model meant, once a stream is known.

        Raises ``ModelError`` for one that is not there, ``UsageError`` for another scale's.
        """
        if self.model in (None, auto.AUTO):
            scale = self.scale or DEFAULT_SCALE
            auto.choose(None, scale=scale)  # whether there is one shows before anything is read

            def by_stream(stream: auto.Stream) -> tuple[models.Model, str]:
                choice = auto.choose(stream, scale=scale)
                return models.load(choice.name), choice.reason

            return by_stream
        model = models.load(self.model)
        if self.scale is not None and model.descriptor.scale != self.scale:
            raise UsageError(
                f"model {model.descriptor.name} is for scale {model.descriptor.scale}, "
                f"not {self.scale}"
            )
        return lambda _stream: (model, None)

    def open_work(self, source: str) -> Work:
        """The input, opened with that model."""
        return Work(source, self.pick(), engine=self.engine, keep_going=self.keep_going)


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
    folder = job_folder(where)
    check_output(source, where, options)
    with options.open_work(str(source)) as work:
        check_format(work.after, options.encoder)
        check_container(container, options.encoder.codec, work.after)
        identity = _identity(work, options)
        with (
            _writing(where),
            open_journal(folder, identity, resume=options.resume) as journal,
        ):
            job = _Job(work, journal, options.encoder, report)
            warnings = journal.made(where)
            if warnings is None:
                _check_output(source, where, may_exist=options.overwrite)
                warnings = [*job.encode(), *job.join(container, keep_going=options.keep_going)]
                whole = job.whole(container)
                journal.expect(whole, warnings)
                _move(whole, where)
            journal.remove()
            return job.receipt(where, warnings)


def check_output(source: str | Path, output: Path, options: UpscaleOptions) -> None:
    """Whether a job may write there, as far as can be told before its input is looked at.

    Raises ``UsageError``, ``OutputError``.
    """
    container_of(output)
    # Whether an output that is there beside unfinished work is of that work, the journal knows.
    with _writing(output):  # a name may be too long
        begun = job_folder(output).exists()
    _check_output(source, output, may_exist=options.overwrite or begun)


def job_folder(output: Path) -> Path:
    """Where the unfinished work on an output lies."""
    return output.with_name(output.name + ".vidlift-job")


class _Job:
    """The way from an open input to a finished file, and what there is to tell of it."""

    def __init__(
        self, work: Work, journal: Journal, encoder: EncoderOptions, report: Report
    ) -> None:
        self._work = work
        self._journal = journal
        self._encoder = encoder
        self._report = report
        self._resumed = journal.frames
        self._seconds = 0.0

    def encode(self) -> list[str]:
        """Finish the segments that are not yet; returns the warnings of all the work on them."""
        if self._journal.ended is not None:
            return self._journal.ended
        start = time.perf_counter()
        with closing(self._work.frames(skip=self._journal.frames)) as frames:
            for segment in segments(frames, self._work.segment_frames):
                self._encode(segment)
        self._seconds = time.perf_counter() - start
        warnings = self._work.warnings
        self._journal.end(warnings)
        return warnings

    def join(self, container: str, *, keep_going: bool) -> list[str]:
        """Write the whole output into the job's folder; returns what was left out."""
        journal = self._journal
        picture = Picture(
            segments=tuple((journal.path(s.index), Fraction(s.start)) for s in journal.segments),
            info=self._work.after,
            end=Fraction(journal.segments[-1].end),
        )
        name = self._work.name
        with opened_bytes(self._work.source) as entry:
            return join(
                picture,
                entry,
                self.whole(container),
                container=container,
                name=name,
                keep_going=keep_going,
            )

    def whole(self, container: str) -> Path:
        return self._journal.folder / f"whole.{container}"

    def _encode(self, frames: Iterable[Frame]) -> None:
        journal, count = self._journal, 0
        start = end = Fraction(0)
        where = journal.path(len(journal.segments))
        sink = FileSink(where, self._work.after, self._encoder, container="nut")
        try:
            for frame in frames:
                if count == 0:
                    start = frame.pts
                moved = replace(frame, pts=frame.pts - start)
                self._work.meter.note("encode", lambda moved=moved: sink.write(moved))  # type: ignore[misc]
                count, end = count + 1, frame.pts + frame.duration
                self._tell(count, sink.bytes)
        except BaseException:
            sink.abandon()
            where.unlink(missing_ok=True)
            raise
        sink.close()
        journal.add(frames=count, start=start, end=end)

    def _tell(self, count: int, size: int) -> None:
        self._report(
            Progress(
                done=self._journal.frames + count,
                resumed=self._resumed,
                total=self._work.survey.pictures,
                bytes=self._journal.bytes + size,
            )
        )

    def receipt(self, output: Path, warnings: list[str]) -> Receipt:
        work, made = self._work, self._journal.frames - self._resumed
        return Receipt(
            command="upscale",
            input=Path(work.name).name,
            output=output.name,
            model=work.upscaler.descriptor.name,
            model_sha256=work.upscaler.model.sha256,
            engine=work.upscaler.engine,
            scale=work.upscaler.scale,
            size_in=(work.before.width, work.before.height),
            size_out=(work.after.width, work.after.height),
            frames_in=self._journal.frames,
            frames_out=self._journal.frames,
            dropped=work.dropped,
            seconds=round(self._seconds, 3),
            fps=round(made / self._seconds, 2) if self._seconds else 0.0,
            stages=stage_times(work.meter),
            warnings=tuple(warnings),
            extra={
                "resumed_frames": self._resumed,
                "output_bytes": output.stat().st_size,
                **work.choice,
            },
        )


def _check_output(source: str | Path, output: Path, *, may_exist: bool) -> None:
    if output.exists():
        with suppress(OSError):  # an input that is not there, or cannot be: opening it says more
            if output.samefile(source):
                raise UsageError(f"output and input are the same file: {output}")
        if output.is_dir():
            raise OutputError(f"{output} is a folder; the output is to be a file")
        if not may_exist:
            raise OutputError(f"{output} exists; --overwrite replaces it when the job is done")
    if not output.parent.is_dir():
        raise OutputError(f"no folder {output.parent} to write {output.name} into")


def _identity(work: Work, options: UpscaleOptions) -> dict[str, Any]:
    """What must be the same for work to go on: everything that decides a sample of the result."""
    return {
        "input": work.survey.sha256,
        "model": work.upscaler.descriptor.name,
        "model file": work.upscaler.model.sha256,
        "engine": work.upscaler.engine,
        "codec": options.encoder.codec,
        "crf": options.encoder.quality,
        "encoder": options.encoder.version,
        "segment_frames": work.segment_frames,
    }


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
    sync(whole)
    whole.replace(output)
    sync(output.parent)
