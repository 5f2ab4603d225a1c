"""Put a video into a library: small, with its sound, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidlift import __version__
from vidlift.cloud.ladder import Rung, brought_down, rungs, shrink
from vidlift.cloud.library import CARD, Title, read_title, title_name
from vidlift.errors import OutputError, UsageError
from vidlift.frame import Frame
from vidlift.jobs.join import Picture, join
from vidlift.jobs.progress import Progress, Report, estimate_frames, silent
from vidlift.sinks.file import EncoderOptions, FileSink
from vidlift.sources import open_bytes
from vidlift.sources.file import FileSource
from vidlift.stages.ahead import ahead

DEFAULT_CRF = 23


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions:
    """What ``publish`` makes of a video."""

    rungs: tuple[int, ...] = (270,)
    """Sizes, by the shorter side of the picture; those not below the video's own are left out."""

    encoder: EncoderOptions = field(default_factory=lambda: EncoderOptions(crf=DEFAULT_CRF))
    name: str | None = None
    """What the title is called in the library; None: made from the file's name."""

    overwrite: bool = False


def publish(
    video: str | Path,
    library: str | Path,
    options: PublishOptions | None = None,
    *,
    report: Report = silent,
) -> Title:
    """Publish a file into a library, a folder that is made where there is none.

    Returns the title, whose files a server gives below its URL: ``title.path(file)``. A title
    appears in one step when it is finished, so a library may be served meanwhile. Raises the
    errors of ``vidlift.errors``.
    """
    options = options or PublishOptions()
    name = title_name(options.name or Path(video).stem)
    where = Path(library) / name
    if where.exists() and not options.overwrite:
        raise OutputError(f"{library} has a title {name} already; --overwrite replaces it")
    with _work_folder(where) as folder, closing(_open(video)) as source:
        made = [
            _rendition(source, video, rung, folder, options, report)
            for rung in rungs(source.info, options.rungs)[-1:]
        ]
        card = _card(source, name, made)
        (folder / CARD).write_text(json.dumps(card, indent=2) + "\n")
        _appear(folder, where)
    title = read_title(where)
    assert title is not None
    return title


def _open(video: str | Path) -> FileSource:
    return FileSource(open_bytes(str(video)), name=str(video))


def _rendition(
    source: FileSource,
    video: str | Path,
    rung: Rung,
    folder: Path,
    options: PublishOptions,
    report: Report,
) -> dict[str, Any]:
    info = replace(brought_down(source.info, rung), bits=8)
    siting = source.info.siting
    frames = (shrink(f, rung, siting=siting, bits=8, color=info.color) for f in source)
    picture = folder / f"{rung.name}.nut"
    sink = FileSink(picture, info, options.encoder, container="nut")
    count, start, end = 0, Fraction(0), Fraction(0)
    with closing(ahead(frames, depth=4)) as small:
        for frame in small:
            start = frame.pts if count == 0 else start
            sink.write(_moved(frame, -start))
            count, end = count + 1, frame.pts + frame.duration
            total = estimate_frames(source.info)
            report(Progress(done=count, resumed=0, total=total, bytes=sink.bytes))
    sink.close()
    whole = folder / f"{rung.name}.mp4"
    parts = Picture(segments=((picture, start),), info=info, end=end)
    join(parts, open_bytes(str(video)), whole, container="mp4", name=str(video))
    picture.unlink()
    return {
        "file": whole.name,
        "width": rung.width,
        "height": rung.height,
        "codec": options.encoder.codec,
        "bytes": whole.stat().st_size,
    }


def _moved(frame: Frame, by: Fraction) -> Frame:
    return replace(frame, pts=frame.pts + by)


def _card(source: FileSource, name: str, renditions: list[dict[str, Any]]) -> dict[str, Any]:
    info = source.info
    return {
        "format": 1,
        "vidlift": __version__,
        "title": name,
        "source": {
            "width": info.width,
            "height": info.height,
            "rate": str(info.rate) if info.rate else None,
            "duration": float(info.duration) if info.duration else None,
        },
        "colour": {
            "matrix": info.color.matrix,
            "primaries": info.color.primaries,
            "transfer": info.color.transfer,
            "range": info.color.range.name.lower(),
        },
        "renditions": renditions,
    }


@contextmanager
def _work_folder(where: Path) -> Iterator[Path]:
    """A hidden folder beside the title, for what is not finished; removed in any case."""
    folder = where.with_name(f".{where.name}.vidlift-job")
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    except OSError as error:
        raise OutputError(f"cannot write into {where.parent}: {error.strerror}") from error
    try:
        yield folder
    except OSError as error:
        raise OutputError(f"cannot write {where}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _appear(folder: Path, where: Path) -> None:
    """Give the finished title its name; what had it before goes."""
    old = where.with_name(f".{where.name}.old")
    if where.exists():
        if read_title(where) is None:
            raise UsageError(f"{where} is there and is no title: it is left alone")
        shutil.rmtree(old, ignore_errors=True)
        where.replace(old)
    os.sync()
    folder.replace(where)
    shutil.rmtree(old, ignore_errors=True)
