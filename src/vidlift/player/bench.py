"""A film out of nothing, for measuring playback on a machine that has none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from vidlift.sinks.file import EncoderOptions, FileSink
from vidlift.sources.synthetic import SyntheticSource


@contextmanager
def made_up_film(
    size: tuple[int, int], *, seconds: float, rate: Fraction = Fraction(24)
) -> Iterator[Path]:
    """The path of a film of that size and length, in H.264, without sound; gone afterwards."""
    source = SyntheticSource(
        width=size[0], height=size[1], frames=max(1, round(seconds * rate)), rate=rate
    )
    with TemporaryDirectory(prefix="vidlift-") as folder:
        where = Path(folder) / "film.mp4"
        with closing(FileSink(where, source.info, EncoderOptions(crf=23))) as sink:
            for frame in source:
                sink.write(frame)
        yield where
