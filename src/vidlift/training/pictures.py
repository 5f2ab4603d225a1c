"""High-resolution pictures in, with their degraded twins, and which of them are held out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidlift import resample
from vidlift.errors import InputError

ENDINGS = (".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

_TILE = re.compile(r"_t\d+$")

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


def luma(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``[H, W, 3]`` R'G'B' -> ``[H, W]`` BT.601 luma in studio range."""
    y: NDArray[np.uint8] = np.rint(rgb.astype(np.float32) @ _LUMA + 16).astype(np.uint8)
    return y


def load(folders: Sequence[Path], *, scale: int) -> list[Picture]:
    """Every picture under the folders, in order of name. Raises ``InputError`` where none is."""
    pictures = []
    for where in picture_files(folders):
        try:
            with Image.open(where) as image:
                high = luma(np.asarray(image.convert("RGB")))
        except OSError as error:
            raise InputError(f"{where} is not a picture that can be read: {error}") from error
        height, width = (side - side % (2 * scale) for side in high.shape)
        high = np.ascontiguousarray(high[:height, :width])
        low = resample.resize(high, (width // scale, height // scale))
        pictures.append(Picture(source=source_of(where), high=high, low=low))
    return pictures


def picture_files(folders: Sequence[Path]) -> list[Path]:
    """The picture files under the folders. Raises ``InputError`` where there is none."""
    files = sorted(
        where for folder in folders for where in folder.rglob("*") if where.suffix in ENDINGS
    )
    if not files:
        raise InputError(
            f"no picture in {', '.join(map(str, folders))}; "
            f"pictures are files ending in {', '.join(ENDINGS)}"
        )
    return files


def source_of(where: Path) -> str:
    """The photograph a file shows: its name without the number of the tile."""
    return _TILE.sub("", where.stem)


def is_held_out(source: str, *, one_in: int = 20) -> bool:
    """Whether a photograph is of the validation split, by a digest of its name: a choice that
    does not move when others are added."""
    return int.from_bytes(hashlib.sha256(source.encode()).digest()[:4], "big") % one_in == 0


def digest(folders: Sequence[Path]) -> str:
    """SHA-256 over names and content of the training files: what a descriptor cites."""
    whole = hashlib.sha256()
    for where in picture_files(folders):
        with where.open("rb") as content:
            whole.update(
                f"{where.name} {hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode()
            )
    return whole.hexdigest()
