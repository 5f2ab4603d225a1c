"""A small HLS film of ours, servers that give it well and badly, and a viewer of both its sides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from threading import Thread

from support.clips import make_clip
from support.servers import Asked, Script, answer, part_of
from vidlift.client.adapt import Option
from vidlift.client.download import Patience
from vidlift.client.hls import HlsFilm
from vidlift.cloud.library import Title
from vidlift.cloud.publish import PublishOptions, publish
from vidlift.cloud.serve import serving
from vidlift.errors import NetworkError
from vidlift.frame import Frame
from vidlift.sources.hls import HlsSplit
from vidlift.sources.split import SoundChunk, Split

HASTY = Patience(tries=2, first_tries=2, first=0.001, longest=0.001)
RATE = Fraction(3)
FRAMES = 42
"""Fourteen seconds: segments of 12, 12, 12 and 6 frames."""

EXPECTED = [n / RATE for n in range(FRAMES)]


def publish_film(folder: Path, *, codec: str = "h264") -> Title:
    """Two rungs, 42x32 and 64x48, and sound apart."""
    folder.mkdir(exist_ok=True)
    clip = make_clip(folder / "film.mp4", frames=FRAMES, rate=RATE, width=128, height=96)
    options = PublishOptions(rungs=(32, 48), codec=codec, whole_file=False)
    return publish(clip, folder / "library", options)


def up(options: Sequence[Option], *, buffer: float, throughput: float | None) -> int:
    """A way of choosing: the least rung first, then the best."""
    del throughput
    return len(options) - 1 if buffer else 0


@dataclass
class Received:
    frames: list[Frame] = field(default_factory=list)
    chunks: list[SoundChunk] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)

    @property
    def times(self) -> list[Fraction]:
        return [frame.pts - self.frames[0].pts for frame in self.frames]


@contextmanager
def served(title: Title, **options: object) -> Iterator[HlsFilm]:
    """A title's film, received from a server of its library."""
    with (
        serving(title.folder.parent) as base,
        closing(HlsFilm(f"{base}/{title.path('master.m3u8')}", **options)) as film,  # type: ignore[arg-type]
    ):
        yield film


@contextmanager
def opened(url: str, **options: object) -> Iterator[tuple[HlsFilm, HlsSplit]]:
    settings = {"patience": HASTY, "pause": lambda _: None, **options}
    film = HlsFilm(url, **settings)  # type: ignore[arg-type]
    with closing(film), closing(HlsSplit(film)) as split:
        yield film, split


def take(split: HlsSplit | Split) -> Received:
    """Both sides, each in a thread of its own as a player does."""
    got = Received()
    errors: list[Exception] = []

    def listen() -> None:
        try:
            got.chunks += split.sound or ()
        except NetworkError as error:
            errors.append(error)

    listener = Thread(target=listen)
    listener.start()
    try:
        got.frames += split.pictures
    finally:
        listener.join()
    got.lost = dict(split.pictures.lost)
    if errors:
        raise errors[0]
    return got


def files_of(title: Title) -> dict[str, bytes]:
    return {
        f"/{path.relative_to(title.folder)}": path.read_bytes()
        for path in title.folder.rglob("*")
        if path.is_file()
    }


def library(files: dict[str, bytes], fault: Callable[[Asked], bytes | None]) -> Script:
    """A server of these files, but where ``fault`` has another answer."""

    def script(asked: Asked) -> Iterable[bytes]:
        wrong = fault(asked)
        if wrong is not None:
            return [wrong]
        path = asked.path.partition("?")[0]
        if path not in files:
            return [answer("404 Not Found")]
        return [part_of(files[path], asked)]

    return script


def faulty(title: Title, fault: Callable[[Asked, bytes], bytes | None]) -> Script:
    files = files_of(title)
    return library(files, lambda asked: fault(asked, files.get(asked.path, b"")))
