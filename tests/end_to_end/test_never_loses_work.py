"""Whatever stops a job, the same command goes on, and the result is that of one never stopped."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cli import vidlift
from support.clips import make_clip
from support.files import digest
from vidlift.errors import InputError, OutputError, UsageError
from vidlift.jobs import upscale, work
from vidlift.jobs.progress import Progress
from vidlift.jobs.upscale import UpscaleOptions, upscale_file
from vidlift.jobs.verify import verify
from vidlift.sinks.file import EncoderOptions

SEGMENT = 16
FRAMES = 40
"""Three segments: 16, 16, 8."""

OPTIONS = UpscaleOptions(model="bicubic-x2", encoder=EncoderOptions(crf=30))


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "SEGMENT_SAMPLES", 1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=FRAMES)


@pytest.fixture(scope="module")
def undisturbed(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the output of a run that nothing stopped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "SEGMENT_SAMPLES", 1)
        output = tmp_path_factory.mktemp("undisturbed") / "out.mp4"
        upscale_file(clip, output, OPTIONS)
    return digest(output)


def _job(output: Path) -> Path:
    return output.with_name(output.name + ".vidlift-job")


def _at(frame: int, act: Callable[[], object]) -> Callable[[Progress], None]:
    """A report that acts once, when that many frames are encoded."""

    def report(progress: Progress) -> None:
        if progress.done == frame:
            act()

    return report


def _stop() -> None:
    raise KeyboardInterrupt


def _finish(clip: Path, output: Path, undisturbed: str, *, resumed: int) -> None:
    """Run again; it goes on after ``resumed`` frames, and nobody can tell from the result."""
    receipt = upscale_file(clip, output, OPTIONS)
    assert receipt.extra["resumed_frames"] == resumed
    assert receipt.frames_out == FRAMES
    assert digest(output) == undisturbed
    verify(clip, output)
    assert sorted(file.name for file in output.parent.iterdir()) == [output.name]


_KILLED = """
import os, signal, sys
from vidlift.jobs import journal, notes, upscale, work
from vidlift.jobs.upscale import UpscaleOptions, upscale_file
from vidlift.sinks.file import EncoderOptions

def die(*_arguments, **_more):
    os.kill(os.getpid(), signal.SIGKILL)

clip, output, when = sys.argv[1:]
work.SEGMENT_SAMPLES = 1
report = lambda _progress: None
if when.isdecimal():
    report = lambda progress: die() if progress.done == int(when) else None
elif when == "before the line":
    journal._digest = die
elif when == "half a line":
    def torn(self, content):
        with self.where.open("a") as lines:
            lines.write('{"index": 0, "fra')
        die()
    notes.Lines.add = torn
elif when == "before it is joined":
    upscale.join = die
elif when == "before it has its name":
    upscale._move = die
elif when == "before the job is gone":
    journal.Journal.remove = die
options = UpscaleOptions(model="bicubic-x2", encoder=EncoderOptions(crf=30))
upscale_file(clip, output, options, report=report)
"""


@pytest.mark.parametrize(
    ("when", "resumed", "is_there"),
    [
        ("20", SEGMENT, False),
        ("before the line", 0, False),
        ("half a line", 0, False),
        ("before it is joined", FRAMES, False),
        ("before it has its name", FRAMES, False),
        ("before the job is gone", FRAMES, True),
    ],
)
def test_killed(
    when: str, resumed: int, is_there: bool, clip: Path, undisturbed: str, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    command = [sys.executable, "-c", _KILLED, str(clip), str(output), when]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert output.exists() == is_there
    _finish(clip, output, undisturbed, resumed=resumed)


def test_interrupted_again_and_again(clip: Path, undisturbed: str, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    for frame in (3, 17, 30, 38):
        with pytest.raises(KeyboardInterrupt):
            upscale_file(clip, output, OPTIONS, report=_at(frame, _stop))
        kept = frame // SEGMENT
        assert len(list(tmp_path.glob("*/*.nut"))) == kept, "whole segments, and only those"
        assert _job(output).exists() == (kept > 0)
        assert not output.exists()
    _finish(clip, output, undisturbed, resumed=32)


def test_ctrl_c_ends_the_command_with_130(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: upscale._Job, count: int, size: int) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(upscale._Job, "_tell", interrupt)
    ended = vidlift("upscale", clip, tmp_path / "out.mp4", "-m", "bicubic-x2")
    assert ended.code == 130
    assert ended.complaint == "vidlift: interrupted"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("full", ["00001.nut", "whole.mp4"])
def test_the_disk_is_full(
    full: str, clip: Path, undisturbed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/dev/full takes nothing, as a full disk does."""
    output = tmp_path / "out.mp4"

    def fill() -> None:
        (_job(output) / full).symlink_to("/dev/full")

    with pytest.raises(OutputError, match=r"disk is full; what is finished of .*out\.mp4 is kept"):
        upscale_file(clip, output, OPTIONS, report=_at(10, fill))
    assert not output.exists()
    (_job(output) / full).unlink(missing_ok=True)
    _finish(clip, output, undisturbed, resumed=SEGMENT if full == "00001.nut" else FRAMES)


