"""Photographs set in motion: sub-pixel pan, zoom, rotation, brightness, cuts, grain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidlift.training.degrade import Planes


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """The ranges that a shot's motion is drawn from, per frame."""

    pan: float = 3.0
    """Samples, each way, standard deviation of the shot's speed."""

    zoom: float = 0.004
    turn: float = 0.15
    """Degrees."""

    brightness: float = 0.004
    cut: float = 0.05
    """Share of sequences with a cut to another part of the photograph half-way."""

    grain: float = 0.25
    """Share of sequences with film grain."""

    grain_size: float = 3.0
    """Largest standard deviation of the grain, in code values."""


def moved(
    photograph: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    size: tuple[int, int],
    frames: int,
    motion: Motion | None = None,
) -> Planes:
    """A shot over a photograph: ``frames`` windows of ``size`` (width, height), luma.

    The window is taken at the photograph's own resolution (zoom near 1), interpolated by bicubic.
    It begins inside, and stays there where the photograph leaves it room to move; what it sees
    beyond the border is black, 16.
    """
    motion = motion or Motion()
    image = Image.fromarray(photograph)
    cut_at = frames // 2 if rng.random() < motion.cut else frames
    grain = motion.grain_size * rng.random() if rng.random() < motion.grain else 0.0
    made: Planes = []
    shot = _Shot(image, rng, size, motion)
    for index in range(frames):
        if index == cut_at:
            shot = _Shot(image, rng, size, motion)
        plane = shot.next()
        if grain:
            noisy = plane + rng.normal(0, grain, plane.shape)
            plane = np.rint(noisy).clip(0, 255).astype(np.uint8)
        made.append(plane)
    return made


class _Shot:
    """One camera move: place, speed, and what they are after each frame."""

    def __init__(
        self,
        image: Image.Image,
        rng: np.random.Generator,
        size: tuple[int, int],
        motion: Motion,
    ) -> None:
        self._image, self._size = image, size
        room = [max(0.0, side - own) / 2 for side, own in zip(image.size, size, strict=True)]
        self._centre = np.array(
            [
                side / 2 + r * rng.uniform(-0.8, 0.8)
                for side, r in zip(image.size, room, strict=True)
            ]
        )
        self._speed = rng.normal(0, motion.pan, 2)
        self._scale, self._growth = 1.0, 1 + rng.normal(0, motion.zoom)
        self._angle, self._turn = 0.0, np.radians(rng.normal(0, motion.turn))
        self._light, self._fade = 1.0, 1 + rng.normal(0, motion.brightness)

    def next(self) -> NDArray[np.uint8]:
        width, height = self._size
        cos, sin = np.cos(self._angle) * self._scale, np.sin(self._angle) * self._scale
        x, y = self._centre
        data = (
            *(cos, sin, x - cos * width / 2 - sin * height / 2),
            *(-sin, cos, y + sin * width / 2 - cos * height / 2),
        )
        window = self._image.transform(
            self._size, Image.Transform.AFFINE, data, Image.Resampling.BICUBIC, fillcolor=16
        )
        plane = np.asarray(window)
        if self._light != 1:
            plane = np.rint(16 + (plane.astype(np.float32) - 16) * self._light).clip(0, 255)
        self._centre = self._centre + self._speed
        self._scale *= self._growth
        self._angle += self._turn
        self._light *= self._fade
        return plane.astype(np.uint8)
