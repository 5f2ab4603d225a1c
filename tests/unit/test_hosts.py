"""Who may be asked: addresses told apart, names pinned, nobody led into a private network."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from vidlift.client.hosts import NAMES_MAX, Hosts, host_of, is_public, shown
from vidlift.errors import NetworkError

NAMES = {
    "public.example": ["93.184.216.34", "2606:2800:220:1::1"],
    "router.example": ["192.168.1.1"],
    "both.example": ["93.184.216.34", "10.0.0.1"],
    "localhost": ["127.0.0.1"],
}


def hosts() -> Hosts:
    return Hosts(resolve=lambda name: NAMES.get(name, [name]))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "ff02::1",
    ],
)
def test_private_addresses_in_every_dress(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    ("url", "came_from"),
    [
        ("http://router.example/", "http://public.example/"),
        ("http://both.example/", "http://public.example/"),
        ("http://127.0.0.1/", "https://public.example/"),
        ("http://[::1]/", "https://public.example/"),
        ("http://[::ffff:10.0.0.1]/", "https://public.example/"),
        ("file:///etc/passwd", "http://public.example/"),
        ("file:///etc/passwd", None),
        ("ftp://public.example/", None),
        ("http:///path", None),
        ("http://public.example:99999/", None),
        ("concat:http://public.example", None),
    ],
)
def test_refused(url: str, came_from: str | None) -> None:
    with pytest.raises(NetworkError):
        hosts().check(url, came_from=came_from)


@pytest.mark.parametrize(
    ("url", "came_from"),
    [
        ("http://localhost:8080/", None),
        ("http://router.example/", "http://localhost/"),
        ("https://public.example/", "http://localhost/"),
        ("http://public.example/a", "https://public.example/b"),
    ],
)
def test_allowed(url: str, came_from: str | None) -> None:
    hosts().check(url, came_from=came_from)


def test_a_name_stays_where_it_was_first_found() -> None:
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    rebinding = Hosts(resolve=lambda _: next(answers))
    assert rebinding.addresses("a.example") == rebinding.addresses("a.example")
    assert not rebinding.is_private("a.example")


def test_a_film_leads_to_so_many_names_at_most() -> None:
    many = Hosts(resolve=lambda _: ["1.1.1.1"])
    for number in range(NAMES_MAX):
        many.addresses(f"{number}.example")
    with pytest.raises(NetworkError, match="different servers"):
        many.addresses("one-more.example")


def test_what_may_be_secret_is_not_shown() -> None:
    assert shown("https://me:pw@host:1/a/b?token=x#y") == "https://host:1/a/b"
    assert "secret" not in shown("http://a@secret@b/c?secret")
    assert len(shown("http://host/" + "a" * 9999)) <= 200
    assert host_of("HTTP://Host.Example/") == "host.example"
