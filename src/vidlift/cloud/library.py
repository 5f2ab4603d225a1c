"""A library: a folder of titles. Nothing but files, so that any web server can deliver it.

LIBRARY/
  big-buck-bunny/       a title, whole
    vidlift.json        what it is: sizes, colours, renditions
    270p.mp4            a rendition with the sound, for players that take one file
  .sintel.vidlift-job/  a title in the making; nothing that begins with a dot is served
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote

from vidlift.errors import InputError, UsageError

CARD = "vidlift.json"
"""The file that makes a folder a title."""

MASTER = "master.m3u8"

NAME_MAX = 100

MEDIA_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".ts": "video/mp2t",
    ".vtt": "text/vtt; charset=utf-8",
    ".json": "application/json",
    ".jpg": "image/jpeg",
    ".png": "image/png",
}
"""Everything that a library serves, by the ending of its name; what is not here is not served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """A published video."""

    folder: Path
    card: dict[str, Any]
    """The content of its ``vidlift.json``."""

    @property
    def name(self) -> str:
        """Its folder's name, which is its place in URLs."""
        return self.folder.name

    @property
    def renditions(self) -> list[dict[str, Any]]:
        """Best last. Each has ``playlist``, ``width``, ``height``, ``codec``, ``bytes``; the best
        has ``file`` as well where it was published as one."""
        found: list[dict[str, Any]] = self.card["renditions"]
        return found

    def path(self, file: str) -> str:
        """Where one of its files is below the library's URL."""
        return f"{self.name}/{file}"


def check_library(library: Path) -> Path:
    """The library's folder, resolved. Raises ``InputError`` where there is none."""
    if not library.is_dir():
        raise InputError(f"no library {library}: publish a video into it first")
    return library.resolve()


def titles(library: Path) -> Iterator[Title]:
    """The titles of a library by name, those whose files ``served_file`` gives.

    What is unfinished, no title, or cannot be read is passed over, each folder by itself.
    """
    root = library.resolve()
    for folder in sorted(library.iterdir()):
        if _served(root, [folder.name, CARD]) is not None:
            title = read_title(folder)
            if title is not None:
                yield title


def read_title(folder: Path) -> Title | None:
    """The title in a folder, None where it holds none that can be read."""
    try:
        card = json.loads((folder / CARD).read_text())
    except (OSError, ValueError, RecursionError):
        return None
    return Title(folder=folder, card=card) if _is_card(card) else None


def _is_card(content: Any) -> bool:
    """Whether it has what is looked for in every title's card, as it is looked for."""
    try:
        renditions = content["renditions"]
        sizes = [r[side] for r in renditions for side in ("width", "height")]
        names = [content["playlist"], content.get("poster") or ""]
        names += [r.get("file") or "" for r in renditions]
        seconds = content.get("duration")
    except (AttributeError, KeyError, TypeError):
        return False
    return (
        bool(sizes)
        and all(type(size) is int and 0 < size < 1 << 20 for size in sizes)
        and all(isinstance(name, str) and _can_be_sent(name) for name in names)
        and (seconds is None or (type(seconds) in (int, float) and 0 <= seconds < 1e9))
    )


def _can_be_sent(text: str) -> bool:
    """Whether it is text; a name on a disk may be bytes that are none, a card's half of one."""
    return not any("\ud800" <= c <= "\udfff" for c in text)


def library_folder(library: str | Path) -> Path:
    """The folder to publish into. Raises ``UsageError`` for an empty name, which means none."""
    if library == "":
        raise UsageError("a folder is wanted as the library, got ''; . is this one")
    return Path(library)


def title_name(text: str) -> str:
    """A name fit for a folder and a URL: small letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:NAME_MAX].rstrip("-")
    if not name:
        raise UsageError(f"no name for a title can be made of {text!r}; give one with --name")
    return name


def served_file(library: Path, path: str) -> Path | None:
    """The file that a URL's path names, None where there is none that may be served.

    ``library`` is resolved; ``path`` is as it came, percent-encoded. No encoding, link or dot
    leads out of the library or to a hidden file.
    """
    parts = plain_parts(path)
    return _served(library, parts) if parts else None


def _served(library: Path, parts: list[str]) -> Path | None:
    """The file of these names, which are decoded; where a link leads to counts as much."""
    if not _may_be_served(parts):
        return None
    try:
        found = library.joinpath(*parts).resolve(strict=True)
        inside = found.relative_to(library)
        return found if _may_be_served(inside.parts) and found.is_file() else None
    except (OSError, ValueError, RuntimeError):  # the last: a link that leads to itself
        return None


def _may_be_served(parts: Sequence[str]) -> bool:
    suffix = PurePath(parts[-1]).suffix.lower() if parts else ""
    return suffix in MEDIA_TYPES and all(_is_plain(part) for part in parts)


def plain_parts(path: str) -> list[str] | None:
    """The names in a URL's path, decoded; None unless each is the plain name of one file.

    So no server that decodes and joins the path in its own way can come to another file.
    """
    try:
        parts = [unquote(part, errors="strict") for part in path.split("/") if part]
    except UnicodeDecodeError:
        return None
    return parts if all(_is_plain(part) for part in parts) else None


def _is_plain(part: str) -> bool:
    odd = any(c in "/\\:" or ord(c) < 32 for c in part)
    return not part.startswith(".") and not odd and _can_be_sent(part)
