"""What goes into a pack: pictures and videos looked through, made into items, or passed over.

Photographs that were compressed are halved, which hides it; what is flat, tiny, damaged or
nearly the same as another is skipped, and every skip has its reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidlift import resample
from vidlift.errors import InputError, VidliftError
from vidlift.rgb import rgb_of
from vidlift.sources.file import FileSource
from vidlift.training import pictures
from vidlift.training.degrade import Degradation, Planes
from vidlift.training.motion import moved
from vidlift.training.pack import Item

VIDEO_ENDINGS = (
    *(".mkv", ".mp4", ".mov", ".webm", ".ts", ".m4v"),
    *(".avi", ".mpg", ".mpeg", ".m2ts", ".mts", ".y4m"),
)

COMPRESSED = (".jpg", ".jpeg")
"""Endings of pictures whose own compression may show: they are halved."""

SHORTEST = 160
"""Shorter side of a picture at least, after shrinking, in samples."""

FLAT = 4.0
"""Standard deviation of luma below which a picture teaches nothing."""

ALIKE = 6
"""Bits of 64 in which the hashes of two pictures may differ and they still count as the same."""

FRAME_STEP = 12
"""A video gives every so many frames as pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceOptions:
    """How sequences are made."""

    scale: int
    frames: int = 8
    side: int = 384
    """Longest side of the window over a photograph, high-resolution samples."""

    keep: int = 3
    """Frames of a sequence that are packed, spread over it: neighbours teach the same."""

    seed: int = 1


def files(sources: Sequence[Path]) -> list[Path]:
    """Pictures and videos under the sources, which are files or folders; a file that is named and
    has no ending of a picture is taken for a video."""
    return _found(sources, (*pictures.ENDINGS, *VIDEO_ENDINGS), what="picture or video")


def videos(sources: Sequence[Path]) -> list[Path]:
    """The videos under the sources; a file that is named is one whatever its ending."""
    return _found(sources, VIDEO_ENDINGS, what="video")


def _found(sources: Sequence[Path], endings: Sequence[str], *, what: str) -> list[Path]:
    found: list[Path] = []
    for source in sources:
        if not source.exists():
            raise InputError(f"no file or folder {source}")
        inside = sorted(source.rglob("*")) if source.is_dir() else []
        found += [where for where in inside if where.suffix.lower() in endings]
        found += [] if source.is_dir() else [source]
    if not found:
        raise InputError(
            f"no {what} in {', '.join(map(str, sources))}; they end in {', '.join(endings)}"
        )
    return found


def still_items(found: Iterable[Path], skipped: dict[str, str]) -> Iterator[Item]:
    """Pictures, and frames of videos, as items that are degraded when they are read."""
    seen = _Seen()
    for where in found:
        for name, plane in _planes(where, skipped):
            source = pictures.source_of(Path(name))
            reason = _weakness(plane) or seen.twin(plane, source)
            if reason:
                skipped[str(where.with_name(name))] = reason
                continue
            yield Item(source=source, held_out=pictures.is_held_out(source), high=plane)


def sequence_items(
    found: Iterable[Path],
    skipped: dict[str, str],
    *,
    degradation: Degradation,
    options: SequenceOptions,
) -> Iterator[Item]:
    """Clips, and photographs in motion, shrunk and sent through codecs."""
    seen = _Seen()
    for number, where in enumerate(found):
        rng = np.random.default_rng((options.seed, number))
        for name, high in _sequences(where, rng, seen, skipped, options):
            low, through = degradation([_shrunk(plane, options.scale) for plane in high], rng)
            source = pictures.source_of(Path(name))
            for index in _spread(len(high), options.keep):
                yield Item(
                    source=source,
                    held_out=pictures.is_held_out(source),
                    high=high[index],
                    low=low[index],
                    through=through,
                )


