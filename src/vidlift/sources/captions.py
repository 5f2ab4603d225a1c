"""Subtitles of an HLS film, fetched once they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from vidlift.client.captions import Caption
from vidlift.sources.labels import Label

if TYPE_CHECKING:
    from vidlift.client.hls import Captions, HlsFilm
    from vidlift.client.playlist import Rendition


def of_rendition(rendition: Rendition) -> Label:
    """The label of what has a list of its own."""
    return Label(
        language=rendition.language, title=rendition.name or None, wanted=rendition.default
    )


class HlsWords:
    """What is said when; asked by one thread. ``close`` it, more than once if need be."""

    def __init__(self, film: HlsFilm, text: Rendition, base: Callable[[], Fraction | None]) -> None:
        """``base`` gives the media time of the film's beginning, None while it is not known."""
        self.label = of_rendition(text)
        self._film, self._text, self._base = film, text, base
        self._arriving: Captions | None = None
        self._cues: dict[Caption, None] = {}
        """Each once: what is said across segments comes with all of them."""

    def at(self, time: float) -> str:
        """What is said at a media time, as far as it has come; never waits for the network."""
        if self._arriving is None:
            self._arriving = self._film.captions(self._text)
        while self._arriving is not None and self._arriving.ready:
            cue = next(self._arriving, None)
            if cue is None:
                break
            self._cues[cue] = None
        begin = float(self._base() or 0)
        return "\n".join(
            cue.text
            for cue in self._cues
            if cue.start <= (time if cue.mapped else time - begin) < cue.end
        )

    def close(self) -> None:
        self._film.end_captions()
        if self._arriving is not None:
            self._arriving.close()
