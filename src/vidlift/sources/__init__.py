"""Sources: where frames come from, and the door for the string that names one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO, cast

from vidlift.errors import InputError, NetworkError, UsageError

if TYPE_CHECKING:
    from vidlift.client.hls import HlsFilm

HTTP_SCHEMES = ("http://", "https://")

PLAYLISTS = (".m3u8", ".m3u")
"""How URLs of playlists end; those that end otherwise are told by their first bytes."""


_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def is_url(where: str) -> bool:
    return where.lower().startswith(HTTP_SCHEMES)


def shown_name(where: str) -> str:
    """What messages and receipts call a source: a URL without what may be secret in it."""
    if not is_url(where):
        return where
    from vidlift.client.hosts import shown

    return shown(where)


def check_name(where: str) -> None:
    """Refuse what looks like a URL and is none that can be opened. Raises ``UsageError``."""
    found = _SCHEME.match(where)
    if found is None or (not is_url(where) and Path(where).exists()):
        return
    from vidlift.client.hosts import host_of, shown

    if found[0].lower() == "file://":
        raise UsageError(f"{where}: name a file without file://")
    try:
        host_of(where).encode("idna")
    except NetworkError as error:
        raise UsageError(f"{error}; a file or https://HOST/FILE is wanted") from error
    except UnicodeError as error:
        raise UsageError(f"{shown(where)} is not a URL: {error}") from error
    if any(letter.isspace() for letter in where):
        raise UsageError(f"{shown(where)} is not a URL: there is a space in it")


def open_bytes(where: str) -> Path | BinaryIO:
    """What a demuxer is given for a file name or an http(s) URL: a path, or bytes to be sought.

    A demuxer never sees a URL: fetching, and the rules of where to, are ours. Raises
    ``NetworkError``, ``UsageError`` for what is no URL, and ``InputError`` for a playlist, which
    is more than one file.
    """
    entry = open_entry(where)
    if isinstance(entry, Path):
        return entry
    from vidlift.client.hls import HlsFilm

    if isinstance(entry, HlsFilm):
        entry.close()
        raise InputError(
            f"{entry.name} is a playlist, and a file is wanted: "
            "`vidlift play --save FILE` makes one of it"
        )
    return entry


def open_entry(where: str, *, cached: bool = True) -> Path | BinaryIO | HlsFilm:
    """The same, and a playlist as the film behind it. ``cached``: nothing is received twice."""
    check_name(where)
    if not is_url(where):
        return Path(where)
    from vidlift.client.fetch import HttpFile
    from vidlift.client.freshness import received
    from vidlift.client.hls import HlsFilm
    from vidlift.client.playlist import looks_like

    cache = received() if cached else None
    path = where.partition("#")[0].partition("?")[0]
    if path.lower().endswith(PLAYLISTS):
        return HlsFilm(where, cache=cache)
    file = HttpFile(where, cache=cache)
    if looks_like(file.beginning):
        file.close()
        return HlsFilm(where, cache=cache)
    return cast(BinaryIO, file)  # raw, but all that a demuxer calls is there


@contextmanager
def opened_file(where: str) -> Iterator[Path | BinaryIO]:
    """``open_bytes`` for as long as a ``with`` lasts."""
    entry = open_bytes(where)
    if isinstance(entry, Path):
        yield entry
    else:
        with _lent(entry):
            yield entry


@contextmanager
def _lent(entry: BinaryIO) -> Iterator[None]:
    """Closes it at the end, and raises the Ctrl-C that PyAV lost."""
    with closing(entry):
        try:
            yield
        finally:
            if (interrupted := getattr(entry, "interrupted", None)) is not None:
                raise interrupted


@contextmanager
def opened_bytes(where: str) -> Iterator[Path | BinaryIO]:
    """The same; and the film behind a playlist, received whole, in its best rung, into a file that
    is gone afterwards. Raises ``InputError`` for a live one."""
    entry = open_entry(where)
    if isinstance(entry, Path):
        yield entry
        return
    from vidlift.client.hls import HlsFilm

    if not isinstance(entry, HlsFilm):
        with _lent(entry):
            yield entry
        return
    from vidlift.sources.keep import receive

    with closing(entry):
        if entry.live:
            raise InputError(f"{entry.name} is live: `vidlift play --save FILE` makes a file of it")
        with TemporaryDirectory(prefix="vidlift-") as folder:
            target = Path(folder) / "film.mp4"
            receive(entry, target)
            yield target
