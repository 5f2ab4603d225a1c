"""Signed paths: who has the link may watch, until it expires.

    /~1767225600.1.k2.WkQ…/film/master.m3u8
      |          | |  |
      |          | |  HMAC-SHA256 over what is covered and the expiry
      |          | name of the key
      |          how many folders of the path are covered: 1, all of /film/
      expires, in seconds since 1970

The token is a folder of the path, so what a playlist names beside itself carries it too. Keys
live in a file, a line each, ``name:secret``, no name twice: links are signed with the first and
accepted with any, so a key is retired by putting another before it, and dropped once its links
have expired.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vidlift.errors import InputError, UsageError

MARK = "~"
"""What a token in a path begins with; no name in a library does."""

SECRET_MIN = 16
"""Characters of a secret at least."""

_TOKEN = re.compile(r"(\d{1,12})\.(\d{1,2})\.([A-Za-z0-9-]{1,32})\.([A-Za-z0-9_-]{43})", re.ASCII)
_KEY = re.compile(r"([A-Za-z0-9-]{1,32}):(\S+)")
_KEYS_MAX = 16
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
"""A name that is the same in every way of writing it in a URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of a secret file, first the one to sign with."""

    secrets: Mapping[str, bytes] = field(repr=False)

    def sign(self, path: str, *, expires: int, depth: int | None = None) -> str:
        """The path with a token before it. ``depth`` folders of it are covered, all unless said.

        A slash at its end stays: without it, what a page names beside itself would lose the token.

        Raises ``UsageError`` for a path that has fewer, or that no server would give.
        """
        parts = [part for part in path.split("/") if part]
        if not path or any(not _PLAIN.fullmatch(part) for part in parts):
            raise UsageError(f"a path in a library is signed, like film/master.m3u8; got {path!r}")
        depth = len(parts) if depth is None else depth
        if not 0 <= depth <= min(len(parts), 99):
            raise UsageError(f"{path!r} has {len(parts)} folders, {depth} cannot be covered")
        name = next(iter(self.secrets))
        proof = _proof(self.secrets[name], parts[:depth], expires)
        slash = "/" if path.endswith("/") else ""
        return "/" + "/".join([f"{MARK}{expires}.{depth}.{name}.{proof}", *parts]) + slash

    def allow(self, path: str, *, now: float) -> str | None:
        """The path without its token where that is genuine and not expired, else None.

        ``path`` is as it came, percent-encoded. Takes the same time whatever is wrong with a
        proof.
        """
        first, _, rest = path.lstrip("/").partition("/")
        if not first.startswith(MARK):
            return None
        found = _TOKEN.fullmatch(first.removeprefix(MARK))
        if found is None:
            return None
        expires, depth, name, proof = int(found[1]), int(found[2]), found[3], found[4]
        covered = [part for part in rest.split("/") if part][:depth]
        secret = self.secrets.get(name, b"no such key, yet as much work")
        genuine = hmac.compare_digest(_proof(secret, covered, expires), proof)
        if not genuine or name not in self.secrets or len(covered) < depth or now >= expires:
            return None
        return "/" + rest


def read_keys(file: Path) -> Keys:
    """The keys of a secret file. Raises ``InputError``; the message holds nothing secret."""
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the secret file {file}") from error
    secrets: dict[str, bytes] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _KEY.fullmatch(line.strip())
        if found is None or len(found[2]) < SECRET_MIN:
            raise InputError(
                f"{file}, line {number}: a key is NAME:SECRET, the secret {SECRET_MIN} characters "
                "or more without spaces"
            )
        if found[1] in secrets:
            raise InputError(
                f"{file}, line {number}: the name {found[1]} is taken by a line before"
            )
        secrets[found[1]] = found[2].encode()
    if not 0 < len(secrets) <= _KEYS_MAX:
        raise InputError(f"{file} holds {len(secrets)} keys; 1 to {_KEYS_MAX} are wanted")
    return Keys(secrets=secrets)


class KeyFile:
    """A secret file that may change while it is in use."""

    def __init__(self, file: Path) -> None:
        """Raises ``InputError`` for a file that holds no keys."""
        self._file = file
        # Looked at before it is read: a change in between is then seen the next time.
        self._changed = file.stat().st_mtime_ns if file.exists() else 0
        self._keys = read_keys(file)

    @property
    def keys(self) -> Keys:
        """The keys of now; those from before where the file cannot be read at the moment."""
        try:
            changed = self._file.stat().st_mtime_ns
            if changed != self._changed:
                self._keys, self._changed = read_keys(self._file), changed
        except (OSError, InputError):
            pass
        return self._keys


def without_token(path: str) -> str:
    """A path as logs may show it, however often what it came as was percent-encoded."""
    return re.sub(rf"/?({MARK}|%(25)*7e)[^/]*", f"/{MARK}", path, flags=re.IGNORECASE)


def _proof(secret: bytes, covered: list[str], expires: int) -> str:
    message = "\n".join(["vidlift 1", str(expires), *covered]).encode()
    digest = hmac.new(secret, message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
