"""Whatever stops a publication, the same command goes on; a title is there whole or not at all."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import httpx2
import pytest

from support.clips import make_clip
from vidlift.cloud.library import Title, titles
from vidlift.cloud.publish import PublishOptions, publish
from vidlift.cloud.serve import serving
from vidlift.errors import UsageError
from vidlift.jobs.progress import Progress
from vidlift.sources.file import FileSource

OPTIONS = PublishOptions(rungs=(32, 48))
FRAMES, SEGMENT = 30, 12
"""Three segments: 12, 12, 6."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("clip") / "film.mp4"
    return make_clip(where, frames=FRAMES, rate=Fraction(3), width=96, height=64)


@pytest.fixture(scope="module")
def undisturbed(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Title:
    return publish(clip, tmp_path_factory.mktemp("undisturbed"), OPTIONS)


def contents(title: Title) -> dict[str, bytes]:
    """Its files; of pictures the names only: x264 is not the same to the bit every time."""
    exact = (".m3u8", ".vtt")
    return {
        str(path.relative_to(title.folder)): (
            path.read_bytes() if path.suffix in exact and path.name != "master.m3u8" else b""
        )
        for path in title.folder.rglob("*")
        if path.is_file()
    }


def check(title: Title, undisturbed: Title) -> None:
    """Nobody can tell that its making was ever stopped."""
    assert contents(title) == contents(undisturbed)
    assert [path.name for path in title.folder.parent.iterdir()] == ["film"]
    for rung in title.renditions:
        folder = (title.folder / rung["playlist"]).parent
        parts = [folder / "init.mp4", *sorted(folder.glob("*.m4s"))]
        whole = title.folder.parent.parent / f"{rung['name']}.mp4"
        whole.write_bytes(b"".join(part.read_bytes() for part in parts))
        with closing(FileSource(whole)) as source:
            times = [frame.pts for frame in source]
        assert times == [Fraction(number, 3) for number in range(FRAMES)]


_KILLED = """
import os, pathlib, signal, sys
from vidlift.cloud import journal, publish
from vidlift.cloud.publish import PublishOptions
from vidlift.jobs import notes

def die(*_arguments, **_more):
    os.kill(os.getpid(), signal.SIGKILL)

clip, library, when = sys.argv[1:4]
report = lambda _progress: None
if when.isdecimal():
    report = lambda progress: die() if progress.done == int(when) else None
elif when == "before the line":
    journal.Journal.add = die
elif when == "half a line":
    def torn(self, content):
        with self.where.open("a") as lines:
            lines.write('{"start": "0", "en')
        die()
    notes.Lines.add = torn
elif when == "before the poster":
    publish.write_poster = die
elif when == "before the card":
    publish.make_card = die
elif when == "before it has its name":
    publish._appear = die
elif when == "before the notes are gone":
    publish.forget = die
elif when in ("before master.m3u8", "before vidlift.json"):
    move = pathlib.Path.replace
    def replace(self, target):
        return die() if self.name == when.split()[1] else move(self, target)
    pathlib.Path.replace = replace
publish.publish(
    clip, library, PublishOptions(rungs=(32, 48), overwrite=len(sys.argv) > 4), report=report
)
"""


def killed(clip: Path, library: Path, when: str, *more: str) -> None:
    """A process that publishes and is killed at that moment."""
    command = [sys.executable, "-c", _KILLED, str(clip), str(library), when, *more]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("when", "resumed"),
    [
        ("5", 0),
        ("20", SEGMENT),
        ("before the line", 0),
        ("half a line", 0),
        ("before the poster", FRAMES),
        ("before the card", FRAMES),
        ("before it has its name", FRAMES),
    ],
)
def test_killed(when: str, resumed: int, clip: Path, undisturbed: Title, tmp_path: Path) -> None:
    library = tmp_path / "library"
    killed(clip, library, when)
    assert list(titles(library)) == []
    seen: list[int] = []
    title = publish(clip, library, OPTIONS, report=lambda p: seen.append(p.resumed))
    assert set(seen) == ({resumed} if resumed < FRAMES else set()), "only what is left is encoded"
    check(title, undisturbed)


def test_killed_once_it_is_there(clip: Path, undisturbed: Title, tmp_path: Path) -> None:
    library = tmp_path / "library"
    killed(clip, library, "before the notes are gone")
    (title,) = titles(library)
    for key in ("name", "playlist", "width", "height", "codec"):  # bits differ now and then
        assert [r[key] for r in title.renditions] == [r[key] for r in undisturbed.renditions]
    with serving(library) as base:
        for note in (".job.json", ".segments.jsonl"):
            assert (title.folder / note).is_file()
            assert httpx2.get(f"{base}/film/{note}").status_code == 404
    assert publish(clip, library, OPTIONS).card == title.card, "nothing is left to be done"


