"""Signed paths: genuine until they expire, and nothing else is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlift.cloud import tokens
from vidlift.cloud.tokens import KeyFile, Keys, read_keys, without_token
from vidlift.errors import InputError, UsageError

OLD = Keys(secrets={"k1": b"the old secret of all"})
NEW = Keys(secrets={"k2": b"another secret, newer", **OLD.secrets})
SIGNED = OLD.sign("/film/master.m3u8", expires=1000, depth=1)


def test_a_link_is_good_for_what_it_covers_until_it_expires() -> None:
    assert OLD.allow(SIGNED, now=999) == "/film/master.m3u8"
    beside = SIGNED.replace("master.m3u8", "3f/270p/00000.m4s")
    assert OLD.allow(beside, now=999) == "/film/3f/270p/00000.m4s"
    assert OLD.allow(SIGNED, now=1000) is None
    assert OLD.allow(SIGNED.replace("/film/", "/other/"), now=0) is None
    assert OLD.allow("/film/master.m3u8", now=0) is None


def test_keys_are_rotated() -> None:
    assert NEW.allow(SIGNED, now=0) is not None
    fresh = NEW.sign("/film", expires=1000)
    assert ".k2." in fresh
    assert OLD.allow(fresh, now=0) is None
    retired = Keys(secrets={"k2": NEW.secrets["k2"]})
    assert retired.allow(SIGNED, now=0) is None
    assert retired.allow(fresh, now=0) == "/film"


@pytest.mark.parametrize("path", ["/", "/film/", "film/3f/", "/film", "film/3f"])
def test_a_folder_stays_a_folder(path: str) -> None:
    signed = OLD.sign(path, expires=9)
    assert signed.endswith("/") == path.endswith("/"), "what a page names beside itself goes astray"
    assert OLD.allow(signed, now=0) == "/" + path.lstrip("/")


def test_all_of_a_library_can_be_covered() -> None:
    assert OLD.allow(OLD.sign("/", expires=9), now=0) == "/"
    everything = OLD.sign("/film/x", expires=9, depth=0)
    assert OLD.allow(everything.replace("film", "other"), now=0) == "/other/x"
    with pytest.raises(UsageError):
        OLD.sign("/film", expires=9, depth=2)


@pytest.mark.parametrize(
    "forge",
    [
        lambda s: s.replace("1000.", "9999."),
        lambda s: s.replace(".1.k1", ".0.k1"),
        lambda s: s.replace(".1.k1", ".2.k1"),
        lambda s: s.replace(".k1.", ".k2."),
        lambda s: s.replace("/film", "/%66ilm"),
        lambda s: s.replace("~1000", "~\u0661000"),
        lambda s: s.replace("/~", "/x/~"),
        lambda s: s.replace("~", "~~"),
        lambda s: s[:-30],
        lambda s: "/~" + "1" * 9999 + s,
    ],
)
def test_forged(forge: object) -> None:
    assert OLD.allow(forge(SIGNED), now=0) is None  # type: ignore[operator]


@given(st.text(alphabet="~0123456789.k-_aZ/film", max_size=80))
def test_no_path_is_signed_by_chance(path: str) -> None:
    assert OLD.allow(path, now=0) is None
    assert OLD.allow("/~" + path, now=0) is None


@given(st.integers(2, len(SIGNED.partition("/film")[0]) - 1), st.sampled_from("0A_z"))
def test_any_changed_character_breaks_it(place: int, character: str) -> None:
    changed = SIGNED[:place] + character + SIGNED[place + 1 :]
    allowed = OLD.allow(changed, now=0)
    assert allowed is None or changed == SIGNED


def test_what_is_logged_and_shown_holds_no_proof() -> None:
    proof = SIGNED.split(".")[3].partition("/")[0]
    assert proof not in without_token(SIGNED)
    assert without_token(SIGNED) == "/~/film/master.m3u8"
    assert "secret" not in repr(OLD)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# nothing\n",
        "k1\n",
        "k1:short\n",
        "k 1:0123456789abcdef\n",
        "\xff\xfe",
        "k1:another-secret-newer\nk2:0123456789abcdef\nk1:0123456789abcdef\n",
    ],
)
def test_a_secret_file_that_holds_no_keys(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secrets"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError) as caught:
        read_keys(file)
    assert "0123456789abcdef" not in str(caught.value)


def test_a_secret_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("k1:the-old-secret-of-all\n")
    watched = KeyFile(file)
    link = watched.keys.sign("/film", expires=9)
    file.write_text("# rotated\nk2:another-secret-newer\nk1:the-old-secret-of-all\n")
    os.utime(file, ns=(1, 1))
    assert next(iter(watched.keys.secrets)) == "k2"
    assert watched.keys.allow(link, now=0) == "/film"
    file.write_text("broken\n")
    os.utime(file, ns=(2, 2))
    assert watched.keys.allow(link, now=0) == "/film"


def test_a_secret_file_that_changes_while_it_is_first_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secrets"
    file.write_text("k1:the-old-secret-of-all\n")
    os.utime(file, ns=(1, 1))

    def rotated(where: Path) -> Keys:
        keys = read_keys(where)
        where.write_text("k2:another-secret-newer\n")
        return keys

    monkeypatch.setattr(tokens, "read_keys", rotated)
    watched = KeyFile(file)
    monkeypatch.undo()
    assert list(watched.keys.secrets) == ["k2"]
