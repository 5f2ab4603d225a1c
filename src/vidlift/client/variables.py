"""EXT-X-DEFINE: names in a playlist, and what stands for them (RFC 8216bis, 4.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from vidlift.client.hosts import shown
from vidlift.errors import InputError

_TAG = "#EXT-X-DEFINE:"
_USED = re.compile(r"\{\$([a-zA-Z0-9_-]+)\}")
_ATTRIBUTE = re.compile(r'([A-Z]+)="([^"]*)"')


def filled_in(
    text: str, url: str, given: Mapping[str, str], *, most: int
) -> tuple[str, dict[str, str]]:
    """A list in which each name has given way to what was said of it before, and all of that.

    ``given`` may be taken over from the list that led here. Raises ``InputError`` for a name
    that stands for nothing, and for a list that grows beyond ``most`` letters.
    """
    defined: dict[str, str] = {}
    if _TAG not in text:
        return text, defined
    room = most

    def value(used: re.Match[str]) -> str:
        nonlocal room
        found = _of(used[1], defined, url)
        room -= len(found)
        if room < 0:
            raise InputError(f"{shown(url)}: with what it defines it is longer than {most} letters")
        return found

    lines = []
    for line in text.splitlines():
        line = _USED.sub(value, line)
        if line.startswith(_TAG):
            name, said = _definition(line, url, given)
            defined[name] = said
        else:
            lines.append(line)
    return "\n".join(lines), defined


def _definition(line: str, url: str, given: Mapping[str, str]) -> tuple[str, str]:
    match dict(_ATTRIBUTE.findall(line)):
        case {"NAME": name, "VALUE": value}:
            return name, value
        case {"IMPORT": name}:
            return name, _of(name, given, url)
        case {"QUERYPARAM": name}:
            asked = parse_qs(urlsplit(url).query)
            return name, _of(name, {each: values[0] for each, values in asked.items()}, url)
    raise InputError(f"{shown(url)}: an EXT-X-DEFINE without NAME and VALUE")


def _of(name: str, known: Mapping[str, str], url: str) -> str:
    if name not in known:
        raise InputError(f"{shown(url)}: nothing is defined as {name[:80]}")
    return known[name]
