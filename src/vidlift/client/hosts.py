"""Which machines may be asked: names resolved once, kept, and told apart into public and private.

A name is resolved the first time it is met and stays at those addresses (it is *pinned*), so
that a name judged public cannot become the viewer's own router a moment later. Only addresses
from here are ever connected to.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from threading import Lock
from urllib.parse import urlsplit

from vidlift.client.waits import waited_for
from vidlift.errors import NetworkError

SCHEMES = ("http", "https")

NAMES_MAX = 64
"""Names that one film may lead to: a list that leads to more is not a film."""


class RefusedError(NetworkError):
    """A server's word leads to where it may not."""


Address = IPv4Address | IPv6Address
Resolve = Callable[[str], list[str]]
"""From a name to its addresses. Raises ``OSError``."""

_TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 behind a translator (RFC 6052): the last four bytes are the address."""


def resolve(name: str) -> list[str]:
    """What the system says, addresses once each, in its order."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Hosts:
    """The names met so far and their addresses. Any thread may ask."""

    def __init__(self, resolve: Resolve = resolve) -> None:
        self._resolve = resolve
        self._pinned: dict[str, tuple[Address, ...]] = {}
        self._lock = Lock()

    def addresses(self, name: str) -> tuple[Address, ...]:
        """The addresses of a name, always the same. Raises ``OSError`` where it has none."""
        with self._lock:
            if name in self._pinned:
                return self._pinned[name]
            if len(self._pinned) >= NAMES_MAX:
                raise NetworkError(f"{name}: led to more than {NAMES_MAX} different servers")
        # The system waits for a silent name server for as long as it likes.
        said = waited_for(lambda: self._resolve(name))
        found = tuple(ip_address(a.partition("%")[0]) for a in said)
        with self._lock:
            return self._pinned.setdefault(name, found)

    def is_private(self, name: str) -> bool:
        """Whether any address of a name is not one of the public internet."""
        return any(not is_public(address) for address in self.addresses(name))

    def check(self, url: str, *, came_from: str | None) -> None:
        """Refuse where a server's word may not lead.

        ``came_from`` is the URL that named this one (a redirect, a playlist), None where the
        viewer typed it. Raises ``NetworkError`` for what is refused, ``OSError`` for a name that
        cannot be resolved.
        """
        name = host_of(url)
        if came_from is None or not self.is_private(name):
            return
        if not self.is_private(host_of(came_from)):
            raise RefusedError(
                f"{shown(came_from)} leads to {name}, which is not on the public internet; "
                "only an address that you give yourself may be"
            )


def host_of(url: str) -> str:
    """The host of an http(s) URL. Raises ``NetworkError`` for any other."""
    try:
        parts = urlsplit(url)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise NetworkError(f"{shown(url)} is not a URL: {error}") from error
    if scheme in SCHEMES and not host:
        raise RefusedError(f"{shown(url)} is refused: it names no server")
    if scheme not in SCHEMES or not host:
        raise RefusedError(f"{shown(url)} is refused: only http:// and https:// are followed")
    return host


def is_public(address: Address) -> bool:
    """Whether an address is one that anybody on the internet could reach."""
    inner = _inner(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast


def _inner(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, IPv4Address):
        return None
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


_TOKEN = re.compile(r"/~[^/]+")
"""A token that ``vidlift cloud sign`` put into a path."""


def shown(url: str) -> str:
    """What messages call a URL: without the parts that may be secret, and not at any length."""
    bare = _TOKEN.sub("/~", url.partition("#")[0].partition("?")[0])
    scheme, mark, rest = bare.partition("://")
    if mark:
        place, slash, path = rest.partition("/")
        bare = f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"
    return bare if len(bare) <= 200 else f"{bare[:199]}…"
