"""Put a video into a library: a ladder of small renditions with its sound, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vidlift import models, vmaf
from vidlift.cloud.captions import Captions, read_captions
from vidlift.cloud.card import make_card, needless_rungs, rendition
from vidlift.cloud.gain import GainMeter, networks
from vidlift.cloud.journal import Journal, forget, open_journal
from vidlift.cloud.ladder import LADDER, SHORTEST, Rung, brought_down, made_even, rungs
from vidlift.cloud.library import CARD, MASTER, Title, library_folder, read_title, title_name
from vidlift.cloud.pack import GOP, SEGMENT, Packer
from vidlift.cloud.pictures import write_poster, write_thumbnails
from vidlift.cloud.playlists import media_playlist
from vidlift.cloud.sounds import SoundTrack, write_sounds
from vidlift.descriptor import SCALES, TIERS
from vidlift.errors import InputError, OutputError, UsageError
from vidlift.jobs.join import Picture, join
from vidlift.jobs.notes import gone_if_empty, sync, write_whole
from vidlift.jobs.progress import Progress, Report, estimate_frames, silent
from vidlift.sinks.gop import GOP_CODECS, GopOptions
from vidlift.sources import is_url, opened_file, shown_name
from vidlift.sources.file import FileSource
from vidlift.sources.survey import damage_of

FORMAT = 7
"""Raised when what is published of the same video with the same options becomes another thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions:
    """What ``publish`` makes of a video."""

    rungs: tuple[int, ...] = LADDER
    """Sizes, by the shorter side of the picture; those not below the video's own are left out."""

    codec: str = "h264"
    crf: int | None = None
    """Quality, lower is better; None: the codec's default."""

    kbps: Mapping[int, int] = field(default_factory=dict)
    """Thousand bits a second by rung, for those that are not to have a constant quality."""

    name: str | None = None
    """What the title is called in the library; None: made from the file's name."""

    overwrite: bool = False
    whole_file: bool = True
    """Whether the best rung is there as one file with its sound as well, for plain players."""

    tiers: tuple[str, ...] = ()
    """Networks whose gain is measured, by tier."""

    prune: bool = False
    """Leave out rungs that super-resolution of smaller ones makes needless."""

    def __post_init__(self) -> None:
        GopOptions(codec=self.codec, crf=self.crf)
        if unknown := set(self.tiers) - set(TIERS):
            names = ", ".join(map(repr, sorted(unknown)))
            raise UsageError(f"no tier {names}; there are {', '.join(TIERS)}")
        if self.prune and not self.tiers:
            raise UsageError("to prune rungs the gain of networks must be measured")
        if unasked := set(self.kbps) - set(self.rungs):
            raise UsageError(f"a bitrate for {min(unasked)}p, which is none of the rungs")
        for length, kept in made_even(self.rungs).items():
            if length != kept and length in self.kbps:
                raise UsageError(f"a bitrate for {length}p, which is one with {kept}p: both even")

    def gop(self, rung: Rung) -> GopOptions:
        rate = self.kbps.get(rung.length)
        return GopOptions(codec=self.codec, crf=None if rate else self.crf, kbps=rate)


def publish(
    video: str | Path,
    library: str | Path,
    options: PublishOptions | None = None,
    *,
    report: Report = silent,
) -> Title:
    """Publish a file into a library, a folder that is made where there is none.

    Returns the title, whose files a server gives below its URL: ``title.path(file)``. A title
    appears, or changes, in one step when it is finished, so a library may be served meanwhile.
    Called again after it was stopped, this goes on; called again after it was finished, it does
    nothing. Raises the errors of ``vidlift.errors``.
    """
    options = options or PublishOptions()
    name = title_name(_stem(str(video)) if options.name is None else options.name)
    where = library_folder(library) / name
    identity = _identity(video, options)
    version = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
    there = read_title(where)
    if there is not None and there.card.get("version") == version:
        return there
    if where.exists() and (there is None or not options.overwrite):
        kind = "a title of another video or other options" if there else "something else"
        raise OutputError(f"{where} is there already, {kind}; --overwrite replaces a title")
    work = where.with_name(f".{name}.vidlift-job")
    with _writing(where), gone_if_empty(where), open_journal(work, identity, version) as journal:
        if not _placed(journal, where):
            _make(video, name, options, journal, report)
        _appear(journal, where, old=there)
    title = read_title(where)
    assert title is not None
    return title


