"""The playlists of a title (HLS, RFC 8216), as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

LIGHT = {16: "PQ", 18: "HLG"}
"""What players are told of pictures with more than ordinary light, by transfer (H.273)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One rung as the list of rungs names it."""

    uri: str
    peak: int
    """Bits a second of its largest segment, sound included."""

    average: int
    codecs: str
    width: int
    height: int
    rate: float | None
    light: str | None = None
    """``PQ`` or ``HLG``; None: an ordinary picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A sound track or a track of subtitles."""

    kind: str
    """``AUDIO`` or ``SUBTITLES``."""

    uri: str
    name: str
    language: str | None
    default: bool
    channels: int | None = None


def media_playlist(
    segments: Iterable[tuple[str, float]],
    *,
    header: str | None,
    first: int = 0,
    ended: bool = True,
    target: int | None = None,
) -> str:
    """The list of one rendition's segments: URI and seconds of each.

    ``first`` is the number of the first one, ``target`` the most seconds that any ever has,
    which a list that is not ``ended`` must name from the beginning.
    """
    rows = list(segments)
    longest = ceil(max((seconds for _, seconds in rows), default=1))
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(longest, target or 1)}",
        f"#EXT-X-MEDIA-SEQUENCE:{first}",
    ]
    if ended:
        lines.append("#EXT-X-PLAYLIST-TYPE:VOD")
    lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    if header is not None:
        lines.append(f'#EXT-X-MAP:URI="{header}"')
    for uri, seconds in rows:
        lines += [f"#EXTINF:{seconds:.6f},", uri]
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def master_playlist(variants: Sequence[Variant], alternatives: Sequence[Alternative]) -> str:
    """The list of a title's rungs, smallest first, and of what goes with them."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines += [_alternative(alternative) for alternative in alternatives]
    kinds = {alternative.kind for alternative in alternatives}
    for variant in variants:
        fields = [
            f"BANDWIDTH={variant.peak}",
            f"AVERAGE-BANDWIDTH={variant.average}",
            f'CODECS="{variant.codecs}"',
            f"RESOLUTION={variant.width}x{variant.height}",
        ]
        if variant.rate:
            fields.append(f"FRAME-RATE={variant.rate:.3f}")
        if variant.light:
            fields.append(f"VIDEO-RANGE={variant.light}")  # draft-pantos-hls-rfc8216bis
        fields += [f'{kind}="{kind.lower()}"' for kind in sorted(kinds)]
        lines += ["#EXT-X-STREAM-INF:" + ",".join(fields), variant.uri]
    return "\n".join(lines) + "\n"


def _alternative(alternative: Alternative) -> str:
    yes_no = "YES" if alternative.default else "NO"
    fields = [
        f"TYPE={alternative.kind}",
        f'GROUP-ID="{alternative.kind.lower()}"',
        f'NAME="{_quoted(alternative.name)}"',
        f"DEFAULT={yes_no}",
        "AUTOSELECT=YES",
    ]
    if alternative.language:
        fields.append(f'LANGUAGE="{_quoted(alternative.language)}"')
    if alternative.channels:
        fields.append(f'CHANNELS="{alternative.channels}"')
    fields.append(f'URI="{alternative.uri}"')
    return "#EXT-X-MEDIA:" + ",".join(fields)


def _quoted(text: str) -> str:
    """A quoted string holds no quotation mark and no line end."""
    return "".join("'" if c == '"' else c for c in text if c.isprintable())
