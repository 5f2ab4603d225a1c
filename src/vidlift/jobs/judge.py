"""Super-resolve a file into nothing, or into one digest: to measure, and to compare runs."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from vidlift.errors import UsageError, VerificationError
from vidlift.jobs.progress import Progress, Report, silent
from vidlift.jobs.upscale import UpscaleOptions
from vidlift.receipt import Receipt, stage_times
from vidlift.sinks import SINKS
from vidlift.sinks.digest import DigestSink

_DIGITS = frozenset("0123456789abcdef")


def judge(
    source: str | Path,
    options: UpscaleOptions | None = None,
    *,
    sink: str = "digest",
    expected: str | None = None,
    report: Report = silent,
) -> Receipt:
    """Send every super-resolved frame of ``source`` into a sink of ``SINKS``; no file is written.

    The receipt's ``extra["digest"]`` is that of ``DigestSink`` over all frames, before encoding.
    Raises ``VerificationError`` where it is not the ``expected`` one.
    """
    options = options or UpscaleOptions()
    check_sink(sink, expected=expected)
    with options.open_work(str(source)) as work:
        start, count, into = time.perf_counter(), 0, SINKS[sink]()
        with closing(into), closing(work.frames()) as frames:
            for frame in frames:
                work.meter.note("write", lambda frame=frame: into.write(frame))  # type: ignore[misc]
                count += 1
                total = work.survey.pictures
                report(Progress(done=count, resumed=0, total=total, bytes=0))
        seconds = time.perf_counter() - start
        digest = into.hexdigest() if isinstance(into, DigestSink) else None
        if expected is not None and digest != expected.lower():
            raise VerificationError(f"digest of {count} frames: expected {expected}, got {digest}")
        return Receipt(
            command="upscale",
            input=Path(work.name).name,
            model=work.upscaler.descriptor.name,
            model_sha256=work.upscaler.model.sha256,
            engine=work.upscaler.engine,
            scale=work.upscaler.scale,
            size_in=(work.before.width, work.before.height),
            size_out=(work.after.width, work.after.height),
            frames_in=count,
            frames_out=count,
            dropped=work.dropped,
            seconds=round(seconds, 3),
            fps=round(count / seconds, 2) if seconds else 0.0,
            stages=stage_times(work.meter),
            warnings=tuple(work.warnings),
            extra={**({"digest": digest} if digest else {}), **work.choice},
        )


def check_sink(sink: str, *, expected: str | None = None) -> None:
    """Whether there is such a sink, and it gives such a digest. Raises ``UsageError``."""
    if sink not in SINKS:
        raise UsageError(f"no sink named {sink!r}; there are {', '.join(SINKS)}")
    if expected is not None:
        _check_digest(sink, expected)


def _check_digest(sink: str, expected: str) -> None:
    if sink != "digest":
        raise UsageError(f"sink {sink} gives no digest to compare; digest does")
    if len(expected) != 64 or not set(expected.lower()) <= _DIGITS:
        raise UsageError(f"a digest is 64 hexadecimal digits, got {expected!r}")
