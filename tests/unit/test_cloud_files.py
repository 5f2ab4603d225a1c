"""What a library gives out, and nothing beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlift.cloud import ranges
from vidlift.cloud.library import served_file, title_name
from vidlift.errors import UsageError


@pytest.fixture
def library(tmp_path: Path) -> Path:
    root = tmp_path / "library"
    (root / "film").mkdir(parents=True)
    (root / "film" / "270p.mp4").write_bytes(b"film")
    (root / "film" / "a b.mp4").write_bytes(b"film")
    (root / "film" / "notes.txt").write_bytes(b"mine")
    (root / ".film.vidlift-job").mkdir()
    (root / ".film.vidlift-job" / "270p.mp4").write_bytes(b"unfinished")
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    (root / "film" / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    return root.resolve()


@pytest.mark.parametrize("path", ["/film/270p.mp4", "film/270p.mp4", "//film//270p.mp4"])
def test_files_are_served(library: Path, path: str) -> None:
    assert served_file(library, path) == library / "film" / "270p.mp4"


def test_a_name_with_a_space_is_decoded_once(library: Path) -> None:
    assert served_file(library, "/film/a%20b.mp4") is not None
    assert served_file(library, "/film/a%2520b.mp4") is None


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.mp4",
        "/film/../../secret.mp4",
        "/%2e%2e/secret.mp4",
        "/film/%2e%2e/%2e%2e/secret.mp4",
        "/..%2fsecret.mp4",
        "/%2e%2e%2fsecret.mp4",
        "/..%5csecret.mp4",
        "/film\\..\\..\\secret.mp4",
        "/%c0%ae%c0%ae/secret.mp4",
        "/%252e%252e/secret.mp4",
        "/film/link.mp4",
        "/film/270p.mp4%00",
        "/film/notes.txt",
        "/.film.vidlift-job/270p.mp4",
        "/%2efilm.vidlift-job/270p.mp4",
        "/film",
        "/",
        "",
        "/film/nothing.mp4",
        "/film/270p.mp4/x.mp4",
        "/C:/secret.mp4",
        "/" + "a" * 9999 + ".mp4",
    ],
)
def test_nothing_else_is(library: Path, path: str) -> None:
    assert served_file(library, path) is None


@given(st.text(alphabet="./\\%2eEfcC05:~ \0secrt-mp4film", max_size=40))
def test_no_path_leads_out(tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    root = tmp_path_factory.getbasetemp() / "inside"
    root.mkdir(exist_ok=True)
    found = served_file(root.resolve(), path)
    assert found is None or found.is_relative_to(root.resolve())


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-", (0, 10)),
        ("bytes=2-4", (2, 5)),
        ("bytes=2-99", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        (" bytes = 1-1 ", (1, 2)),
        ("bytes=4-2", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=\u0661-\u0662", None),
        ("bytes=" + "9" * 400 + "-", None),
    ],
)
def test_ranges(header: str | None, expected: tuple[int, int] | None) -> None:
    assert ranges.parse(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=11-20", "bytes=-0"])
def test_ranges_outside(header: str) -> None:
    with pytest.raises(ranges.UnsatisfiableError):
        ranges.parse(header, 10)


@given(
    st.one_of(st.text(max_size=30), st.from_regex(r"bytes=\d{0,20}-\d{0,20}")),
    st.integers(0, 1 << 40),
)
def test_a_range_is_inside_or_none(header: str, size: int) -> None:
    try:
        found = ranges.parse(header, size)
    except ranges.UnsatisfiableError:
        return
    assert found is None or 0 <= found[0] < found[1] <= size


@given(st.integers(1, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_an_honest_range_is_what_python_slices(size: int, first: int, last: int) -> None:
    whole = bytes(size)
    try:
        found = ranges.parse(f"bytes={first}-{last}", size)
    except ranges.UnsatisfiableError:
        assert first >= size
        return
    if last < first:
        assert found is None
    else:
        assert found is not None
        assert found[1] - found[0] == len(whole[first : last + 1])


@pytest.mark.parametrize(
    ("text", "name"),
    [("Big Buck Bunny (2008)", "big-buck-bunny-2008"), ("Amélie", "amelie"), ("../x", "x")],
)
def test_names_of_titles(text: str, name: str) -> None:
    assert title_name(text) == name


@pytest.mark.parametrize("text", ["", "..", "日本"])
def test_no_name_for_a_title(text: str) -> None:
    with pytest.raises(UsageError):
        title_name(text)
