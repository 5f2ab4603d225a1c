"""What a library gives out, and nothing beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlift.cloud import ranges
from vidlift.cloud.library import CARD, served_file, title_name, titles
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
    (root / "film" / "hidden.mp4").symlink_to(root / ".film.vidlift-job" / "270p.mp4")
    (root / "film" / "notes.json").symlink_to(root / "film" / "notes.txt")
    (root / "film" / "round.mp4").symlink_to(root / "film" / "round.mp4")
    (root / "film" / "other.mp4").symlink_to(root / "film" / "270p.mp4")
    (root / "job").symlink_to(root / ".film.vidlift-job")
    return root.resolve()


@pytest.mark.parametrize("path", ["/film/270p.mp4", "film/270p.mp4", "//film//270p.mp4"])
def test_files_are_served(library: Path, path: str) -> None:
    assert served_file(library, path) == library / "film" / "270p.mp4"


def test_a_link_to_what_is_served_is_served(library: Path) -> None:
    assert served_file(library, "/film/other.mp4") == library / "film" / "270p.mp4"


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
        "/film/hidden.mp4",
        "/job/270p.mp4",
        "/film/notes.json",
        "/film/round.mp4",
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


GOOD = '{"playlist": "x.m3u8", "duration": 1.5, "renditions": [{"width": 1, "height": 1}]}'


def a_title(folder: Path, card: str = GOOD) -> Path:
    folder.mkdir()
    (folder / CARD).write_text(card)
    return folder


@pytest.mark.parametrize(
    "card",
    [
        GOOD.replace("1.5", "NaN"),
        GOOD.replace("1.5", "1e999"),
        GOOD.replace("1.5", "-1"),
        GOOD.replace("1.5", '"x"'),
        GOOD.replace("1.5", "[1]"),
        GOOD.replace('"width": 1', '"width": 1.5'),
        GOOD.replace('"width": 1', '"width": 1e999'),
        GOOD.replace('"width": 1', '"width": "x"'),
        GOOD.replace('"width": 1', '"width": 0'),
        GOOD.replace('"x.m3u8"', '"\\ud800"'),
        GOOD.replace('"x.m3u8"', '"x", "poster": "\\ud800"'),
        GOOD.replace('"x.m3u8"', '"x", "poster": 5'),
        GOOD.replace('"height": 1', '"height": 1, "file": ["x"]'),
        "[" * 100_000,
        '{"playlist": "x", "renditions": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"playlist": "x", "renditions": 5}',
        '{"playlist": "x", "renditions": [5]}',
        '{"playlist": "x", "renditions": ["width"]}',
    ],
    ids=lambda card: card[:60].replace("[" * 30, "["),
)
def test_a_card_that_is_damaged_is_passed_over(tmp_path: Path, card: str) -> None:
    a_title(tmp_path / "good")
    a_title(tmp_path / "bad", card)
    assert [title.name for title in titles(tmp_path)] == ["good"]


def test_a_folder_that_cannot_be_read_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_title(tmp_path / "good")
    closed = a_title(tmp_path / "lost+found")
    resolve, is_file = Path.resolve, Path.is_file

    def refused(path: Path, strict: bool = False) -> Path:
        if closed in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        return resolve(path, strict)

    monkeypatch.setattr(Path, "resolve", refused)
    monkeypatch.setattr(Path, "is_file", lambda path: is_file(refused(path)))
    assert [title.name for title in titles(tmp_path)] == ["good"]


def test_only_what_is_served_is_listed(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    a_title(library / "good")
    a_title(library / "a:b")
    a_title(library / ".hidden")
    (library / "link").symlink_to(library / "good")
    (library / "elsewhere").symlink_to(a_title(tmp_path / "elsewhere"))
    (library / "shown").symlink_to(library / ".hidden")
    (library / "round").symlink_to(library / "round")
    a_title(library / "\udcff")
    assert [title.name for title in titles(library)] == ["good", "link"]


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
