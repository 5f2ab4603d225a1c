"""The picture on the screen, saved as a PNG in the working folder: upright, in square dots."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from io import BytesIO
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from vidlift.player.film import Film
from vidlift.player.overlay import clock_text
from vidlift.player.schedule import Picture
from vidlift.rgb import to_rgb
from vidlift.sinks.screen import Turn, shown_size, turn
from vidlift.stages.ahead import Aside

if TYPE_CHECKING:
    from PIL import Image


class Album:
    """Saves pictures beside the film: one of 1080 lines takes as long as ten of a film last."""

    def __init__(self) -> None:
        self._saving: list[Aside[str]] = []

    def add(self, picture: Picture | None, film: Film) -> None:
        """Save one as ``save`` does, in a thread of its own."""
        self._saving.append(Aside(partial(save, picture, film), short=True))

    def saved(self) -> list[str]:
        """What to tell the viewer of those that are done by now, once of each."""
        done = [each for each in self._saving if each.ready]
        self._saving = [each for each in self._saving if each not in done]
        return [each.result() for each in done]

    def close(self) -> None:
        """Wait for the rest."""
        for each in self._saving:
            each.result()


def save(picture: Picture | None, film: Film) -> str:
    """Save it under a name that says when it is shown and what made it; returns what to tell the
    viewer. No file is replaced."""
    from PIL import Image  # costs time and memory, and few need it

    if picture is None:
        return "there is no picture yet"
    moment = clock_text(float(picture.frame.pts) - film.span.start).replace(":", ".")
    name = f"{Path(film.name).stem}-{moment}-{picture.by.replace(' ', '-')}"
    rgb = to_rgb(picture.frame, source_height=film.info.height, siting=film.info.siting)
    made = Image.fromarray(rgb)
    if (size := shown_size(made.size, sar=picture.frame.sar, turn=Turn())) != made.size:
        made = made.resize(size, Image.Resampling.BICUBIC)
    png = BytesIO()
    _upright(made, turn(film.info.display_matrix)).save(png, "PNG")
    try:
        where, file = _new(name)
        try:
            with file:
                file.write(png.getbuffer())
        except OSError:
            where.unlink()
            raise
    except OSError as error:
        return f"cannot write {name}.png: {error.strerror}"
    return f"saved {where}"


def _new(name: str) -> tuple[Path, BinaryIO]:
    """A file of that name, or with a number behind it where there is one already."""
    for more in chain([""], (f"-{n}" for n in count(2))):
        where = Path(f"{name}{more}.png")
        with suppress(FileExistsError):
            return where, where.open("xb")
    raise AssertionError("numbers do not end")


def _upright(made: Image.Image, way: Turn) -> Image.Image:
    """The picture as the window turns it."""
    from PIL import Image

    rgb = np.asarray(made)
    rgb = rgb[:, ::-1] if way.mirrored else rgb
    return Image.fromarray(np.rot90(rgb, -way.degrees // 90))