def test_a_segment_that_was_damaged_is_made_again(
    clip: Path, undisturbed: str, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt):
        upscale_file(clip, output, OPTIONS, report=_at(38, _stop))
    segment = _job(output) / "00001.nut"
    segment.write_bytes(segment.read_bytes()[:-1])
    _finish(clip, output, undisturbed, resumed=SEGMENT)


class TestAnotherJob:
    """Unfinished work of one job is not gone on with by another, nor thrown away unasked."""

    @pytest.fixture
    def unfinished(self, clip: Path, tmp_path: Path) -> Path:
        output = tmp_path / "out.mp4"
        with pytest.raises(KeyboardInterrupt):
            upscale_file(clip, output, OPTIONS, report=_at(20, _stop))
        return output

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (UpscaleOptions(model="bicubic-x3"), "model was bicubic-x2, is bicubic-x3"),
            (UpscaleOptions(model="bicubic-x2"), "crf was 30, is 18"),
            (
                UpscaleOptions(model="bicubic-x2", encoder=EncoderOptions(codec="hevc", crf=30)),
                "codec was h264, is hevc",
            ),
            (
                UpscaleOptions(
                    model="bicubic-x2", engine="onnxruntime", encoder=EncoderOptions(crf=30)
                ),
                "engine was .*, is onnxruntime",
            ),
        ],
        ids=["model", "crf", "codec", "engine"],
    )
    def test_other_options(
        self, options: UpscaleOptions, words: str, clip: Path, unfinished: Path
    ) -> None:
        with pytest.raises(UsageError, match=words):
            upscale_file(clip, unfinished, options)
        assert (_job(unfinished) / "00000.nut").exists()

    def test_another_input(self, unfinished: Path, tmp_path: Path) -> None:
        other = make_clip(tmp_path / "other.mp4", frames=FRAMES, width=48)
        with pytest.raises(UsageError, match=r"input was [0-9a-f]{12}…, is .*--no-resume"):
            upscale_file(other, unfinished, OPTIONS)

    def test_afresh(self, clip: Path, undisturbed: str, unfinished: Path) -> None:
        options = UpscaleOptions(model="bicubic-x2", encoder=EncoderOptions(crf=30), resume=False)
        receipt = upscale_file(clip, unfinished, options)
        assert receipt.extra["resumed_frames"] == 0
        assert digest(unfinished) == undisturbed
        assert not _job(unfinished).exists()

    def test_two_at_once(self, clip: Path, unfinished: Path) -> None:
        with (_job(unfinished) / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(UsageError, match=r"another vidlift is working on out\.mp4"):
                upscale_file(clip, unfinished, OPTIONS)
        assert (_job(unfinished) / "00000.nut").exists()

    def test_an_output_that_somebody_else_put_there(self, clip: Path, unfinished: Path) -> None:
        unfinished.write_text("keep me")
        with pytest.raises(OutputError, match="exists"):
            upscale_file(clip, unfinished, OPTIONS)
        assert unfinished.read_text() == "keep me"


def test_an_output_is_replaced_once_the_new_one_is_whole(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_text("the old one")
    options = UpscaleOptions(model="bicubic-x2", overwrite=True)
    with pytest.raises(KeyboardInterrupt):
        upscale_file(clip, output, options, report=_at(20, _stop))
    assert output.read_text() == "the old one"
    upscale_file(clip, output, options)
    verify(clip, output)


class TestDamage:
    """A job stops where its input is damaged, and goes on past it when told to."""

    @pytest.fixture
    def damaged(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Pictures from about the 30th on are noise."""
        where = make_clip(
            tmp_path_factory.mktemp("damaged") / "damaged.mp4", frames=FRAMES, sounds=0
        )
        content = bytearray(where.read_bytes())
        start = content.index(b"mdat")
        end = content.index(b"moov")
        begin = start + (end - start) * 3 // 4
        content[begin : end - 8] = b"\x5a" * (end - 8 - begin)
        where.write_bytes(content)
        return where

    def test_it_stops_there_and_names_file_and_frame(self, damaged: Path, tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        with pytest.raises(InputError, match=r"damaged\.mp4: about frame \d+, at 1\.\d+ s: .*kept"):
            upscale_file(damaged, output, OPTIONS)
        assert not output.exists()
        assert len(list(_job(output).glob("*.nut"))) == 1

    def test_it_goes_on_when_told_to(self, damaged: Path, tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        with pytest.raises(InputError):
            upscale_file(damaged, output, OPTIONS)
        options = UpscaleOptions(
            model="bicubic-x2", encoder=EncoderOptions(crf=30), keep_going=True
        )
        receipt = upscale_file(damaged, output, options)
        assert receipt.extra["resumed_frames"] == SEGMENT
        assert SEGMENT < receipt.frames_out < FRAMES
        assert sum(receipt.dropped.values()) > 0
        assert any("damaged.mp4: about frame" in warning for warning in receipt.warnings)


def test_the_journal_is_plain(clip: Path, tmp_path: Path) -> None:
    """A person who looks into the folder finds what is in it."""
    output = tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt):
        upscale_file(clip, output, OPTIONS, report=_at(38, _stop))
    lines = (_job(output) / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["frames"] for line in lines] == [SEGMENT, SEGMENT]
    assert json.loads(lines[1])["start"] == "2/3"
    note = json.loads((_job(output) / "job.json").read_text())
    assert (note["model"], note["crf"], note["segment_frames"]) == ("bicubic-x2", 30, SEGMENT)
