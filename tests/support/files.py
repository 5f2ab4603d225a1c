"""What is in a video file, for comparing."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from vidlift.pipeline import Meter, run
from vidlift.sinks.digest import DigestSink
from vidlift.sources.file import FileSource


def digest(video: Path) -> str:
    """One digest over every decoded sample and every time of a file."""
    sink = DigestSink()
    with closing(FileSource(video)) as frames:
        run(frames, sink, meter=Meter())
    return sink.hexdigest()
