"""Still pictures of a title: the poster, and the strip of thumbnails that a seek bar shows."""

from __future__ import annotations

import io
from contextlib import closing
from fractions import Fraction

from PIL import Image, ImageStat

from vidlift.cloud.captions import stamp
from vidlift.cloud.journal import Journal
from vidlift.errors import InputError
from vidlift.jobs.notes import write_whole
from vidlift.rgb import to_rgb
from vidlift.sinks.screen import Turn, shown_size, turn
from vidlift.sources.file import FileSource

POSTER_AT = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Where in the film a poster is looked for: the picture with the most contrast is taken."""

THUMBNAILS_MAX = 100
COLUMNS = 10
THUMBNAIL_HEIGHT = 90


def write_poster(journal: Journal, rung: str) -> None:
    """``poster.jpg``: a frame of the film's first half that shows something, as it is shown."""
    places = sorted({int(len(journal.rows) * place) for place in POSTER_AT})
    pictures = [_first_picture(journal, rung, index) for index in places]
    picture = max(pictures, key=lambda p: ImageStat.Stat(p.convert("L")).stddev[0])
    write_whole(journal.content / "poster.jpg", _jpeg(picture, quality=85))


def write_thumbnails(journal: Journal, rung: str) -> None:
    """``thumbnails.jpg``, a grid, and ``thumbnails.vtt``, which says what is where and when."""
    count = len(journal.rows)
    stride = -(-count // THUMBNAILS_MAX)
    chosen = range(0, count, stride)
    small = []
    for index in chosen:
        picture = _first_picture(journal, rung, index)
        width = max(1, round(picture.width * THUMBNAIL_HEIGHT / picture.height))
        small.append(picture.resize((width, THUMBNAIL_HEIGHT)))
    width = small[0].width
    rows = -(-len(small) // COLUMNS)
    grid = Image.new("RGB", (width * min(COLUMNS, len(small)), THUMBNAIL_HEIGHT * rows))
    blocks = ["WEBVTT"]
    for place, (index, picture) in enumerate(zip(chosen, small, strict=True)):
        row, column = divmod(place, COLUMNS)
        x, y = column * width, row * THUMBNAIL_HEIGHT
        grid.paste(picture, (x, y))
        start = Fraction(journal.rows[index].start)
        end = Fraction(journal.rows[min(index + stride, count) - 1].end)
        area = f"thumbnails.jpg#xywh={x},{y},{width},{THUMBNAIL_HEIGHT}"
        blocks.append(f"{stamp(start)} --> {stamp(end)}\n{area}")
    write_whole(journal.content / "thumbnails.jpg", _jpeg(grid, quality=75))
    write_whole(journal.content / "thumbnails.vtt", ("\n\n".join(blocks) + "\n").encode())


def _first_picture(journal: Journal, rung: str, index: int) -> Image.Image:
    """The first frame of a segment, with square pixels, the right way up."""
    data = (journal.content / rung / "init.mp4").read_bytes()
    data += journal.path(rung, index).read_bytes()
    with closing(FileSource(io.BytesIO(data), name=f"segment {index} of {rung}")) as source:
        info = source.info
        for frame in source:
            picture = Image.fromarray(to_rgb(frame, source_height=info.height))
            size = shown_size((info.width, info.height), sar=info.sar, turn=Turn())
            way = turn(info.display_matrix)
            picture = picture.resize(size)
            if way.mirrored:
                picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            return picture.rotate(-way.degrees, expand=True)
    raise InputError(f"segment {index} of {rung} holds no picture")


def _jpeg(picture: Image.Image, *, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()
