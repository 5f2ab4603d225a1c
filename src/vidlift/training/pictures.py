"""High-resolution pictures in, batches of patches and their degraded twins out.

Every batch is a function of the seed and the number of the step alone, so that a run that goes
on from a checkpoint sees what an undisturbed one would have seen.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

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


class Patches:
    """Random aligned patches, each turned and mirrored in one of eight ways."""

    def __init__(
        self, pictures: Sequence[Picture], *, scale: int, patch: int, batch: int, seed: int
    ) -> None:
        """``patch`` is the side of a low-resolution patch; smaller pictures are left out."""
        self._pictures = [p for p in pictures if min(p.low.shape) >= patch]
        if not self._pictures:
            raise InputError(f"no picture is large enough for patches of {patch * scale} pixels")
        area = np.array([p.low.size for p in self._pictures], np.float64)
        self._share = area / area.sum()
        self._scale, self._patch, self._batch, self._seed = scale, patch, batch, seed

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """The batch of a step: low ``[n, 1, p, p]`` and high ``[n, 1, s*p, s*p]``, in 0..1."""
        rng = np.random.default_rng((self._seed, step))
        chosen = rng.choice(len(self._pictures), self._batch, p=self._share)
        pairs = [self._cut(self._pictures[index], rng) for index in chosen]
        low, high = (np.stack(side)[:, None] for side in zip(*pairs, strict=True))
        return torch.from_numpy(low).float() / 255, torch.from_numpy(high).float() / 255

    def _cut(
        self, picture: Picture, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        p, s = self._patch, self._scale
        top, left = (int(rng.integers(side - p + 1)) for side in picture.low.shape)
        way = int(rng.integers(8))
        low = picture.low[top : top + p, left : left + p]
        high = picture.high[top * s : (top + p) * s, left * s : (left + p) * s]
        return _turned(low, way), _turned(high, way)


def _turned(plane: NDArray[np.uint8], way: int) -> NDArray[np.uint8]:
    turned = np.rot90(plane, way % 4)
    return np.ascontiguousarray(turned[:, ::-1] if way >= 4 else turned)
