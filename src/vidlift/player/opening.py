"""A film that is being opened, which a slow server may make long."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from vidlift.player.film import Film
from vidlift.stages.ahead import Aside


class Opening:
    """Opens a film in a thread of its own. ``close`` it, whatever comes of it."""

    def __init__(self, make: Callable[[], Film]) -> None:
        self._make = make
        self._lock = Lock()
        self._unwanted = False
        self._film: Film | None = None
        self._aside = Aside(self._open)

    @property
    def ready(self) -> bool:
        """Whether it is open, or failed."""
        return self._aside.ready

    def result(self) -> Film:
        """The film, once it is open: the caller's to close. Raises what ``Film`` does."""
        film = self._aside.result()
        self._film = None
        return film

    def close(self) -> None:
        """A film that was not taken is closed, as soon as it is open. Does not wait."""
        with self._lock:
            self._unwanted = True
            film = self._film
        if film is not None:
            film.close()

    def _open(self) -> Film:
        film = self._make()
        with self._lock:
            self._film = film
            unwanted = self._unwanted
        if unwanted:
            film.close()
        return film
