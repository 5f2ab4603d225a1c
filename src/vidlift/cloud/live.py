"""A live film: what comes in is encoded as it comes, and offered as a window that slides.

    LIBRARY/NAME/
      master.m3u8 vidlift.json
      live-1f3a…/270p/index.m3u8     the newest segments, written anew for each
      live-1f3a…/270p/00042.m4s      removed a while after they have left the list

A segment appears before the list that names it, and every list whole or not at all. When what
comes in ends, the lists say so and the last window stays. Where its times jump, as when the
encoder before the pipe begins anew, those of the title go on.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from vidlift.cloud.broadcast import SEGMENT, Broadcast, Laddered, LiveOptions
from vidlift.cloud.feed import Listener, Pipe
from vidlift.cloud.library import CARD, MASTER, Title, library_folder, read_title, title_name
from vidlift.errors import OutputError, UsageError
from vidlift.jobs.notes import alone, gone_if_empty
from vidlift.sources.onward import Onward
from vidlift.stages.ahead import ahead

__all__ = ["LiveOptions", "Tell", "go_live"]

LOCK = ".live-lock"
"""Held while somebody broadcasts the title."""

_AHEAD = 8

_URL = re.compile(r"(?i)([a-z][a-z0-9+.-]+):/+(.+)")
"""An address, also as a path, which has but one slash after the colon."""

Tell = Callable[[int, Fraction], None]
"""Told after each segment how many there are and where in the film that is."""


def go_live(
    source: Path | BinaryIO,
    library: str | Path,
    options: LiveOptions | None = None,
    *,
    tell: Tell = lambda _count, _time: None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Title:
    """Offer what comes from ``source`` as a live title until it ends; returns the title.

    However it ends, viewers are told so once anything was offered. Raises the errors of
    ``vidlift.errors``.
    """
    options = options or LiveOptions()
    url = _URL.match(str(source)) if isinstance(source, Path) and not source.exists() else None
    if url is not None:
        raise UsageError(
            f"{url[1]}://{url[2]} is an address, and a file or a pipe is wanted: another program "
            "fetches it and writes MPEG-TS or Matroska into `vidlift cloud live - LIBRARY`"
        )
    where = library_folder(library) / title_name(options.name)
    if not _is_free(where):
        raise OutputError(f"{where} is there already, and is no live title")
    with ExitStack() as stack:
        name = str(source) if isinstance(source, Path) else "what comes from the pipe"
        pipe, wake = None, _nothing
        if not isinstance(source, Path) and not source.seekable():
            pipe = stack.enter_context(closing(Pipe(source)))
            wake = pipe.wake
        try:
            entry: Any = pipe or source
            split = stack.enter_context(closing(Onward(entry, name=name)))
        finally:
            if pipe is not None and pipe.interrupted is not None:
                raise pipe.interrupted
        stack.enter_context(gone_if_empty(where))
        stack.enter_context(_broadcasting(where))
        broadcast = Broadcast(split, where, options)
        try:
            frames = ahead(broadcast.brought_down(), depth=_AHEAD, wake=wake)
            pictures = stack.enter_context(closing(frames))
            sound = None
            if split.sound is not None:
                sound = stack.enter_context(closing(ahead(split.sound, depth=_AHEAD, wake=wake)))
            stack.callback(split.stop)
            listener = Listener(sound, clock=clock, pause=pause)
            paced = _paced(pictures, clock, pause) if options.pace else pictures
            for _, segment in groupby(paced, key=lambda f: f[0].pts // SEGMENT):
                end = broadcast.pictures(segment)
                broadcast.sound(listener.until(end + broadcast.origin), end)
                broadcast.publish()
                tell(broadcast.count, end)
        finally:
            broadcast.end()  # also when it is interrupted, so that nobody waits for more
        title = read_title(where)
    assert title is not None
    return title


def _nothing() -> None:
    """Wakes nobody: a file comes to its end by itself."""


def _is_free(where: Path) -> bool:
    """Whether a broadcast may have this folder: nothing is there but what others of it left.

    One that was killed left its files without the card, or with nothing in any list yet.
    """
    there = read_title(where)
    if there is not None or not where.is_dir():
        return "live" in there.card if there is not None else not os.path.lexists(where)
    names = {path.name for path in where.iterdir()}
    ours = {name for name in names if name == LOCK or name.startswith("live-")}
    return bool(ours) and names <= ours | {MASTER, f".{MASTER}.part", f".{CARD}.part"}


@contextmanager
def _broadcasting(where: Path) -> Iterator[None]:
    """Have a title's folder, which nobody else broadcasts in; it is gone again if none came."""
    lock = where / LOCK
    busy = f"another vidlift is live in {where} at this moment"
    with alone(lock, busy=busy, cannot=f"cannot write {where}"):
        try:
            yield
        finally:
            if not (where / CARD).exists():
                with suppress(OSError):
                    lock.unlink()
                    where.rmdir()


def _paced(
    frames: Iterable[Laddered], clock: Callable[[], float], pause: Callable[[float], None]
) -> Iterator[Laddered]:
    """Frames not before their time, counted from the first one."""
    begun: float | None = None
    for frame in frames:
        begun = clock() if begun is None else begun
        early = begun + float(frame[0].pts) - clock()
        if early > 0:
            pause(early)
        yield frame
