"""Which segment of a live list comes next, on a clock of its own."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from vidlift.client.adapt import Option
from vidlift.client.playlist import MediaList, Variant, parse
from vidlift.client.segments import Fetcher
from vidlift.client.track import VANISHED_MAX, Track
from vidlift.client.web import TransientError
from vidlift.errors import NetworkError

URL = "http://host/live.m3u8"

LIST = """#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:7
#EXTINF:2,
7.ts
"""

SILENCE = 15.0
"""Seconds after which a request is given up."""


def test_a_live_list_of_a_silent_server_ends_the_film_when_it_is_said_to() -> None:
    passed = 0.0

    class Silent:
        def get(self, url: str, **_how: Any) -> NoReturn:
            nonlocal passed
            passed += SILENCE
            raise TransientError(f"{url}: the server does not answer in time", reached=False)

    def pause(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    web: Any = Silent()
    media = parse(LIST, URL, defined={})
    assert isinstance(media, MediaList)
    track = Track(
        Fetcher(web, clock=lambda: passed, pause=pause),
        [Variant(url=URL, bits_per_second=0, width=None, height=None, sounds=None)],
        [Option(bits_per_second=1, quality=0)],
        came_from=None,
        first=media,
    )
    pieces = track.pieces(0.0)
    with pytest.raises(NetworkError):
        list(pieces)
    assert VANISHED_MAX <= passed < 4 * VANISHED_MAX
