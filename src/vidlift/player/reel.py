"""The films of a run, in order: which is played next, and what becomes of one that fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vidlift.errors import InputError, NetworkError, VidliftError
from vidlift.player.film import Film

FAILURES = (InputError, NetworkError)
"""What is wrong with one film, and does not keep the next from being played."""


class Reel:
    """Knows the films by their places in a list, which may grow."""

    def __init__(
        self,
        films: Sequence[str],
        *,
        open_film: Callable[[str], Film | None],
        tell: Callable[[VidliftError, str], None],
    ) -> None:
        """``open_film`` gives None where no film is wanted any more; ``tell`` is told of each
        film that fails: what is wrong, and that as a warning.
        """
        self.names = list(films)
        self.failure: VidliftError | None = None
        """What was wrong with the first film that failed."""

        self._open, self._tell = open_film, tell
        self._fruitless = 0
        """Films that failed since one was seen."""

    def find(self, at: int, *, forward: bool = True, over: bool = False) -> tuple[int, Film] | None:
        """Open the film at a place, or the next in that direction that can be opened; going back,
        where there is none before it, the first after it. Returns where it is, too.

        ``over``: over and over, so that after the last comes the first. None at the end, and where
        as many failed, one after the other, as there are.
        """
        count = len(self.names)
        if over:
            at %= count
        rest = [*range(at, count), *(range(at) if over else ())]
        if not forward:
            rest = [*range(at, -1, -1), *range(at + 1, count)]
        for place in rest:
            if self._fruitless >= count:
                break
            try:
                film = self._open(self.names[place])
            except FAILURES as error:
                self.fail(error, "not played")
            else:
                return None if film is None else (place, film)
        return None

    def fail(self, error: VidliftError, what: str) -> None:
        """A film cannot be played, or not to its end, as ``what`` says."""
        self._fruitless += 1
        self.failure = self.failure or error
        self._tell(error, f"{what}: {error}")

    def seen(self) -> None:
        """A film was seen."""
        self._fruitless = 0
