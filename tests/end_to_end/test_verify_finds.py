"""What ``verify`` must find in a damaged output, and what it must take for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from support.cli import vidlift
from support.clips import make_clip
from support.shared import shared
from vidlift.errors import VerificationError
from vidlift.frame import Frame, Plane
from vidlift.jobs.upscale import UpscaleOptions, upscale_file
from vidlift.jobs.verify import verify
from vidlift.sinks.file import CODECS, EncoderOptions, FileSink
from vidlift.sources.file import FileSource
from vidlift.video import VideoInfo

Change: TypeAlias = Callable[[list[Frame]], Sequence[Frame]]

pytestmark = pytest.mark.usefixtures("quick_encoders")

FAST = UpscaleOptions(model="bicubic-x2")

INFO = VideoInfo(
    width=64,
    height=48,
    bits=8,
    layout="yuv420p",
    codec="raw",
    time_base=Fraction(1, 24),
    rate=Fraction(24),
)


def _film(where: Path, lumas: Sequence[Plane], *, chroma: tuple[int, int] = (128, 128)) -> Path:
    """A file of these pictures, each of one colour, stored with next to no loss."""
    flat = tuple(np.full((24, 32), code, np.uint8) for code in chroma)
    frames = [
        Frame(planes=(luma, *flat), pts=Fraction(index, 24), duration=Fraction(1, 24))
        for index, luma in enumerate(lumas)
    ]
    return _write(where, INFO, frames, crf=4)


def _write(where: Path, info: VideoInfo, frames: Sequence[Frame], *, crf: int) -> Path:
    with closing(FileSink(where, info, EncoderOptions(crf=crf))) as sink:
        for frame in frames:
            sink.write(frame)
    return where


def _spoilt(output: Path, target: Path, change: Change) -> Path:
    """The output, encoded again after ``change`` was done to its pictures; times stay."""
    with closing(FileSource(output)) as source:
        frames = list(source)
        info = source.info
    changed = [
        replace(frame, pts=was.pts, duration=was.duration)
        for was, frame in zip(frames, change(frames), strict=True)
    ]
    return _write(target, info, changed, crf=18)


def _slow_pan(frames: int = 6) -> list[Plane]:
    """A soft pattern that moves slowly: neighbours are about 30 dB apart."""
    y, x = np.mgrid[:48, :64]
    wave = [np.sin((x + n) / 6) + np.sin(y / 5) for n in range(frames)]
    return [(126 + 50 * each).astype(np.uint8) for each in wave]


def _recoloured(change: Callable[[Plane, Plane], tuple[Plane, Plane]]) -> Change:
    def recolour(frames: list[Frame]) -> list[Frame]:
        return [replace(f, planes=(f.luma, *change(*f.planes[1:]))) for f in frames]

    return recolour


def _order(*numbers: int) -> Change:
    return lambda frames: [frames[number] for number in numbers]


def _black_corner(frames: list[Frame]) -> list[Frame]:
    black = frames[2].luma.copy()
    black[:16, :16] = 16
    return [*frames[:2], replace(frames[2], planes=(black, *frames[2].planes[1:])), *frames[3:]]


SHOTS = (100, 160), (160, 100)
"""U and V of two shots."""


class TestPictures:
    @pytest.fixture
    def made(self, tmp_path: Path) -> tuple[Path, Path]:
        clip = _film(tmp_path / "clip.mp4", _slow_pan(), chroma=(110, 150))
        output = tmp_path / "out.mp4"
        upscale_file(clip, output, FAST)
        return clip, output

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda u, v: (np.full_like(u, 128), np.full_like(v, 128)), id="grey"),
            pytest.param(lambda u, v: (np.full_like(u, 30), np.full_like(v, 30)), id="green"),
            pytest.param(lambda u, v: (v, u), id="U and V swapped"),
            pytest.param(lambda u, v: (u + 8, v), id="tinted"),
        ],
    )
    def test_other_colours(
        self,
        change: Callable[[Plane, Plane], tuple[Plane, Plane]],
        made: tuple[Path, Path],
        tmp_path: Path,
    ) -> None:
        spoilt = _spoilt(made[1], tmp_path / "spoilt.mp4", _recoloured(change))
        with pytest.raises(VerificationError, match=r"frame 0 at 0\.000 s: .*colour"):
            verify(made[0], spoilt)

    def test_colour_of_the_shot_beside_it_is_good_at_a_cut_alone(self, tmp_path: Path) -> None:
        """At the coarsest an encoder takes the last picture's chroma from the next shot."""
        lumas = _slow_pan()
        before, after = (_film(tmp_path / f"{c[0]}.mp4", lumas, chroma=c) for c in SHOTS)
        with closing(FileSource(before)) as first, closing(FileSource(after)) as second:
            clip = _write(tmp_path / "clip.mp4", INFO, [*list(first)[:3], *list(second)[3:]], crf=4)
        output = tmp_path / "out.mp4"
        upscale_file(clip, output, FAST)

        def taken_at(index: int) -> Path:
            def take(frames: list[Frame]) -> list[Frame]:
                taken = (frames[index].luma, *frames[3].planes[1:])
                frames[index] = replace(frames[index], planes=taken)
                return frames

            return _spoilt(output, tmp_path / f"taken_at_{index}.mp4", take)

        verify(clip, taken_at(2))
        with pytest.raises(VerificationError, match=r"frame 1 .*colour"):
            verify(clip, taken_at(1))

    def test_colour_where_there_was_none(self, tmp_path: Path) -> None:
        clip = make_clip(tmp_path / "grey.mkv", codec="ffv1", pix_fmt="gray", frames=2, sounds=0)
        output = tmp_path / "out.mp4"
        upscale_file(clip, output, FAST)
        verify(clip, output)
        tint = _recoloured(lambda u, v: (np.full_like(u, 100), v))
        spoilt = _spoilt(output, tmp_path / "spoilt.mp4", tint)
        with pytest.raises(VerificationError, match="colour"):
            verify(clip, spoilt)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            pytest.param(_order(0, 1, 3, 2, 4, 5), "frame 2 .*is frame 3 of the input", id="swap"),
            pytest.param(
                _order(0, 1, 2, 2, 4, 5), "frame 3 .*is frame 2 of the input", id="double"
            ),
            pytest.param(_order(5, 4, 3, 2, 1, 0), r"frame \d ", id="backwards"),
            pytest.param(_black_corner, r"frame 2 at 0\.083 s: .*brightness", id="black corner"),
        ],
    )
    def test_other_pictures(
        self, change: Change, words: str, made: tuple[Path, Path], tmp_path: Path
    ) -> None:
        spoilt = _spoilt(made[1], tmp_path / "spoilt.mp4", change)
        with pytest.raises(VerificationError, match=words):
            verify(made[0], spoilt)

    @pytest.mark.parametrize(
        ("blocks", "by"), [(2, 55), (3, 60), (4, 65), (4, -65)], ids=["4%", "6%", "8%", "8% dark"]
    )
    def test_damage_of_a_small_part(
        self, blocks: int, by: int, made: tuple[Path, Path], tmp_path: Path
    ) -> None:
        """What is damaged is not to count towards what is taken for coarseness."""

        def damage(frames: list[Frame]) -> list[Frame]:
            luma = frames[2].luma.astype(np.int16)
            # Where the picture is half bright, so that it is not clipped.
            at = 32 if by > 0 else 48
            luma[at : at + 16, : 16 * blocks] += by
            spoilt = luma.clip(0, 255).astype(np.uint8)
            return [
                replace(f, planes=(spoilt, *f.planes[1:])) if n == 2 else f
                for n, f in enumerate(frames)
            ]

        spoilt = _spoilt(made[1], tmp_path / "spoilt.mp4", damage)
        with pytest.raises(VerificationError, match=r"frame 2 .*in one place"):
            verify(made[0], spoilt)

    def test_encoded_again_it_is_still_the_same(
        self, made: tuple[Path, Path], tmp_path: Path
    ) -> None:
        verify(made[0], _spoilt(made[1], tmp_path / "again.mp4", lambda frames: frames))

    def test_the_input_itself_is_not_its_output(self, made: tuple[Path, Path]) -> None:
        with pytest.raises(VerificationError, match=r"1 times as large.*2, 3 or 4"):
            verify(made[0], made[0])
        ended = vidlift("verify", made[0], made[0])
        assert ended.code == 7


