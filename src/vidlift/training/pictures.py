"""High-resolution pictures in, with their degraded twins, and which of them are held out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidlift import resample
from vidlift.errors import InputError
from vidlift.rgb import rgb_of

ENDINGS = (".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

DRAWN = ("screen_*", "text_*", "draw_*", "material-kit_*", "now-ui_*")
"""Names of those we train on that are no photographs: what recipes leave out."""

_PART = re.compile(r"(_t\d+|_b)$")

_LUMA = np.array([65.481, 128.553, 24.966], np.float32) / 255


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """One training picture at both sizes, luma in 8-bit code values."""

    source: str
    """The photograph it comes from: tiles of one photograph share it."""

    high: NDArray[np.uint8]
    """``[s*H, s*W]``."""

    low: NDArray[np.uint8]
    """``[H, W]``."""

    taught: NDArray[np.uint8] | None = None
    """What a teacher makes of ``low``, like ``high``; None where nobody teaches."""

    full_range: bool = False
    """Whether it goes beyond 16 and 235, where published networks were never taken."""


def luma(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``[H, W, 3]`` R'G'B' -> ``[H, W]`` BT.601 luma in studio range."""
    y: NDArray[np.uint8] = np.rint(rgb.astype(np.float32) @ _LUMA + 16).astype(np.uint8)
    return y


def load(
    folders: Sequence[Path], *, scale: int, leave_out: Sequence[str] = (), shrink: float = 1.0
) -> list[Picture]:
    """Every picture under the folders, in order of name; then, where ``shrink`` is below 1, every
    one again that much smaller.

    ``leave_out`` are patterns of names. Pictures too small to be shrunk by the scale are passed
    over. Raises ``InputError`` for one that cannot be read, and where no picture is left.
    """
    found = []
    for where in picture_files(folders, leave_out=leave_out):
        try:
            with Image.open(where) as image:
                found.append((source_of(where), luma(np.asarray(rgb_of(image)))))
        except Exception as error:  # its decoders' exceptions share no base
            raise InputError(f"{where} is not a picture that can be read: {error}") from error
    if shrink < 1:
        found += [(source, _smaller(high, shrink)) for source, high in found]
    fitting = [(source, high) for source, high in found if min(high.shape) >= 2 * scale]
    if not fitting:
        raise InputError(
            f"no picture in {', '.join(map(str, folders))} has {2 * scale} pixels on either side, "
            f"too few to be shrunk by {scale}"
        )
    return [degraded(high, source=source, scale=scale) for source, high in fitting]


def stretched(found: Sequence[Picture], by: float, *, scale: int) -> list[Picture]:
    """Every fourth picture with its contrast raised by that factor about the middle of studio
    range, cut off at 0 and 255: black and white that are nothing else, as full range has them."""
    middle = (16 + 235) / 2
    return [
        replace(
            degraded(
                np.clip(np.rint((each.high - middle) * by + middle), 0, 255).astype(np.uint8),
                source=each.source,
                scale=scale,
            ),
            full_range=True,
        )
        for each in found[::4]
    ]


def degraded(high: NDArray[np.uint8], *, source: str, scale: int) -> Picture:
    """A picture, cropped to sides that the scale divides, with its antialiased bicubic twin.

    Raises ``InputError`` for one with fewer than ``2 * scale`` samples on a side.
    """
    if min(high.shape) < 2 * scale:
        size = f"{high.shape[1]}x{high.shape[0]}"
        raise InputError(f"the picture {source}, {size}, is too small to be shrunk by {scale}")
    height, width = (side - side % (2 * scale) for side in high.shape)
    high = np.ascontiguousarray(high[:height, :width])
    low = resample.resize(high, (width // scale, height // scale))
    return Picture(source=source, high=high, low=low)


def picture_files(folders: Sequence[Path], *, leave_out: Sequence[str] = ()) -> list[Path]:
    """The picture files under the folders, whatever the case of their endings, without those whose
    names fit a pattern of ``leave_out``. Raises ``InputError`` where there is none, and for a
    folder that is not there."""
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"no folder {folder} to take pictures from")
    files = sorted(
        where
        for folder in folders
        for where in folder.rglob("*")
        if where.suffix.lower() in ENDINGS
        and not any(fnmatch(where.name, p) for p in leave_out)
        and not where.is_dir()
    )
    if not files:
        raise InputError(
            f"no picture in {', '.join(map(str, folders))}; "
            f"pictures are files ending in {', '.join(ENDINGS)}"
        )
    return files


def source_of(where: Path) -> str:
    """The photograph or title a file shows: its name without the number of a tile, ``_t2``, or the
    mark of a later part, ``_b``."""
    return _PART.sub("", where.stem)


def is_held_out(source: str, *, one_in: int = 20) -> bool:
    """Whether a photograph is of the validation split, by a digest of its name: a choice that
    does not move when others are added."""
    return int.from_bytes(hashlib.sha256(source.encode()).digest()[:4], "big") % one_in == 0


def _smaller(plane: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    height, width = (max(1, round(factor * side)) for side in plane.shape)
    return resample.resize(plane, (width, height))


def digest(folders: Sequence[Path], *, leave_out: Sequence[str] = (), shrink: float = 1.0) -> str:
    """SHA-256 over names and content of the training files, and over the factor by which they
    are shrunk: what a descriptor cites. Raises ``InputError`` for one that cannot be read."""
    whole = hashlib.sha256()
    if shrink < 1:
        whole.update(f"shrink {shrink}\n".encode())
    for where in picture_files(folders, leave_out=leave_out):
        try:
            with where.open("rb") as content:
                found = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"cannot read {where}: {error.strerror}") from error
        whole.update(f"{where.name} {found}\n".encode())
    return whole.hexdigest()