def _make(
    video: str | Path, name: str, options: PublishOptions, journal: Journal, report: Report
) -> None:
    """Everything of a title, in the work folder."""
    with opened_file(str(video)) as entry:
        damage = damage_of(entry, name=shown_name(str(video)))
    warnings = [] if damage is None else [damage]
    with ExitStack() as stack:
        entry = stack.enter_context(opened_file(str(video)))
        source = stack.enter_context(closing(FileSource(entry, name=shown_name(str(video)))))
        ladder = rungs(source.info, options.rungs)
        meter = None
        if options.tiers and min(source.info.width, source.info.height) < SHORTEST:
            size = f"{source.info.width}x{source.info.height}"
            warnings.append(f"the gain is not measured: {size} is too small for it")
        elif options.tiers:
            meter = GainMeter(source.info, ladder, tiers=options.tiers)
            stack.enter_context(closing(meter))
        resumed, total = sum(row.frames for row in journal.rows), estimate_frames(source.info)
        packer = Packer(
            source,
            ladder,
            options.gop,
            journal,
            bits=min(source.info.bits, max(GOP_CODECS[options.codec].bits)),
            measure=meter,
            tell=lambda done, size: report(
                Progress(done=done, resumed=resumed, total=total, bytes=size)
            ),
        )
        packer.run()
        measured = {} if meter is None else meter.models
    warnings += [f"{count} x {reason}" for reason, count in source.lost.items()]
    info, origin = source.info, packer.origin
    length = Fraction(journal.rows[-1].end)
    end = origin + length
    renditions = [rendition(journal, rung, options.codec) for rung in ladder]
    needless = needless_rungs(renditions)
    kept = tuple(r for r in ladder if not (options.prune and r.name in needless))
    sounds = write_sounds(
        video, journal.content, origin=origin, end=end, length=SEGMENT, warnings=warnings
    )
    captions = read_captions(video, origin=origin, end=end, warnings=warnings)
    _write_lists(journal, kept, sounds, captions)
    write_poster(journal, kept[-1].name)
    write_thumbnails(journal, kept[0].name)
    whole = None
    if options.whole_file:
        whole = _write_whole_file(video, journal, kept[-1], source, origin)
    card, master = make_card(
        name=name,
        journal=journal,
        info=info,
        renditions=[r for r in renditions if r["name"] in {rung.name for rung in kept}],
        needless=needless,
        sounds=sounds,
        captions=captions,
        models=measured,
        whole=whole,
        warnings=warnings,
    )
    write_whole(journal.folder / MASTER, master.encode())
    write_whole(journal.folder / CARD, (json.dumps(card, indent=2) + "\n").encode())
    for rung in set(ladder) - set(kept):
        shutil.rmtree(journal.content / rung.name)


def _write_lists(
    journal: Journal,
    ladder: tuple[Rung, ...],
    sounds: list[SoundTrack],
    captions: list[Captions],
) -> None:
    """The playlist of each rendition."""
    times = [float(row.seconds) for row in journal.rows]
    lists = {
        rung.name: [(f"{index:05d}.m4s", seconds) for index, seconds in enumerate(times)]
        for rung in ladder
    }
    lists |= {sound.name: list(sound.segments) for sound in sounds}
    for name, segments in lists.items():
        text = media_playlist(segments, header="init.mp4")
        write_whole(journal.content / name / "index.m3u8", text.encode())
    for number, caption in enumerate(captions):
        folder = journal.content / f"text-{number}"
        folder.mkdir(exist_ok=True)
        rows = [(f"{n:05d}.vtt", float(seconds)) for n, (_, seconds) in enumerate(caption.segments)]
        for (file, _), (text, _) in zip(rows, caption.segments, strict=True):
            write_whole(folder / file, text.encode())
        write_whole(folder / "index.m3u8", media_playlist(rows, header=None).encode())


