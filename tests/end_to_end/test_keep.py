"""What was received is kept as one file, whole or not at all, none of it encoded anew."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import pytest

from support.cli import vidlift
from support.clips import make_clip
from support.films import EXPECTED, FRAMES, HASTY, RATE, faulty, publish_film, served, up
from support.networks import plain_network
from support.servers import Asked, answer, part_of, scripted
from vidlift.client.adapt import best
from vidlift.client.fetch import HttpFile
from vidlift.cloud.library import Title
from vidlift.cloud.serve import serving
from vidlift.errors import NetworkError, OutputError, UsageError
from vidlift.sources.containers import ENDINGS
from vidlift.sources.hls import HlsSplit
from vidlift.sources.keep import Keeper, receive
from vidlift.sources.split import Split


@pytest.fixture(scope="module")
def title(tmp_path_factory: pytest.TempPathFactory) -> Title:
    return publish_film(tmp_path_factory.mktemp("keep"))


class Saved:
    """What a saved file holds."""

    def __init__(self, file: Path) -> None:
        with closing(Split(file)) as split:
            self.frames = list(split.pictures)
            self.lost = dict(split.pictures.lost)
        with closing(Split(file)) as split:
            assert split.sound is not None
            self.chunks = list(split.sound)

    @property
    def lasts(self) -> list[Fraction]:
        return [frame.duration.limit_denominator(100) for frame in self.frames]

    @property
    def times(self) -> list[Fraction]:
        return [frame.pts - self.frames[0].pts for frame in self.frames]

    @property
    def sound_ends(self) -> Fraction:
        last = self.chunks[-1]
        return last.pts + Fraction(len(last.samples), 48000) - self.frames[0].pts


def near(found: Sequence[Fraction], wanted: Sequence[Fraction], within: Fraction) -> bool:
    pairs = zip(found, wanted, strict=True)
    return len(found) == len(wanted) and all(abs(a - b) <= within for a, b in pairs)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_a_film_is_kept_with_its_sound_in_step(title: Title, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"kept.{ending}"
    with served(title) as film:
        receive(film, target)
        with closing(HlsSplit(film)) as split:
            wanted = [frame.luma.copy() for frame in split.pictures]
    saved = Saved(target)
    assert near(saved.times, EXPECTED, Fraction(1, 1000))
    assert saved.lost == {}
    assert saved.frames[0].size == (64, 48), "the best rung"
    assert abs(saved.chunks[0].pts - saved.frames[0].pts) < Fraction(1, 10)
    assert abs(saved.sound_ends - 14) < Fraction(1, 10)
    assert saved.lasts == [1 / RATE] * FRAMES
    assert all((a.luma == b).all() for a, b in zip(saved.frames, wanted, strict=True)), "bit by bit"
    assert [path.name for path in tmp_path.iterdir()] == [target.name], "nothing else is left"


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_rungs_that_change_on_the_way(title: Title, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"kept.{ending}"
    with served(title, choose=up) as film:
        keeper = Keeper(film, target)
        with closing(HlsSplit(film)) as split:
            sizes = {frame.size for frame in split.pictures}
        assert len(sizes) == 2
        assert keeper.finish() is None
    # Decoded by FFmpeg as any player does it: each picture in the size that it has.
    with av.open(str(target)) as entry:
        seen = [(p.width, p.height) for p in entry.decode(video=0)]
    assert seen == [(42, 32)] * 12 + [(64, 48)] * 30


def test_a_part_that_a_seek_passed_over_closes_up(title: Title, tmp_path: Path) -> None:
    target = tmp_path / "kept.mp4"
    pieces: list[float] = []
    with served(title, choose=best) as film:
        keeper = Keeper(film, target)
        wanted = list(film.pictures.pieces(8.0))  # the third segment and the last
        assert film.sound is not None
        list(film.sound.pieces(0.0))
        first = next(iter(film.pictures.pieces(0.0)))  # back at the beginning
        pieces += [first.start, *(piece.start for piece in wanted)]
        assert keeper.finish() is None
    assert pieces == [0, 8, 12]
    saved = Saved(target)
    assert near(saved.times, EXPECTED[:30], Fraction(1, 1000)), "12 frames, then 18 more"
    assert abs(saved.sound_ends - 10) < Fraction(1, 10)
    assert len(saved.chunks) < 14 * 48000 / 1024


def test_a_file_is_kept_bit_for_bit(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=200, width=320, height=240)
    content = clip.read_bytes()
    assert len(content) > 3 << 16
    with (
        scripted(lambda asked: [part_of(content, asked, etag='"a"')]) as (url, _),
        closing(HttpFile(url)) as file,
    ):
        receive(file, tmp_path / "kept.mp4")
    assert (tmp_path / "kept.mp4").read_bytes() == content


def test_of_a_file_that_was_left_early_what_came_is_kept(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", frames=200, width=320, height=240)
    content = clip.read_bytes()

    def until_half(asked: Asked) -> Iterable[bytes]:
        whole = part_of(content, asked, etag='"a"')
        return [whole[: len(content) // 2] if asked.number == 0 else answer("404 Not Found")]

    with scripted(until_half) as (url, _), closing(HttpFile(url, patience=HASTY)) as file:
        keeper = Keeper(file, tmp_path / "kept.mp4")
        with pytest.raises(NetworkError, match="404"):
            file.readall()
        assert keeper.finish() is None
    saved = Saved(tmp_path / "kept.mp4")
    assert 20 < len(saved.frames) < 180
    assert near(saved.times, [Fraction(n, 24) for n in range(len(saved.frames))], Fraction(1, 500))


def test_a_name_with_a_colon_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = make_clip(tmp_path / "clip.mkv", frames=4).read_bytes()
    monkeypatch.chdir(tmp_path)
    with (
        scripted(lambda asked: [part_of(content, asked)]) as (url, _),
        closing(HttpFile(url)) as file,
    ):
        receive(file, Path("12:30.mp4"))
    assert len(Saved(tmp_path / "12:30.mp4").frames) == 4


def test_another_ending_takes_the_packets_over(tmp_path: Path) -> None:
    content = make_clip(tmp_path / "clip.mkv", frames=24).read_bytes()
    with (
        scripted(lambda asked: [part_of(content, asked)]) as (url, _),
        closing(HttpFile(url)) as file,
    ):
        receive(file, tmp_path / "kept.mp4")
    with av.open(str(tmp_path / "kept.mp4")) as entry:
        assert entry.format.name.startswith("mov")
    assert len(Saved(tmp_path / "kept.mp4").frames) == 24


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("kept.avi", UsageError, r"\.mkv"),
        ("kept", UsageError, "none is not one of"),
        ("there.mp4", OutputError, "exists"),
        ("nowhere/kept.mp4", OutputError, "no folder"),
        ("busy.mp4", OutputError, "another run"),
    ],
)
def test_where_nothing_can_be_saved(
    title: Title, tmp_path: Path, name: str, kind: type[Exception], message: str
) -> None:
    (tmp_path / "there.mp4").touch()
    (tmp_path / "busy.mp4.vidlift-job").mkdir()
    with served(title) as film, pytest.raises(kind, match=message):
        Keeper(film, tmp_path / name)


def test_nothing_received_is_no_file(title: Title, tmp_path: Path) -> None:
    with served(title) as film:
        said = Keeper(film, tmp_path / "kept.mp4").finish()
    assert said is not None
    assert "nothing was received" in said
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_not_lost(title: Title, tmp_path: Path) -> None:
    target = tmp_path / "kept.webm"
    with served(title, choose=best) as film:
        keeper = Keeper(film, target)
        list(film.pictures.pieces(0.0))
        with pytest.raises(OutputError, match=r"what came is in .*vidlift-job"):
            keeper.finish()  # WebM takes no H.264
    assert not target.exists()
    assert list((tmp_path / "kept.webm.vidlift-job").glob("pictures-*"))


def test_ctrl_c_while_what_came_before_is_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(_file: HttpFile) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(HttpFile, "blocks", press)
    with pytest.raises(KeyboardInterrupt):
        Keeper(HttpFile.__new__(HttpFile), tmp_path / "kept.mkv")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_does_not_end_the_film(
    title: Title, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with served(title, choose=best) as film:
        keeper = Keeper(film, tmp_path / "kept.mp4")
        monkeypatch.setattr(Path, "write_bytes", full)
        assert len(list(film.pictures.pieces(0.0))) == 4
        with pytest.raises(OutputError, match="No space left"):
            keeper.finish()


@pytest.mark.parametrize("cut", [0, 200], ids=["whole", "damaged"])
def test_no_secret_of_a_url_is_told(tmp_path: Path, cut: int) -> None:
    whole = make_clip(tmp_path / "clip.mp4").read_bytes()
    content = whole[: len(whole) - cut]
    network, report = tmp_path / "s-x2.onnx", tmp_path / "report.json"
    network.write_bytes(plain_network(scale=2, channels=2, layers=1).data)
    with scripted(lambda asked: [part_of(content, asked)]) as (url, _):
        hidden = f"{url.replace('//', '//me:hush@')}/~9.1.k.hush/film.mp4?token=hush"
        big = tmp_path / "big.mp4"
        for line in (
            ["upscale", hidden, big, "-m", network, "--report", report, "--no-progress"],
            ["upscale", hidden, "--sink", "null", "-m", network, "--no-progress"],
            ["verify", hidden, big],
            ["play", hidden, "--display", "none", "-m", network, "--report", report],
            ["play", hidden, "--dry-run", "-m", network],
            ["probe", hidden],
            ["upscale", hidden, tmp_path / "other.mp4", "-m", "none"],
        ):
            ended = vidlift(*line)
            assert bool(ended.code) == bool(cut or "none" in line[-1:]), ended.err
            assert "hush" not in ended.out + ended.err, line
            if report.exists():
                assert "hush" not in report.read_text()
                report.unlink()


def test_the_player_saves_what_it_played(title: Title, tmp_path: Path) -> None:
    kept, report = tmp_path / "kept.mp4", tmp_path / "report.json"
    with serving(title.folder.parent) as base:
        url = f"{base}/{title.path('master.m3u8')}"
        played = ["play", url, "--display", "none", "-s", "2", "--duration", "0.4", "--no-cache"]
        ended = vidlift(*played, "--save", kept, "--report", report)
    assert ended.code == 0, ended.err
    assert json.loads(report.read_text())["output"] == str(kept)
    saved = Saved(kept)
    assert saved.times[:12] == EXPECTED[:12], "all of the segment, though less of it was shown"
    assert abs(saved.chunks[0].pts - saved.frames[0].pts) < Fraction(1, 10)
    assert not (Path(os.environ["XDG_CACHE_HOME"]) / "vidlift" / "received").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["clip.mp4", "--save", "new.mp4"], 2, "is a file already"),
        (["URL", "URL", "--save", "new.mp4"], 2, "one film can be saved"),
        (["URL", "--save", "new.mp4", "--dry-run"], 2, "--dry-run receives nothing"),
        (["URL", "--save", "new.avi"], 2, "the ending says the container"),
        (["URL", "--save", "new.webm"], 2, ".webm has no place for h264 and aac"),
        (["URL", "--save", "clip.mp4"], 4, "exists"),
        (["URL", "--save", "no/new.mp4"], 4, "no folder"),
        (["URL", "--save", "new.mp4", "--report", "new.mp4"], 2, "a file of this very run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_use_of_save_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    content = make_clip(tmp_path / "clip.mp4").read_bytes()
    with scripted(lambda asked: [part_of(content, asked)]) as (url, _):
        line = [f"{url}/film.mp4" if part == "URL" else part for part in arguments]
        ended = vidlift("play", *line, "--display", "none")
    assert ended.code == code
    assert said in ended.complaint
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize("codec", ["h264", "vp9"])
@pytest.mark.parametrize("command", ["play", "upscale"])
def test_what_a_container_has_no_place_for_is_known_at_the_beginning(
    command: str, codec: str, title: Title, tmp_path: Path
) -> None:
    """Not after an hour; of sound that comes apart as well."""
    if codec != "h264":
        title = publish_film(tmp_path / "other", codec=codec)
    (tmp_path / "here").mkdir()
    more = ["--display", "none", "--no-cache"] if command == "play" else [tmp_path / "here/big.mp4"]
    with scripted(faulty(title, lambda *_: None)) as (url, _):
        ended = vidlift(
            command, f"{url}/master.m3u8", *more, "--save", tmp_path / "here" / "kept.webm"
        )
    assert ended.code == 2
    alien = {"h264": "h264", "vp9": "aac"}[codec]
    able = {"h264": ".mp4, .m4v, .mkv, .ts would do", "vp9": ".mp4, .m4v, .mkv would do"}[codec]
    assert f"cannot save as kept.webm: .webm has no place for {alien}" in ended.err
    assert able in ended.err
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize("ending", list(ENDINGS))
def test_every_container_says_what_it_holds(ending: str, tmp_path: Path) -> None:
    """As far as it does, FFmpeg writes it, and reads it again."""
    clips = {
        "h264": make_clip(tmp_path / "h264.mkv"),
        "vp9": make_clip(tmp_path / "vp9.mkv", codec="libvpx-vp9", options={"cpu-used": "8"}),
    }
    for codec, clip in clips.items():
        content = clip.read_bytes()
        target = tmp_path / f"kept-{codec}{ending}"
        with (
            scripted(lambda asked, content=content: [part_of(content, asked)]) as (url, _),  # type: ignore[misc]
            closing(HttpFile(url)) as file,
        ):
            try:
                receive(file, target)
            except UsageError:
                assert (codec, ending) in {
                    ("h264", ".webm"),
                    ("vp9", ".webm"),
                    ("vp9", ".ts"),
                }
                continue
        assert len(Saved(target).frames) == 8


def test_a_file_saved_by_the_player_is_the_server_s(tmp_path: Path) -> None:
    content = make_clip(tmp_path / "clip.mp4", frames=12).read_bytes()
    with scripted(lambda asked: [part_of(content, asked)]) as (url, _):
        ended = vidlift(
            "play", f"{url}/film.mp4", "--display", "none", "-s", "2", "--save", tmp_path / "k.mp4"
        )
    assert ended.code == 0, ended.err
    assert (tmp_path / "k.mp4").read_bytes() == content
