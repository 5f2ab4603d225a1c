"""Films from any point: pictures and sound of one moment, whatever the container."""

from __future__ import annotations

import weakref
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.clips import make_clip
from support.lifetime import no_collector
from support.servers import part_of, scripted
from vidlift.errors import InputError
from vidlift.player.film import LAST, Film
from vidlift.sources import shown_name

FRAMES = 96
OPTIONS = {"preset": "ultrafast", "g": "24", "bf": "2"}


@pytest.fixture(scope="module", params=["mp4", "mkv", "ts"])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("films") / f"film.{request.param}"
    return make_clip(where, frames=FRAMES, options=OPTIONS)


def whole(clip: Path) -> list[tuple[Fraction, int]]:
    """Time and a mark of every picture, in one go from the beginning."""
    film = Film(str(clip))
    found = [(frame.pts, int(frame.luma.sum())) for frame in film.frames(stop=None)]
    film.close()
    return found


@pytest.mark.parametrize("share", [0.0, 0.1, 0.49, 0.5, 0.77, 0.98])
def test_a_seek_gives_exactly_the_pictures_from_there_on(clip: Path, share: float) -> None:
    wanted = whole(clip)
    film = Film(str(clip))
    assert film.span.end is not None
    to = film.seek(film.span.start + share * (film.span.end - film.span.start))
    found = [(frame.pts, int(frame.luma.sum())) for frame in film.frames(stop=None)]
    assert found == [part for part in wanted if float(part[0]) + 1 / 24 > to + 1e-6]
    film.close()


def test_a_film_that_was_closed_is_gone_with_its_decoder(clip: Path) -> None:
    with no_collector():
        film = Film(str(clip))
        left: list[weakref.ref[Any]] = [weakref.ref(film.split), weakref.ref(film.split.pictures)]
        assert len(list(film.frames(stop=None))) == FRAMES
        film.seek(1.0)
        left.append(weakref.ref(film.split.pictures))
        assert left[1]() is None, "of before the seek"
        next(film.frames(stop=None))
        film.close()
        del film
        assert [each() for each in left] == [None] * 3


def test_sound_begins_with_its_picture(clip: Path) -> None:
    film = Film(str(clip))
    to = film.seek(film.span.start + 2)
    assert film.sound is not None
    chunk = next(iter(film.sound))
    assert to - 0.1 <= float(chunk.pts) <= to + 0.03
    film.close()


def test_seeking_back_and_forth_ends_where_it_should(clip: Path) -> None:
    wanted = [time for time, _ in whole(clip)]
    film = Film(str(clip))
    for to in (3.0, 0.5, 2.0, 0.0):
        film.seek(film.span.start + to)
        first = next(film.frames(stop=None))
        assert first.pts == max(time for time in wanted if float(time - wanted[0]) <= to + 1e-4)
    film.close()


def test_a_seek_stays_inside_the_film(clip: Path) -> None:
    film = Film(str(clip))
    assert film.span.end is not None
    assert film.seek(-100) == film.span.start
    assert film.seek(1e6) == pytest.approx(film.span.end - LAST)
    assert len(list(film.frames(stop=None))) >= 1
    film.close()


def test_a_seek_beyond_what_there_is_gives_the_last_picture(clip: Path) -> None:
    wanted = whole(clip)
    film = Film(str(clip))
    film.split.seek(Fraction(1000))
    assert [frame.pts for frame in film.split.pictures] == [wanted[-1][0]]
    film.close()


def test_a_stop_is_kept(clip: Path) -> None:
    film = Film(str(clip))
    start = Fraction(film.span.start).limit_denominator(90_000)
    assert len(list(film.frames(stop=film.span.start + 1))) in (24, 25)
    assert start >= 0
    film.close()


def test_what_is_lost_adds_up_over_seeks(clip: Path) -> None:
    film = Film(str(clip))
    film.split.pictures.lost["a reason"] += 2
    film.seek(film.span.start + 1)
    film.split.pictures.lost["a reason"] += 1
    assert film.lost == {"a reason": 3}
    film.close()


def test_what_cannot_be_opened_is_closed(tmp_path: Path) -> None:
    where = tmp_path / "text.mp4"
    where.write_text("no film")
    with pytest.raises(InputError, match=r"text\.mp4"):
        Film(str(where))


def test_what_may_be_secret_in_a_url_is_not_shown() -> None:
    assert shown_name("https://me:word@host/a.mp4?token=1") == "https://host/a.mp4"
    signed = "https://host/~1767225600.1.k2.WkQ_secret-proof/film/master.m3u8"
    assert shown_name(signed) == "https://host/~/film/master.m3u8"
    assert shown_name("a.mp4?b") == "a.mp4?b"


@pytest.mark.parametrize(("ending", "seekable"), [("h264", False), ("mkv", True), ("ts", True)])
def test_a_raw_stream_cannot_be_sought_in(ending: str, seekable: bool, tmp_path: Path) -> None:
    film = Film(str(make_clip(tmp_path / f"film.{ending}", frames=8, sounds=0)))
    assert film.span.seekable == seekable
    film.close()


@pytest.mark.parametrize("told", [True, False])
def test_nor_can_what_a_server_tells_no_length_of(told: bool, tmp_path: Path) -> None:
    content = make_clip(tmp_path / "film.ts", frames=8).read_bytes()
    whole = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + content
    with scripted(lambda asked: [part_of(content, asked) if told else whole]) as (url, _):
        film = Film(f"{url}/film.ts", cached=False)
        assert film.span.seekable == told
        film.close()


def test_a_film_without_sound_has_none(tmp_path: Path) -> None:
    film = Film(str(make_clip(tmp_path / "silent.mp4", frames=8, sounds=0)))
    assert film.sound is None
    film.seek(0.1)
    assert film.sound is None
    assert np.isfinite(film.span.start)
    film.close()
