"""The parts of a file job, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.clips import make_clip
from vidlift import models
from vidlift.errors import InputError, UsageError
from vidlift.frame import Frame
from vidlift.jobs.damage import Watched
from vidlift.jobs.join import container_of
from vidlift.jobs.journal import Journal, open_journal
from vidlift.jobs.probe import probe
from vidlift.jobs.timetable import timetable
from vidlift.jobs.upscale import UpscaleOptions, check_output
from vidlift.jobs.work import Work, scaled, segments
from vidlift.models.auto import Stream
from vidlift.sources.synthetic import SyntheticSource
from vidlift.video import VideoInfo


@st.composite
def _coded(draw: st.DrawFn) -> tuple[list[int], int]:
    """Times of frames in some order of decoding that starts with the first, and the end."""
    steps = draw(st.lists(st.integers(1, 1000), min_size=1, max_size=40))
    times = np.cumsum([draw(st.integers(-1000, 1000)), *steps])
    rest = draw(st.permutations([int(time) for time in times[1:-1]]))
    return [int(times[0]), *rest], int(times[-1])


@st.composite
def _grouped(draw: st.DrawFn) -> tuple[list[int], int]:
    """Times of frames at a rate that varies little, in groups of which the last is decoded first,
    as encoders do, and the end; the first frame is shown at zero."""
    steps = draw(st.lists(st.integers(20, 40), min_size=1, max_size=40))
    times = [int(time) for time in np.cumsum([0, *steps])]
    coded, at = times[:1], 1
    while at < len(times) - 1:
        after = min(at + draw(st.integers(1, 4)), len(times) - 1)
        coded += [times[after - 1], *times[at : after - 1]]
        at = after
    return coded, times[-1]


class TestTimetable:
    @given(_coded())
    def test_it_holds_for_any_order(self, made: tuple[list[int], int]) -> None:
        coded, end = np.array(made[0], np.int64), made[1]
        durations, decoded = timetable(coded, end=end)
        order = np.argsort(coded)
        assert (coded[order] + durations[order] == [*coded[order][1:], end]).all()
        assert (decoded <= coded).all(), "no frame is shown before it is decoded"
        assert (np.diff(decoded) > 0).all(), "what muxers ask for"

    @given(_grouped())
    def test_without_a_gap_readers_are_told_how_long_each_is_shown(
        self, made: tuple[list[int], int]
    ) -> None:
        coded, end = np.array(made[0], np.int64), made[1]
        durations, decoded = timetable(coded, end=end)
        assert (decoded <= coded).all()
        assert (decoded == coded).any(), "none is decoded earlier than need be"
        assert (np.diff(decoded) == durations[:-1]).all(), "what readers take for durations"

    @pytest.mark.parametrize("start", [0, 1, 40, 80, 400, 4000])
    @pytest.mark.parametrize("gap", [40, 80, 400, 100_000])
    def test_a_gap_among_frames_that_are_reordered_stays_where_it_is(
        self, start: int, gap: int
    ) -> None:
        order = np.array([0, 3, 1, 2, 7, 5, 4, 6, 11, 9, 8, 10])
        coded = start + 40 * order + np.where(order >= 6, gap, 0)
        _, decoded = timetable(coded, end=int(coded.max()) + 40)
        assert (decoded <= coded).all()
        assert coded[0] - decoded[0] <= 4 * 160
        waits = (coded - decoded)[decoded <= 0]
        assert start == 0 or (waits >= coded[0] - decoded[0]).all(), "by which mov sets its start"

    def test_without_reordering_a_frame_is_decoded_when_it_is_shown(self) -> None:
        durations, decoded = timetable(np.array([5, 7, 20], np.int64), end=22)
        assert durations.tolist() == [2, 13, 2]
        assert decoded.tolist() == [5, 7, 20]


@pytest.mark.parametrize(
    ("name", "container"), [("a.mp4", "mp4"), ("a.M4V", "mp4"), ("a.b.mkv", "matroska")]
)
def test_the_ending_says_the_container(name: str, container: str) -> None:
    assert container_of(Path(name)) == container


@pytest.mark.parametrize("name", ["a.avi", "a", "a.mp4.part"])
def test_an_ending_that_is_not_known(name: str) -> None:
    with pytest.raises(UsageError, match=r"not one of \.mp4, \.m4v, \.mkv"):
        container_of(Path(name))


@given(st.integers(0, 50), st.integers(1, 12))
def test_segments_cut_a_run_and_lose_nothing(frames: int, length: int) -> None:
    run = list(SyntheticSource(width=16, height=16, frames=frames))
    cut = [list(segment) for segment in segments(run, length)]
    assert [frame for segment in cut for frame in segment] == run
    assert all(len(segment) == length for segment in cut[:-1])
    assert all(cut)


def test_an_input_whose_name_is_too_long_is_not_the_output(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    output.touch()
    check_output("x" * 300, output, UpscaleOptions(overwrite=True))
    with pytest.raises(UsageError, match="same file"):
        check_output(output, output, UpscaleOptions(overwrite=True))


def test_rotation_moves_by_pixels() -> None:
    turned = (0, 65536, 0, -65536, 0, 0, 720 << 16, 0, 1 << 30)
    info = VideoInfo(
        width=1280,
        height=720,
        bits=8,
        layout="yuv420p",
        codec="h264",
        time_base=Fraction(1, 24),
        display_matrix=turned,
    )
    big = scaled(info, 3)
    assert (big.width, big.height) == (3840, 2160)
    assert big.display_matrix == (*turned[:6], 3 * (720 << 16), 0, 1 << 30)


IDENTITY = {"input": "a", "model": "b"}


class TestJournal:
    def _add(self, journal: Journal, frames: int) -> None:
        journal.path(len(journal.segments)).write_bytes(b"x" * frames)
        start = Fraction(journal.frames, 24)
        journal.add(frames=frames, start=start, end=start + Fraction(frames, 24))

    def _segments(self, folder: Path) -> list[int]:
        with open_journal(folder, IDENTITY, resume=True) as journal:
            return [segment.frames for segment in journal.segments]

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "out.mp4.vidlift-job"
        with open_journal(folder, IDENTITY, resume=True) as journal:
            for frames in (16, 16, 7):
                self._add(journal, frames)
            journal.end(["a warning"])
        return folder

    def test_it_remembers(self, folder: Path) -> None:
        with open_journal(folder, IDENTITY, resume=True) as journal:
            assert (journal.frames, journal.bytes) == (39, 39)
            assert journal.segments[2].start == "4/3"
            assert journal.ended == ["a warning"]

    @pytest.mark.parametrize(
        ("tail", "kept"),
        [
            ('{"index": 3, "frames"', [16, 16, 7]),
            ("\0\0\0\0\0\0", [16, 16, 7]),
            ("\udcff\n", [16, 16, 7]),
            ("[]\n", [16, 16, 7]),
            ('{"index": 7}\n', [16, 16, 7]),
        ],
    )
    def test_what_was_torn_off_is_forgotten(self, tail: str, kept: list[int], folder: Path) -> None:
        with (folder / "journal.jsonl").open("a", errors="surrogateescape") as lines:
            lines.write(tail)
        assert self._segments(folder) == kept
        with open_journal(folder, IDENTITY, resume=True) as journal:
            self._add(journal, 5)
        assert self._segments(folder) == [*kept, 5]

    @pytest.mark.parametrize("missing", [0, 1, 2])
    def test_a_segment_that_is_gone_takes_all_after_it_along(
        self, missing: int, folder: Path
    ) -> None:
        (folder / f"{missing:05d}.nut").unlink()
        with open_journal(folder, IDENTITY, resume=True) as journal:
            assert [s.frames for s in journal.segments] == [16, 16, 7][:missing]
            assert journal.ended is None

    def test_the_output_is_known_by_its_name_and_nothing_else_is(
        self, folder: Path, tmp_path: Path
    ) -> None:
        whole, output = folder / "whole.mp4", tmp_path / "out.mp4"
        whole.write_text("film")
        with open_journal(folder, IDENTITY, resume=True) as journal:
            journal.expect(whole, ["rounded"])
            assert journal.made(output) is None
        whole.replace(output)
        with open_journal(folder, IDENTITY, resume=True) as journal:
            assert journal.made(output) == ["rounded"]
            output.write_text("another")
            assert journal.made(output) is None

    def test_removed_by_half_it_holds_nothing(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def die(_folder: Path) -> None:
            (folder / "00002.nut").unlink()
            raise KeyboardInterrupt

        journal = Journal(folder)
        monkeypatch.setattr("shutil.rmtree", die)
        with pytest.raises(KeyboardInterrupt):
            journal.remove()
        assert self._segments(folder) == []

    def test_a_folder_without_finished_work_is_anybodys(self, tmp_path: Path) -> None:
        folder = tmp_path / "job"
        with open_journal(folder, {"input": "other"}, resume=True):
            pass
        assert self._segments(folder) == []

    def test_an_error_before_anything_is_finished_leaves_nothing(self, tmp_path: Path) -> None:
        folder = tmp_path / "job"
        with pytest.raises(RuntimeError), open_journal(folder, IDENTITY, resume=True):
            raise RuntimeError
        assert not folder.exists()


class _Failing:
    """A source that loses a packet before some frames."""

    def __init__(self, frames: int, losses: Sequence[tuple[int, str]]) -> None:
        self.lost: dict[str, int] = {}
        self._source = SyntheticSource(width=16, height=16, frames=frames)
        self._losses = losses
        self.info = self._source.info

    def __iter__(self) -> Iterator[Frame]:
        for index, frame in enumerate(self._source):
            for at, reason in self._losses:
                if at == index:
                    self.lost[reason] = self.lost.get(reason, 0) + 1
            yield frame

    def close(self) -> None:
        """Nothing is held."""


class TestWatched:
    def test_damage_names_the_file_and_the_frame(self) -> None:
        source = _Failing(10, [(6, "a packet could not be decoded")])
        frames = Watched(source, name="film.mp4", keep_going=False)
        seen: list[Frame] = []
        with pytest.raises(
            InputError, match=r"film\.mp4: about frame 6, at 0\.250 s: a packet could not"
        ):
            seen.extend(frames)
        assert len(seen) == 6

    def test_going_on_names_the_first_place(self) -> None:
        source = _Failing(10, [(6, "a packet could not be decoded")] * 2)
        frames = Watched(source, name="film.mp4", keep_going=True)
        assert len(list(frames)) == 10
        assert frames.warnings == [
            "film.mp4: about frame 6, at 0.250 s: a packet could not be decoded"
        ]

    def test_times_that_stand_still_are_no_damage(self) -> None:
        source = _Failing(10, [(6, "its timestamp does not go forward")])
        frames = Watched(source, name="film.mp4", keep_going=False)
        assert len(list(frames)) == 10

    def test_what_is_missing_before_the_first_picture_is_no_damage(self) -> None:
        source = _Failing(10, [])
        source.lost = {"a packet could not be decoded": 3}
        frames = Watched(source, name="film.ts", keep_going=False)
        assert len(list(frames)) == 10
        assert not frames.warnings


def bicubic(_stream: Stream) -> tuple[models.Model, str | None]:
    return models.load("bicubic-x2"), None


class TestWork:
    def test_it_works_ahead_of_the_encoder_and_not_far(self, tmp_path: Path) -> None:
        clip = make_clip(tmp_path / "clip.mp4", frames=60, sounds=0)
        with (
            Work(str(clip), bicubic, engine="auto") as work,
            closing(work.frames()) as frames,
        ):
            while not frames.full:
                pass  # nobody has asked for a frame yet
            upscaled = len(work.meter.seconds["upscale"])
            assert 4 <= upscaled <= 8
            rest = list(frames)
        assert len(rest) == 60
        assert len(work.meter.seconds["decode"]) == 60

    def test_given_up_half_way_it_ends(self, tmp_path: Path) -> None:
        """The rule for all tests sees to it that no thread is left."""
        clip = make_clip(tmp_path / "clip.mp4", frames=60, sounds=0)
        work = Work(str(clip), bicubic, engine="auto")
        frames = work.frames()
        next(frames)
        frames.close()
        work.close()
        assert len(work.meter.seconds["decode"]) < 60

    def test_frames_of_finished_segments_are_passed_over(self, tmp_path: Path) -> None:
        clip = make_clip(tmp_path / "clip.mp4", frames=20, sounds=0)
        with (
            Work(str(clip), bicubic, engine="auto") as work,
            closing(work.frames(skip=16)) as frames,
        ):
            assert [frame.pts for frame in frames] == [Fraction(n, 24) for n in range(16, 20)]


class TestProbe:
    def test_it_says_what_there_is(self, tmp_path: Path) -> None:
        clip = make_clip(
            tmp_path / "clip.mp4",
            sounds=2,
            pix_fmt="yuv420p10le",
            tags={
                "sample_aspect_ratio": Fraction(64, 45),
                "color_range": 2,
                "colorspace": 9,
                "color_primaries": 9,
                "color_trc": 16,
            },
        )
        found = probe(clip)
        assert found["video"] == "h264, 64x48, yuv420p 10 bit"
        assert found["time"].startswith("24.000 frames/s on average, 8 frames, 0.333 s")
        assert found["colour"] == "matrix BT.2020, primaries BT.2020, transfer PQ, full range"
        assert found["shape"] == "samples 64:45, progressive"
        assert found["stream 0"] == "video, h264"
        assert found["stream 2"] == "audio, aac, 48000 Hz, stereo"
        assert "stream 3" not in found

    def test_matroska_says_how_long_it_is(self, tmp_path: Path) -> None:
        clip = make_clip(tmp_path / "clip.mkv", frames=24, sounds=0)
        assert "1.000 s" in probe(clip)["time"]
