"""The films of a run, in order: which is played next, and what becomes of one that fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vidlift.errors import InputError, NetworkError, VidliftError
from vidlift.player.film import Film
from vidlift.player.leave import Open, OtherFilm, Quit

FAILURES = (InputError, NetworkError)
"""What is wrong with one film, and does not keep the next from being played."""

Elsewhere = Quit | OtherFilm | Open
"""What the viewer may want in the place of a film that is being opened."""


@dataclass(frozen=True, slots=True)
class Stay:
    """The film that the viewer wanted to leave goes on."""

    why: str
    """What is to be said of it; empty where nothing is."""


Found = tuple[int, Film] | Quit | Stay | None
"""A film and its place, or what there is instead; None: there is none."""


class Reel:
    """Knows the films by their places in a list, which may grow."""

    def __init__(
        self,
        films: Sequence[str],
        *,
        open_film: Callable[[int], Film | Elsewhere],
        tell: Callable[[VidliftError, str], None],
    ) -> None:
        """``open_film`` opens that at a place, or gives what the viewer wants instead; ``tell`` is
        told of each film that fails: what is wrong, and that as a warning.
        """
        self.names = list(films)
        self.failure: VidliftError | None = None
        """What was wrong with the first film that failed."""

        self._open, self._tell = open_film, tell
        self._home: int | None = None
        """Where the film is that goes on if there is no other, None where there is none."""

        self._over = False
        self._fruitless = 0
        """Films that failed since one was seen."""

    def leave(
        self, home: int, wanted: OtherFilm | Open, *, over: bool = False
    ) -> tuple[int, Film] | Quit | Stay:
        """Open the film that the viewer wants in the place of the one at ``home``, which goes on
        where there is none, or where the viewer comes back to it. ``over`` as for ``find``.
        """
        self._home, self._over = home, over
        self._fruitless = 0  # there is one to be seen
        found = self._go(home, wanted)
        assert found is not None
        return found

    def find(
        self, at: int, *, forward: bool = True, over: bool = False
    ) -> tuple[int, Film] | Quit | None:
        """Open the film at a place, or the next in that direction that can be opened; going back,
        where there is none before it, the first after it. Returns where it is, too.

        ``over``: over and over, so that after the last comes the first. None at the end, and where
        as many failed, one after the other, as there are.
        """
        self._home, self._over = None, over
        found = self._find(at, forward=forward)
        assert not isinstance(found, Stay)
        return found

    def fail(self, error: VidliftError, what: str) -> None:
        """A film cannot be played, or not to its end, as ``what`` says."""
        self._fruitless += 1
        self.failure = self.failure or error
        self._tell(error, f"{what}: {error}")

    def seen(self) -> None:
        """A film was seen."""
        self._fruitless = 0

    def _go(self, at: int, wanted: Elsewhere) -> Found:
        """From a place where the viewer wants something else."""
        match wanted:
            case OtherFilm(step):
                return self._find(at + step, forward=step > 0)
            case Open(where, then):
                return self._enter(at if self._home is None else self._home, (where, *then))
        return wanted

    def _find(self, at: int, *, forward: bool) -> Found:
        count, home = len(self.names), None if self._over else self._home
        if self._over:
            at %= count
        places = [*range(at, count), *(range(at) if self._over else ())]
        if not forward:
            places = [*range(at, -1, -1), *(range(at + 1, count) if home is None else ())]
        for place in places:
            if place == home:
                return Stay("" if place == at else _NO_OTHER[forward])
            if self._fruitless >= count:
                break
            found = self._try(place)
            if found is not None:
                return self._reach(place, found)
        return None if self._home is None else Stay(_NO_OTHER[forward])

    def _enter(self, after: int, films: tuple[str, ...]) -> Found:
        """Put films into the list and open the first of them that can be; others are taken out."""
        at = after + 1
        self.names[at:at] = films
        for _ in films:
            found = self._try(at)
            if found is not None:
                return self._reach(at, found)
            del self.names[at]
        return self._find(at, forward=True) if self._home is None else Stay("")

    def _try(self, place: int) -> Film | Elsewhere | None:
        """None where the film fails."""
        try:
            return self._open(place)
        except FAILURES as error:
            self.fail(error, "not played")
            return None

    def _reach(self, place: int, found: Film | Elsewhere) -> Found:
        return self._go(place, found) if isinstance(found, Elsewhere) else (place, found)


_NO_OTHER = {True: "no further film can be played", False: "no film before it can be played"}
"""By whether it was looked for onward."""
