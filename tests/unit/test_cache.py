"""What was received is kept within a bound, as long as the server allows, under no clear name."""

from __future__ import annotations

import errno
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlift.cache import ALWAYS, Cache, key_of
from vidlift.client.freshness import UNSAID, lasts


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_a_copy_comes_back_as_it_was(tmp_path: Path) -> None:
    clock = Clock()
    cache = Cache(tmp_path / "new", most=10_000, now=clock)
    cache.put("a", b"some\nbytes", version='"1"', lasts=10)
    kept = Cache(tmp_path / "new", most=10_000, now=clock).get("a")
    assert kept is not None
    assert (kept.data, kept.version, kept.fresh) == (b"some\nbytes", '"1"', True)
    assert cache.is_fresh("a")
    clock.now += 10
    stale = cache.get("a")
    assert stale is not None
    assert not stale.fresh
    assert not cache.is_fresh("a")
    assert cache.get("b") is None
    assert not cache.is_fresh("b")
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0, "what is watched is nobody's business"


@given(sizes=st.lists(st.integers(1, 3000), max_size=40))
def test_the_bound_holds_whatever_comes(
    sizes: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    where = tmp_path_factory.mktemp("cache")
    cache = Cache(where, most=5000, now=Clock())
    for number, size in enumerate(sizes):
        cache.put(f"{number}", bytes(size), version=None, lasts=1)
        assert size_of(where) <= 5000
    if sizes and sizes[-1] < 2000:
        assert cache.get(f"{len(sizes) - 1}") is not None, "the newest is there"


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    clock = Clock()
    cache = Cache(tmp_path, most=10_000, now=clock)
    for name in "abc":
        cache.put(name, bytes(3000), version=None, lasts=1000)
        clock.now += 1
    assert cache.get("a") is not None
    clock.now += 1
    cache.put("d", bytes(3000), version=None, lasts=1000)
    assert [cache.get(name) is not None for name in "abcd"] == [True, False, False, True]


def test_what_another_program_put_there_counts(tmp_path: Path) -> None:
    Cache(tmp_path, most=5000).put("a", bytes(3000), version=None, lasts=1)
    Cache(tmp_path, most=5000).put("b", bytes(3000), version=None, lasts=1)
    assert size_of(tmp_path) <= 5000


def test_what_is_too_large_is_not_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path, most=100)
    cache.put("a", bytes(200), version=None, lasts=1)
    assert cache.get("a") is None


def test_a_damaged_copy_is_none(tmp_path: Path) -> None:
    cache = Cache(tmp_path, most=10_000)
    for damage in (b"", b"{}\n", b"\xff\n", b"[]\nx", b"3\nx"):
        (tmp_path / "a").write_bytes(damage)
        assert cache.get("a") is None
        assert not cache.is_fresh("a")
    cache.put("a", b"0123456789", version=None, lasts=9)
    content = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(content[:-1])
    assert cache.get("a") is None


def test_without_a_disk_nothing_is_kept_and_nothing_fails(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    cache = Cache(file / "below", most=10_000)
    cache.put("a", b"x", version=None, lasts=1)
    assert cache.get("a") is None
    cache.drop("a")
    nothing = Cache(tmp_path / "other", most=0)
    nothing.put("a", b"x", version=None, lasts=1)
    assert not (tmp_path / "other").exists()


def test_a_full_disk_keeps_no_part_of_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(where: Path, data: bytes) -> int:
        with where.open("wb") as out:
            out.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    Cache(tmp_path, most=10_000).put("a", bytes(3000))
    assert list(tmp_path.iterdir()) == []


def test_a_name_tells_copies_apart_and_no_secret() -> None:
    one = key_of("https://cdn.example/~1767225600.1.k2.WkQsecret/film/a.m4s?token=hush", 0, None)
    other = key_of("https://cdn.example/~1767225600.1.k3.WkQsecret/film/a.m4s?token=hush", 0, None)
    assert one != other
    assert one != key_of("https://cdn.example/a.m4s", 0, 100)
    assert "secret" not in one
    assert "hush" not in one
    assert len(one) == 64


NOW = 1_767_225_600.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, UNSAID),
        ({"cache-control": "public, max-age=31536000, immutable"}, ALWAYS),
        ({"cache-control": "max-age=60"}, 60),
        ({"cache-control": "MAX-AGE=60", "age": "20"}, 40),
        ({"cache-control": "max-age=60", "age": "90"}, 0),
        ({"cache-control": 'max-age="5"'}, 5),
        ({"cache-control": "max-age=-1"}, 0),
        ({"cache-control": "max-age=" + "9" * 40}, 0),
        ({"cache-control": "no-cache"}, 0),
        ({"cache-control": "max-age=60, no-cache"}, 0),
        ({"cache-control": "no-store, max-age=60"}, None),
        ({"vary": "*"}, None),
        ({"expires": formatdate(NOW + 30, usegmt=True)}, 30),
        ({"expires": formatdate(NOW - 30, usegmt=True)}, 0),
        ({"expires": "0"}, 0),
        ({"cache-control": "max-age=7", "expires": formatdate(NOW + 30, usegmt=True)}, 7),
    ],
    ids=str,
)
def test_how_long_a_copy_is_good_for(headers: dict[str, str], expected: float | None) -> None:
    assert lasts(headers, now=NOW) == expected


@given(st.dictionaries(st.sampled_from(["cache-control", "age", "expires", "vary"]), st.text()))
def test_any_header_is_taken(headers: dict[str, str]) -> None:
    found = lasts(headers, now=NOW)
    assert found is None or 0 <= found <= ALWAYS
