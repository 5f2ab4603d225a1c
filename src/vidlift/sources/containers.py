"""Containers that a film can be kept in, and what each of them holds."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import av

from vidlift.errors import UsageError

ENDINGS = {
    ".mp4": ("mp4", "mov"),
    ".m4v": ("mp4", "mov"),
    ".mkv": ("matroska", "matroska"),
    ".webm": ("webm", "matroska"),
    ".ts": ("mpegts", "mpegts"),
}
"""Of files that can be kept: what FFmpeg calls the format when writing, and when reading."""

PICKY = ".webm"
"""The ending of the container that takes few codecs; the others take what is usual."""

_PICTURES_IN_TS = ("h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4")
_SOUND_IN_TS = ("aac", "ac3", "eac3", "mp1", "mp2", "mp3", "opus", "dts", "truehd")
"""FFmpeg does not say what MPEG-TS holds: it writes anything, and finds none of that again."""

Codec = tuple[str, str]
"""What FFmpeg calls a codec, and what it calls the decoder of it: containers say either."""


def codecs_of(streams: Iterable[Any]) -> list[Codec]:
    codecs = [stream.codec_context.codec for stream in streams]
    return [(str(codec.canonical_name), str(codec.name)) for codec in codecs]


def check_codecs(name: str, codecs: Sequence[Codec]) -> None:
    """Whether a file of that name can hold streams of these. Raises ``UsageError``."""
    ending = name[name.rfind(".") :].lower()
    if alien := [codec for codec in codecs if not _holds(ending, codec)]:
        able = [each for each in ENDINGS if all(_holds(each, codec) for codec in codecs)]
        what = " and ".join(dict.fromkeys(codec for codec, _ in alien))
        raise UsageError(
            f"cannot save as {name}: {ending} has no place for {what}, in which this film "
            f"comes; {', '.join(able) or 'no other container'} would do"
        )


def _holds(ending: str, codec: Codec) -> bool:
    return not _known(ENDINGS[ending][0]).isdisjoint(codec)


@cache
def _known(container: str) -> frozenset[str]:
    if container == "mpegts":
        return frozenset(_PICTURES_IN_TS + _SOUND_IN_TS)
    with av.open(io.BytesIO(), "w", format=container) as out:
        return frozenset(out.supported_codecs)