FINE: dict[str, Callable[[Any, Any, int], Any]] = {
    "checkerboard": lambda x, y, _n: (x + y) % 2,
    "columns": lambda x, _y, _n: x % 2,
    "rows": lambda _x, y, _n: y % 2,
    "flicker": lambda x, y, n: (x + y + n) % 2,
    "noise": lambda x, _y, n: np.random.default_rng(n).integers(0, 2, x.shape),
}
"""Patterns at the limit of what samples can hold: no network can tell what they are of."""


@pytest.mark.parametrize("model", ["bicubic-x2", "xs-x2", "xs-x3"])
@pytest.mark.parametrize("pattern", list(FINE))
def test_fine_patterns_are_good(pattern: str, model: str, tmp_path: Path) -> None:
    y, x = np.mgrid[:48, :64]
    codes = [16 + 219 * FINE[pattern](x, y, n) for n in range(3)]
    clip = _film(tmp_path / "clip.mp4", [each.astype(np.uint8) for each in codes])
    upscale_file(clip, tmp_path / "out.mp4", UpscaleOptions(model=model))
    verify(clip, tmp_path / "out.mp4")


@pytest.mark.parametrize("codec", list(CODECS))
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuv444p", "rgb24", "gray"])
def test_coarsely_stored_is_good(pix_fmt: str, codec: str, tmp_path: Path) -> None:
    if codec == "av1" and pix_fmt not in ("yuv420p", "gray"):
        pytest.skip("AV1 is written as 4:2:0 only")
    known = {"rgb24": "libx264rgb", "gray": "ffv1"}
    clip = make_clip(
        tmp_path / "clip.mkv",
        codec=known.get(pix_fmt, "libx264"),
        pix_fmt=pix_fmt,
        frames=4,
        width=128,
        height=96,
        sounds=0,
    )
    options = UpscaleOptions(model="xs-x2", encoder=EncoderOptions(codec=codec, crf=35))
    upscale_file(clip, tmp_path / "out.mp4", options)
    verify(clip, tmp_path / "out.mp4")


@pytest.mark.parametrize("codec", list(CODECS))
@pytest.mark.parametrize("file", ["face_av1_aac.mp4", "face_640x428_vfr_bt709_aac.mov"])
def test_a_real_film_as_coarse_as_can_be_is_good(file: str, codec: str, tmp_path: Path) -> None:
    source = shared("data", "real", file)
    encoder = EncoderOptions(codec=codec, crf=CODECS[codec].max_crf)
    upscale_file(source, tmp_path / "out.mp4", UpscaleOptions(model="xs-x2", encoder=encoder))
    verify(source, tmp_path / "out.mp4")