def test_killed_while_it_replaces_another(clip: Path, undisturbed: Title, tmp_path: Path) -> None:
    library = tmp_path / "library"
    old = publish(clip, library, PublishOptions(rungs=(40,)))
    before = contents(old)
    for when in ("5", "before the card", "before it has its name"):
        killed(clip, library, when, "--overwrite")
        (title,) = titles(library)
        assert (title.card, contents(title)) == (old.card, before), "the old one is untouched"
    title = publish(clip, library, replace(OPTIONS, overwrite=True))
    assert title.card["version"] == undisturbed.card["version"]
    assert [path.name for path in library.iterdir()] == ["film"]


@pytest.mark.parametrize("when", ["before master.m3u8", "before vidlift.json"])
def test_killed_as_it_takes_the_place_of_another(
    when: str, clip: Path, undisturbed: Title, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    publish(clip, library, PublishOptions(rungs=(40,), whole_file=False))
    killed(clip, library, when, "--overwrite")
    seen: list[Progress] = []
    title = publish(clip, library, replace(OPTIONS, overwrite=True), report=seen.append)
    assert seen == [], "what is finished is not made again"
    old, new = contents(title), contents(undisturbed)
    assert {name: old.get(name) for name in new} == new
    assert title.card["version"] == undisturbed.card["version"]
    assert title.card["version"] in (title.folder / "master.m3u8").read_text()
    assert [path.name for path in library.iterdir()] == ["film"]


class StoppedError(Exception):
    pass


def stop_at(frame: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.done == frame:
            raise StoppedError

    return report


def test_stopped_again_and_again(clip: Path, undisturbed: Title, tmp_path: Path) -> None:
    library = tmp_path / "library"
    for frame in (5, 14, 29):
        with pytest.raises(StoppedError):
            publish(clip, library, OPTIONS, report=stop_at(frame))
    seen: list[int] = []
    title = publish(clip, library, OPTIONS, report=lambda p: seen.append(p.resumed))
    assert set(seen) == {2 * SEGMENT}
    check(title, undisturbed)


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_segment_that_the_disk_lost_is_made_again(
    harm: str, clip: Path, undisturbed: Title, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    with pytest.raises(StoppedError):
        publish(clip, library, OPTIONS, report=stop_at(29))
    (segment,) = library.glob(".film.vidlift-job/*/32p/00001.m4s")
    if harm == "cut":
        segment.write_bytes(segment.read_bytes()[:-1])
    else:
        segment.unlink()
    seen: list[int] = []
    title = publish(clip, library, OPTIONS, report=lambda p: seen.append(p.resumed))
    assert set(seen) == {SEGMENT}
    check(title, undisturbed)


def test_a_library_is_served_while_it_grows(clip: Path, tmp_path: Path) -> None:
    publish(clip, tmp_path, replace(OPTIONS, name="first"))
    seen: list[list[str]] = []

    def look(progress: Progress) -> None:
        if progress.done % 10:
            return
        listed = httpx2.get(f"{base}/catalogue.json").json()["titles"]
        seen.append([title["name"] for title in listed])
        assert httpx2.get(f"{base}/film/master.m3u8").status_code == 404
        for file in tmp_path.rglob("*.m4s"):
            path = file.relative_to(tmp_path).as_posix()
            assert httpx2.get(f"{base}/{path}").status_code == (404 if "-job/" in path else 200)

    with serving(tmp_path) as base:
        publish(clip, tmp_path, OPTIONS, report=look)
        listed = httpx2.get(f"{base}/catalogue.json").json()["titles"]
        assert httpx2.get(f"{base}/{listed[0]['playlist']}").status_code == 200
    assert seen == [["first"]] * 3
    assert [title["name"] for title in listed] == ["film", "first"]


def test_two_do_not_publish_the_same_at_once(clip: Path, tmp_path: Path) -> None:
    def second(progress: Progress) -> None:
        if progress.done == 1:
            with pytest.raises(UsageError, match="at this moment"):
                publish(clip, tmp_path, OPTIONS)

    title = publish(clip, tmp_path, OPTIONS, report=second)
    card = json.loads((title.folder / "vidlift.json").read_text())
    assert card == title.card
