"""The picture on the screen, saved as a PNG in the working folder: upright, in square dots."""

from __future__ import annotations

import os
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidlift.player.film import Film
from vidlift.player.overlay import clock_text
from vidlift.player.schedule import Picture
from vidlift.rgb import to_rgb
from vidlift.sinks.screen import Turn, shown_size, turn

if TYPE_CHECKING:
    from PIL import Image


def save(picture: Picture | None, film: Film) -> str:
    """Save it under a name that says when it is shown and what made it; returns what to tell the
    viewer. No file is replaced."""
    from PIL import Image  # costs time and memory, and few need it

    if picture is None:
        return "there is no picture yet"
    moment = clock_text(float(picture.frame.pts) - film.span.start).replace(":", ".")
    name = f"{Path(film.name).stem}-{moment}-{picture.by.replace(' ', '-')}"
    names = (Path(f"{name}{more}.png") for more in chain([""], (f"-{n}" for n in count(2))))
    where = next(each for each in names if not os.path.lexists(each))
    rgb = to_rgb(picture.frame, source_height=film.info.height, siting=film.info.siting)
    made = Image.fromarray(rgb)
    if (size := shown_size(made.size, sar=picture.frame.sar, turn=Turn())) != made.size:
        made = made.resize(size, Image.Resampling.BICUBIC)
    try:
        _upright(made, turn(film.info.display_matrix)).save(where)
    except OSError as error:
        return f"cannot write {where}: {error.strerror}"
    return f"saved {where}"


def _upright(made: Image.Image, way: Turn) -> Image.Image:
    """The picture as the window turns it."""
    from PIL import Image

    rgb = np.asarray(made)
    rgb = rgb[:, ::-1] if way.mirrored else rgb
    return Image.fromarray(np.rot90(rgb, -way.degrees // 90))
