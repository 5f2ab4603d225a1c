"""What is received of a film, kept as one file: its own bytes, or its packets as they came.

    FILE.vidlift-job/    pieces as they come ──> FILE, when the film is left

A file that came whole is kept bit for bit. Of all else the packets are put into one container:
segments with the sound that goes with them, and the part of a file that came before the viewer
left. What was never received, such as what a seek passed over, is not there, and what follows
closes up; sound and pictures stay together.
"""

from __future__ import annotations

import io
import os
import shutil
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, BinaryIO, cast

from av.container import InputContainer

from vidlift.client.download import BLOCK
from vidlift.client.fetch import HttpFile
from vidlift.client.hls import HlsFilm
from vidlift.client.track import Piece
from vidlift.errors import InputError, NetworkError, OutputError, UsageError, VidliftError
from vidlift.sources.containers import ENDINGS, PICKY, Codec, check_codecs, codecs_of
from vidlift.sources.decode import open_container
from vidlift.sources.remux import Move, Stretch, kept_streams, remux
from vidlift.sources.runs import Run, Times

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

ADJOIN = 0.02
"""Seconds that may lie between segments that follow one another: lists round."""

SOUND_WAIT = 10.0
"""Seconds in which sound that comes apart is to begin, where it is to be known of what codec."""


def check_target(target: Path) -> None:
    """Whether a film could be kept there. Raises ``UsageError``, ``OutputError``."""
    if target.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"cannot save as {target.name}: the ending says the container, and "
            f"{target.suffix or 'none'} is not one of {', '.join(ENDINGS)}"
        )
    if target.exists():
        raise OutputError(f"{target} exists: it is not replaced; give another name to save under")
    if not target.parent.is_dir():
        raise OutputError(f"no folder {target.parent} to save {target.name} in")