def _sequences(
    where: Path,
    rng: np.random.Generator,
    seen: _Seen,
    skipped: dict[str, str],
    options: SequenceOptions,
) -> Iterator[tuple[str, Planes]]:
    """Name and high-resolution luma of each sequence that a file gives."""
    if _is_picture(where):
        for name, plane in _planes(where, skipped):
            reason = _weakness(plane) or seen.twin(plane, pictures.source_of(Path(name)))
            if reason:
                skipped[str(where.with_name(name))] = reason
                continue
            yield name, moved(plane, rng, size=_window(plane, options), frames=options.frames)
        return
    frames = 0
    try:
        for index, high in _shots(where, options):
            frames += len(high)
            if len(high) < options.frames:
                continue
            name = f"{where.name}#{index}"
            shown = high[len(high) // 2]  # the first may be the black that a film fades in from
            reason = _weakness(shown) or seen.twin(shown, pictures.source_of(Path(name)))
            if reason:
                skipped[str(where.with_name(name))] = reason
                continue
            yield where.name, high
    except VidliftError as error:
        skipped[str(where)] = f"cannot be read: {error}"
        return
    if frames < options.frames:
        skipped[str(where)] = f"it has {frames} frames, fewer than {options.frames}"


def _shots(where: Path, options: SequenceOptions) -> Iterator[tuple[int, Planes]]:
    """A video in sequences of one size, each with the number of its first frame; the last of a
    size may be shorter.

    Holds no more than one of them.
    """
    # Long enough for a codec to find its stride, several times through it.
    longest = 3 * options.frames
    start, frames = 0, Planes()
    for plane in _video_luma(where, step=1):
        cropped = _cropped(plane, options.scale)
        if frames and (len(frames) == longest or cropped.shape != frames[0].shape):
            yield start, frames
            start, frames = start + len(frames), Planes()
        frames.append(cropped)
    if frames:
        yield start, frames


def _window(plane: NDArray[np.uint8], options: SequenceOptions) -> tuple[int, int]:
    """Width and height of the window over a photograph; there is room to move where it is large."""
    step = 2 * options.scale
    height, width = (min(side - side % step, options.side) for side in plane.shape)
    return width - width % step, height - height % step


def _planes(where: Path, skipped: dict[str, str]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Luma of the pictures that a file gives, with names."""
    if not _is_picture(where):
        try:
            for index, plane in enumerate(_video_luma(where, step=FRAME_STEP)):
                yield f"{where.name}#{index * FRAME_STEP}", plane
        except VidliftError as error:
            skipped[str(where)] = f"cannot be read: {error}"
        return
    try:
        with Image.open(where) as image:
            rgb = rgb_of(image)
            if where.suffix.lower() in COMPRESSED and min(rgb.size) >= 2 * SHORTEST:
                rgb = rgb.resize((rgb.width // 2, rgb.height // 2), Image.Resampling.LANCZOS)
            plane = pictures.luma(np.asarray(rgb))
    except Exception as error:  # its decoders' exceptions share no base
        skipped[str(where)] = f"cannot be read: {error}"
        return
    yield where.name, plane


def _is_picture(where: Path) -> bool:
    return where.suffix.lower() in pictures.ENDINGS


def _video_luma(where: Path, *, step: int) -> Iterator[NDArray[np.uint8]]:
    with closing(FileSource(where)) as source:
        for index, frame in enumerate(source):
            if index % step == 0:
                deep = frame.luma >> (frame.bits - 8) if frame.bits > 8 else frame.luma
                yield np.array(deep, np.uint8)


def _weakness(plane: NDArray[np.uint8]) -> str | None:
    """Why a picture teaches nothing, None where it does."""
    if min(plane.shape) < SHORTEST:
        return f"its shorter side has {min(plane.shape)} samples, fewer than {SHORTEST}"
    if float(plane.std()) < FLAT:
        return "it is flat"
    return None


class _Seen:
    """Hashes of the pictures so far, each with its source."""

    def __init__(self) -> None:
        self._hashes: list[int] = []
        self._sources: list[str] = []
        self._exact: dict[bytes, str] = {}

    def twin(self, plane: NDArray[np.uint8], source: str) -> str | None:
        """Which earlier picture this one is a copy of, or nearly the same where that is of another
        source: tiles and frames of one may be alike."""
        exact = hashlib.sha256(np.ascontiguousarray(plane).data).digest()
        if exact in self._exact:
            return f"nearly the same as {self._exact[exact]}"
        own = _difference_hash(plane)
        for other, name in zip(self._hashes, self._sources, strict=True):
            if name != source and (own ^ other).bit_count() <= ALIKE:
                return f"nearly the same as {name}"
        self._exact[exact] = source
        self._hashes.append(own)
        self._sources.append(source)
        return None


def _difference_hash(plane: NDArray[np.uint8]) -> int:
    """64 bits: whether each of 8x8 places is brighter than its left neighbour."""
    small = np.asarray(Image.fromarray(plane).resize((9, 8), Image.Resampling.BOX), np.int16)
    bits = (np.diff(small, axis=1) > 0).ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def _cropped(plane: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    height, width = (side - side % (2 * scale) for side in plane.shape)
    return plane[:height, :width]


def _shrunk(plane: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    return resample.resize(plane, (plane.shape[1] // scale, plane.shape[0] // scale))


def _spread(count: int, keep: int) -> list[int]:
    """``keep`` numbers below ``count``, as far apart as they can be."""
    return sorted({round(x) for x in np.linspace(0, count - 1, min(keep, count))})
