"""Play films: everything from their bytes to the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from vidlift.errors import UsageError, VidliftError
from vidlift.player.options import PlayOptions
from vidlift.player.session import Session
from vidlift.receipt import Receipt
from vidlift.sources import check_name

__all__ = ["PlayOptions", "play", "play_all"]


def play(where: str | Sequence[str], options: PlayOptions | None = None) -> Receipt:
    """Play files or http(s) URLs with their sound; call it from the main thread.

    Ends with the last film, its ``duration``, or when the viewer quits. A film that cannot be
    played is passed over, and the receipt warns of it. Raises the errors of ``vidlift.errors``;
    what is wrong with a film only where each of them failed.
    """
    receipt, failure = play_all([where] if isinstance(where, str) else where, options)
    if failure is not None and not receipt.extra["films_played"]:
        raise failure
    return receipt


def play_all(
    films: Sequence[str],
    options: PlayOptions | None = None,
    *,
    opened: Callable[[], None] = lambda: None,
) -> tuple[Receipt, VidliftError | None]:
    """As ``play``, and what was wrong with the first film that failed, None where none did.

    Raises that only where there is nothing to write a receipt of: no picture was shown.
    ``opened`` is called once the first film is open, before the window and the sound are.
    """
    if not films:
        raise UsageError("there is nothing to play")
    for where in films:
        check_name(where)
    if options is not None and options.save is not None and len(films) > 1:
        raise UsageError(f"one film can be saved as {options.save.name}, not {len(films)}")
    with ExitStack() as stack:
        session = Session(films, options or PlayOptions(), stack, opened=opened)
        receipt = session.run()
    failure = session.reel.failure
    if failure is not None and not receipt.frames_out:
        raise failure
    return receipt, failure