class Keeper:
    """Keeps one film. ``finish`` it once nothing more of it is received."""

    def __init__(self, entry: HlsFilm | HttpFile | BinaryIO, target: Path) -> None:
        """Begins to keep what comes of ``entry`` from now on. Raises as ``check_target`` does."""
        check_target(target)
        self._target = target
        self._folder = target.with_name(target.name + ".vidlift-job")
        try:
            self._folder.mkdir()
        except FileExistsError as error:
            raise OutputError(
                f"{self._folder} is there: another run saves to it, or was ended by force; "
                "remove it or give another name to save under"
            ) from error
        except OSError as error:
            raise OutputError(f"cannot write {self._folder}: {error.strerror}") from error
        try:
            self._kept = self._keep(entry)
        except BaseException:  # Ctrl-C: what came before is being written
            self.abandon()
            raise

    def _keep(self, entry: HlsFilm | HttpFile | BinaryIO) -> _Segments | _Blocks:
        if isinstance(entry, HlsFilm):
            return _Segments(entry, self._folder)
        assert isinstance(entry, HttpFile), "what is on the disk needs no keeping"
        return _Blocks(entry, self._folder)

    def check(self) -> None:
        """Whether the file can hold what comes: call it once its beginning came.

        Raises ``UsageError``; what cannot be told yet shows in ``finish``.
        """
        with suppress(InputError):
            self._kept.check(self._target)

    def finish(self, *, whole: bool = False) -> str | None:
        """Make the file; returns why there is none, None where there is. Call it once.

        ``whole``: the film came to its end, so fetch what little of it is missing; Ctrl-C ends
        that, and the file is made before it is handed on. Raises ``OutputError``: what was
        received then stays in the folder that the message names.
        """
        stop = self._kept.fetch_rest() if whole else None
        part = self._folder / f"whole{self._target.suffix.lower()}"
        try:
            if self._kept.failed is not None:
                raise self._kept.failed
            made = self._kept.write(part)
            if made:
                with part.open("rb") as content:
                    os.fsync(content.fileno())
                check_target(self._target)
                part.replace(self._target)
        except (VidliftError, OSError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or error
            raise OutputError(
                f"{self._target} was not saved: {reason}; what came is in {self._folder}"
            ) from error
        self.abandon()
        if stop is not None:
            raise stop
        return None if made else f"{self._target} was not saved: nothing was received"

    def abandon(self) -> None:
        """Let go of what came."""
        shutil.rmtree(self._folder, ignore_errors=True)


def receive(entry: HlsFilm | HttpFile | BinaryIO, target: Path) -> None:
    """Receive all of a film, in its best rung, as fast as it comes, into a file.

    ``entry`` is what ``sources.open_entry`` gives for a URL, and stays the caller's. Raises
    ``OutputError``, and ``NetworkError`` where anything of it is missing.
    """
    keeper = Keeper(entry, target)
    try:
        if isinstance(entry, HlsFilm):
            entry.best_only()
            for count, _ in enumerate(entry.pieces()):
                if count < 2:  # the first of pictures, and of sound
                    keeper.check()
            if lost := entry.lost:
                what = ", ".join(f"{count} x {reason}" for reason, count in lost.items())
                raise NetworkError(f"{entry.name} did not come whole: {what}")
        else:
            if entry.seekable():
                found = open_container(cast(BinaryIO, entry), name=entry.name)
                with suppress(InputError), found:
                    keeper.check()  # its index may be at its end, and is here now
                entry.seek(0)
            while entry.read(BLOCK):
                pass
    except BaseException:
        keeper.abandon()
        raise
    if (missing := keeper.finish()) is not None:
        raise OutputError(missing)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A piece whose bytes are on the disk."""

    piece: Piece
    path: Path
    size: int

    def load(self) -> Piece:
        return replace(self.piece, data=self.path.read_bytes())


class _Segments:
    """The pieces of an HLS film."""

    def __init__(self, film: HlsFilm, folder: Path) -> None:
        self._folder, self._name = folder, film.name
        self._stored: dict[str, dict[tuple[int, float], _Stored]] = {"pictures": {}, "sound": {}}
        self.failed: OSError | None = None
        self._apart, self._sound_came = film.sound is not None, Event()
        film.keep(partial(self._take, "pictures"), partial(self._take, "sound"))

    def _take(self, kind: str, piece: Piece) -> None:
        """Write a piece down, in the thread that received it. The film goes on if that fails."""
        stored, key = self._stored[kind], (piece.epoch, round(piece.start, 3))
        before = stored.get(key)
        if self.failed is not None or (before and before.size >= len(piece.data)):
            return  # it came before, from a rung as good
        path = before.path if before else self._folder / f"{kind}-{len(stored):06d}"
        try:
            path.write_bytes(piece.data)
        except OSError as error:
            self.failed = error
            return
        stored[key] = _Stored(replace(piece, data=b""), path, len(piece.data))
        if kind == "sound":
            self._sound_came.set()

    def check(self, target: Path) -> None:
        """Whether the first pieces fit into such a file."""
        codecs = self._codecs("pictures")
        check_codecs(target.name, codecs)
        if codecs and self._apart and target.suffix.lower() == PICKY:
            self._sound_came.wait(SOUND_WAIT)
        check_codecs(target.name, codecs + self._codecs("sound"))

    def _codecs(self, kind: str) -> list[Codec]:
        for first in list(self._stored[kind].values())[:1]:
            with open_container(_open([first]), name=self._name) as entry:
                return codecs_of(kept_streams(entry).values())
        return []

    def fetch_rest(self) -> None:
        """Nothing: what came is all that there is."""

    def write(self, target: Path) -> bool:
        """Make the file; False where there is nothing to make it of."""
        pictures, sound = (
            list(_stretches(sorted(each.values(), key=lambda s: s.piece.start)))
            for each in self._stored.values()
        )
        if not pictures:
            return False
        line = _Line(pictures)
        lines = [
            [Stretch(content=partial(_open, s), move=partial(line.pictures, s)) for s in pictures],
            [Stretch(content=partial(_open, s), move=partial(line.sound, s)) for s in sound],
        ]
        remux(target, lines, container=ENDINGS[target.suffix][0], name=self._name)
        return True


def _stretches(stored: Iterable[_Stored]) -> Iterator[list[_Stored]]:
    """Pieces of one run that lie end to end."""
    waiting: list[_Stored] = []
    for each in stored:
        piece, last = each.piece, waiting[-1].piece if waiting else None
        adjoins = last is not None and abs(last.start + last.seconds - piece.start) <= ADJOIN
        if last is not None and (not adjoins or piece.run != last.run):
            yield waiting
            waiting = []
        waiting.append(each)
    if waiting:
        yield waiting


def _open(stretch: Sequence[_Stored]) -> BinaryIO:
    rest = iter(stretch[1:])
    following = lambda _: next((each.load() for each in rest), None)  # noqa: E731
    return cast(BinaryIO, Run(stretch[0].load(), following))


class _Line:
    """Where in the file each moment of the film is, what was not received left out."""

    def __init__(self, pictures: Sequence[Sequence[_Stored]]) -> None:
        self._times = Times()
        self._starts = [_seconds(s[0].piece.start) for s in pictures]
        self._lengths = [_seconds(sum(each.piece.seconds for each in s)) for s in pictures]
        self._places = [sum(self._lengths[:n], Fraction(0)) for n in range(len(pictures))]

    def pictures(self, stretch: Sequence[_Stored], first: Fraction) -> Move:
        """All of a stretch moves alike."""
        by = self._to_list(stretch, first)
        index = self._starts.index(_seconds(stretch[0].piece.start))
        by += self._places[index] - self._starts[index]
        return lambda time: time + by

    def sound(self, stretch: Sequence[_Stored], first: Fraction) -> Move:
        """Sound goes where its pictures went."""
        by = self._to_list(stretch, first)

        def place(time: Fraction) -> Fraction | None:
            index = bisect_right(self._starts, time + by) - 1
            after = time + by - self._starts[index]
            return self._places[index] + after if 0 <= after < self._lengths[index] else None

        return place

    def _to_list(self, stretch: Sequence[_Stored], first: Fraction) -> Fraction:
        """From times in a stretch to those in the playlist."""
        by = self._times.move(stretch[0].piece, first)
        assert self._times.base is not None
        return by - self._times.base


def _seconds(time: float) -> Fraction:
    return Fraction(time).limit_denominator(1_000_000)


class _Blocks:
    """The blocks of one file."""

    def __init__(self, file: HttpFile, folder: Path) -> None:
        self._file, self._path = file, folder / "content"
        self._there: set[int] = set()
        self.failed: OSError | None = None
        self._path.touch()
        for index, block in file.blocks().items():
            self._take(index, block)
        file.keep = self._take

    def _take(self, index: int, block: bytes) -> None:
        if index in self._there or self.failed is not None:
            return
        try:
            with self._path.open("r+b") as content:
                content.seek(index * BLOCK)
                content.write(block)
        except OSError as error:
            self.failed = error
            return
        self._there.add(index)

    def check(self, target: Path) -> None:
        """Whether the file, as far as it came, fits into such a one."""
        with open_container(self._open(), name=self._file.name) as entry:
            if target.suffix.lower() == PICKY or not self._fits(entry, target):
                check_codecs(target.name, codecs_of(kept_streams(entry).values()))

    def fetch_rest(self) -> BaseException | None:
        """Fetch what is missing, as far as it can be had; returns Ctrl-C, if that ended it."""
        size = self._file.size
        try:
            for index in range(-(-size // BLOCK) if size else 0):
                if index not in self._there:
                    self._file.seek(index * BLOCK)
                    self._file.read(BLOCK)
        except NetworkError:
            return self._file.interrupted
        except KeyboardInterrupt as stop:
            return stop
        return None

    def write(self, target: Path) -> bool:
        """Make the file; False where there is nothing to make it of."""
        if self.failed is not None:
            raise self.failed
        if not self._there:
            return False
        container, _ = ENDINGS[target.suffix]
        if self._is_whole():
            with open_container(self._path, name=self._file.name) as entry:
                fits = self._fits(entry, target)
            if fits:
                self._path.replace(target)
                return True
        stretch = Stretch(content=self._open, move=lambda _: lambda time: time)
        remux(target, [[stretch]], container=container, name=self._file.name)
        return True

    @staticmethod
    def _fits(entry: InputContainer, target: Path) -> bool:
        """Whether it is kept bit for bit when it comes whole."""
        return entry.format.name.startswith(ENDINGS[target.suffix.lower()][1])

    def _is_whole(self) -> bool:
        size = self._file.size
        return size is not None and len(self._there) == -(-size // BLOCK)

    def _open(self) -> BinaryIO:
        return cast(BinaryIO, _Partly(self._path, frozenset(self._there)))


class _Partly(io.RawIOBase):
    """A file that ends, for whoever reads it, where a block is missing."""

    def __init__(self, path: Path, there: frozenset[int]) -> None:
        super().__init__()
        self._content = path.open("rb")
        self._there = there

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._content.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._content.seek(offset, whence)

    def readinto(self, buffer: WriteableBuffer) -> int:
        index, offset = divmod(self._content.tell(), BLOCK)
        if index not in self._there:
            return 0
        view = memoryview(buffer).cast("B")[: BLOCK - offset]
        return self._content.readinto(view)

    def close(self) -> None:
        self._content.close()
        super().close()
