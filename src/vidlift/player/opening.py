"""A film that is being opened, which a slow server may make long."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from vidlift.player.film import Film
from vidlift.stages.ahead import Aside


class Opening:
    """Opens a film in a thread of its own. Whoever waits for it may ``abandon`` it."""

    def __init__(self, make: Callable[[], Film]) -> None:
        self._make = make
        self._lock = Lock()
        self._abandoned = False
        self._film: Film | None = None
        self._aside = Aside(self._open)

    @property
    def ready(self) -> bool:
        """Whether it is open, or failed."""
        return self._aside.ready

    def result(self) -> Film:
        """The film, once it is open. Raises what ``Film`` does."""
        return self._aside.result()

    def abandon(self) -> None:
        """It is not wanted any more: it is closed as soon as it is open. Does not wait."""
        with self._lock:
            self._abandoned = True
            film = self._film
        if film is not None:
            film.close()

    def _open(self) -> Film:
        film = self._make()
        with self._lock:
            self._film = film
            abandoned = self._abandoned
        if abandoned:
            film.close()
        return film