def _write_whole_file(
    video: str | Path, journal: Journal, rung: Rung, source: FileSource, origin: Fraction
) -> Path:
    """A rung with the video's own sound as one MP4, at the video's own times."""
    fragments = journal.content / f".{rung.name}.mp4"
    with fragments.open("wb") as out:
        out.write((journal.content / rung.name / "init.mp4").read_bytes())
        for index in range(len(journal.rows)):
            out.write(journal.path(rung.name, index).read_bytes())
    whole = journal.content / f"{rung.name}.mp4"
    info = replace(brought_down(source.info, rung), bits=8)
    end = origin + Fraction(journal.rows[-1].end)
    picture = Picture(segments=((fragments, origin),), info=info, end=end)
    with opened_file(str(video)) as entry:
        name = shown_name(str(video))
        join(picture, entry, whole, container="mp4", name=name, keep_going=True)
    fragments.unlink()
    return whole


def _stem(video: str) -> str:
    """The name of a file or URL, without what a query adds to it."""
    return Path(urlsplit(video).path if is_url(video) else video).stem


def _identity(video: str | Path, options: PublishOptions) -> dict[str, Any]:
    """What decides every byte of a title."""
    known = [name for scale in SCALES for name in networks(options.tiers, scale)]
    return {
        "format": FORMAT,
        "input_sha256": _digest(video),
        "rungs": list(options.rungs),
        "codec": options.codec,
        "crf": options.crf,
        "kbps": {str(rung): rate for rung, rate in sorted(options.kbps.items())},
        "seconds": [str(GOP), str(SEGMENT)],
        "whole_file": options.whole_file,
        "models": {name: models.load(name).sha256 for name in known},
        "vmaf": bool(options.tiers) and vmaf.is_there(),
        "prune": options.prune,
    }


def _digest(video: str | Path) -> str:
    digest = hashlib.sha256()
    try:
        with (
            opened_file(str(video)) as entry,
            entry.open("rb") if isinstance(entry, Path) else nullcontext(entry) as content,
        ):
            while block := content.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InputError(f"cannot read {shown_name(str(video))}: {error.strerror}") from error
    return digest.hexdigest()


@contextmanager
def _writing(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {where}: {error.strerror or error}; what is finished is kept: "
            "run the same command again to go on"
        ) from error


def _placed(journal: Journal, where: Path) -> bool:
    """Whether the finished version has its folder in the title, and the card not yet its place."""
    moved = not any(journal.content.iterdir()) and (where / journal.content.name).is_dir()
    return moved and (journal.folder / CARD).is_file()


def _appear(journal: Journal, where: Path, *, old: Title | None) -> None:
    """Give the finished title its name.

    The files of a version lie in a folder of its own, and those who watch the old one may go on:
    it stays until the next. What changes is the card and the list that names the version.
    """
    version = journal.content.name
    if old is None:
        sync(journal.folder)
        journal.folder.replace(where)
        forget(where)
    else:
        target = where / version
        if not _placed(journal, where):
            shutil.rmtree(target, ignore_errors=True)
            journal.content.replace(target)
        for name in (MASTER, CARD):
            with suppress(FileNotFoundError):  # it has its place already
                (journal.folder / name).replace(where / name)
        sync(where)
        kept = {version, old.card.get("version")}
        for folder in where.iterdir():
            if folder.is_dir() and folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(journal.folder, ignore_errors=True)
    sync(where.parent)
