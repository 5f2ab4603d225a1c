"""From files as they come to frames: formats, tags, sizes, fields, damage."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import ExifTags, Image

from support.clips import make_clip
from vidlift.color import ColorTags, Range, Siting
from vidlift.errors import InputError
from vidlift.frame import Frame
from vidlift.sources.file import FileSource
from vidlift.sources.formats import FORMATS, nearest_format
from vidlift.video import VideoInfo

FFV1: dict[str, Any] = {"codec": "ffv1", "options": {"level": "3"}, "sounds": 0}


def read(where: Path) -> tuple[VideoInfo, list[Frame], dict[str, int]]:
    with closing(FileSource(where)) as source:
        return source.info, list(source), dict(source.lost)


class TestFormats:
    @pytest.mark.parametrize(
        ("fmt", "wanted"),
        [
            ("yuv420p", "yuv420p"),
            ("yuvj422p", "yuvj422p"),
            ("yuv420p10le", "yuv420p10le"),
            ("yuv420p10be", "yuv420p10le"),
            ("yuv420p12le", "yuv420p10le"),
            ("yuv422p16le", "yuv422p10le"),
            ("yuv440p", "yuv420p"),
            ("yuv411p", "yuv422p"),
            ("yuv410p", "yuv420p"),
            ("nv12", "yuv420p"),
            ("p010le", "yuv420p10le"),
            ("yuyv422", "yuv422p"),
            ("yuva420p", "yuv420p"),
            ("yuva444p12le", "yuv444p10le"),
            ("gray12le", "gray10le"),
            ("ya8", "gray"),
            ("monow", "gray"),
            ("rgb24", "yuv444p"),
            ("bgra", "yuv444p"),
            ("gbrp10le", "yuv444p10le"),
            ("pal8", "yuv444p"),
        ],
    )
    def test_the_nearest_one_is_taken(self, fmt: str, wanted: str) -> None:
        assert nearest_format(av.VideoFormat(fmt, 64, 64)) == wanted

    @pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 9)])
    @pytest.mark.parametrize("mode", ["RGB", "L"])
    def test_a_picture_one_sample_across_or_down(
        self, size: tuple[int, int], mode: str, tmp_path: Path
    ) -> None:
        where = tmp_path / "thin.jpg"
        Image.new(mode, size, 90 if mode == "L" else (90, 30, 200)).save(where, subsampling="4:2:0")
        info, (frame,), _ = read(where)
        assert frame.size == (info.width, info.height) == size
        layout = "gray" if mode == "L" else "yuv420p" if min(size) > 1 else "yuv444p"
        assert frame.layout == info.layout == layout
        if mode == "RGB":
            assert info.color.range is frame.color.range is Range.FULL

    def test_every_format_has_one(self) -> None:
        names: set[str] = av.video.format.names  # type: ignore[attr-defined]
        for name in names:
            fmt = av.VideoFormat(name, 64, 64)
            if fmt.components:  # those of graphics cards have none
                assert nearest_format(fmt) in FORMATS

    @pytest.mark.parametrize("pix_fmt", ["yuv420p12le", "yuv422p12le", "yuv444p16le"])
    def test_depths_above_ten_become_ten(self, tmp_path: Path, pix_fmt: str) -> None:
        info, frames, _ = read(make_clip(tmp_path / "a.mkv", pix_fmt=pix_fmt, **FFV1))
        assert info.bits == 10
        # The zone plate spans studio range; dither moves a value by one.
        assert abs(int(frames[0].luma.max()) - 235 * 4) <= 4
        assert abs(int(frames[0].luma.min()) - 17 * 4) <= 4

    def test_transparency_is_left_out(self, tmp_path: Path) -> None:
        info, frames, _ = read(make_clip(tmp_path / "a.mkv", pix_fmt="yuva420p", **FFV1))
        assert (info.layout, len(frames[0].planes)) == ("yuv420p", 3)


class TestTags:
    @pytest.mark.parametrize("deep", [False, True])
    def test_they_are_carried_as_they_are(self, tmp_path: Path, deep: bool) -> None:
        tags = {"colorspace": 5, "color_primaries": 5, "color_trc": 6, "color_range": 2}
        pix_fmt = "yuv420p12le" if deep else "yuv420p"
        info, frames, _ = read(make_clip(tmp_path / "a.mkv", pix_fmt=pix_fmt, tags=tags, **FFV1))
        wanted = ColorTags(matrix=5, primaries=5, transfer=6, range=Range.FULL)
        assert info.color == wanted
        assert {frame.color for frame in frames} == {wanted}

    def test_a_full_range_format_says_so(self, tmp_path: Path) -> None:
        where = make_clip(
            tmp_path / "a.mkv", codec="mjpeg", pix_fmt="yuvj420p", sounds=0, options={"q": "2"}
        )
        info, frames, _ = read(where)
        assert info.color.range is frames[0].color.range is Range.FULL
        assert info.siting is Siting.CENTER

    @pytest.mark.parametrize("tags", [{}, {"colorspace": 0, "color_range": 2}])
    def test_rgb_becomes_what_its_tags_say(self, tmp_path: Path, tags: dict[str, int]) -> None:
        where = _red(tmp_path / "red.mkv", tags)
        info, frames, _ = read(where)
        assert info.color.matrix == frames[0].color.matrix == 1
        assert info.color.range is frames[0].color.range is Range.STUDIO
        # Red in BT.709, studio range.
        assert [int(plane[8, 8]) for plane in frames[0].planes] == [63, 102, 240]

    def test_a_grey_picture_is_not_of_the_matrix_of_rgb(self, tmp_path: Path) -> None:
        Image.new("L", (32, 32), 90).save(tmp_path / "grey.png")
        info, frames, _ = read(tmp_path / "grey.png")
        assert info.color.matrix == frames[0].color.matrix == 2
        assert info.layout == "gray"

    @pytest.mark.parametrize("kind", ["jpg", "tiff", "png"])
    @pytest.mark.parametrize("mode", ["L", "I;16"])
    def test_a_grey_picture_is_of_full_range(self, tmp_path: Path, kind: str, mode: str) -> None:
        if (kind, mode) == ("jpg", "I;16"):
            pytest.skip("JPEG has 8 bits")
        where = tmp_path / f"grey.{kind}"
        Image.new(mode, (32, 32), 90).save(where)
        info, frames, _ = read(where)
        assert info.color.range is frames[0].color.range is Range.FULL

    @pytest.mark.parametrize("kind", ["jpg", "png", "tiff"])
    def test_what_a_camera_notes_hides_nothing(self, tmp_path: Path, kind: str) -> None:
        notes = Image.Exif()
        notes[ExifTags.Base.Orientation] = 6
        where = tmp_path / f"photo.{kind}"
        Image.new("RGB", (32, 16), (200, 0, 0)).save(where, exif=notes)
        info, frames, _ = read(where)
        assert frames[0].size == (32, 16)
        assert info.display_matrix is not None or kind != "jpg", "taken upright"


class TestTimes:
    def test_pictures_of_avi_keep_their_order_and_number(self, tmp_path: Path) -> None:
        frames, options = 40, {"preset": "fast", "bf": "2"}
        shown = read(make_clip(tmp_path / "a.mp4", frames=frames, sounds=0, options=options))[1]
        where = make_clip(tmp_path / "a.avi", frames=frames, sounds=0, options=options)
        _, found, lost = read(where)
        assert (len(found), lost) == (frames, {})
        assert {b.pts - a.pts for a, b in pairwise(found)} == {Fraction(1, 24)}
        for frame, wanted in zip(found, shown, strict=True):
            assert np.array_equal(frame.luma, wanted.luma)


class TestChangesOnTheWay:
    def test_pictures_of_another_size_become_the_size_of_the_first(self, tmp_path: Path) -> None:
        first = make_clip(tmp_path / "1.ts", frames=4, width=64, height=48, sounds=0)
        then = make_clip(
            tmp_path / "2.ts", frames=4, width=96, height=80, start=Fraction(1), sounds=0
        )
        both = tmp_path / "both.ts"
        both.write_bytes(first.read_bytes() + then.read_bytes())
        info, frames, lost = read(both)
        assert {frame.size for frame in frames} == {(64, 48)} == {(info.width, info.height)}
        assert (len(frames), lost) == (8, {})

    def test_fields_are_woven_wherever_they_begin(self, tmp_path: Path) -> None:
        options = {"preset": "fast", "x264-params": "tff=1"}
        whole = make_clip(tmp_path / "1.ts", frames=4, sounds=0)
        fields = make_clip(
            tmp_path / "2.ts", frames=4, sounds=0, start=Fraction(1), options=options
        )
        both = tmp_path / "both.ts"
        both.write_bytes(whole.read_bytes() + fields.read_bytes())
        for where, interlaced in ((fields, True), (both, False)):
            with av.open(str(where)) as container:
                plain = [picture.to_ndarray() for picture in container.decode(video=0)]
            info, frames, lost = read(where)
            assert (info.interlaced, lost) == (interlaced, {})
            assert len(frames) == len(plain)
            rows = plain[-2][:48]
            assert not np.array_equal(frames[-2].luma, rows), "bwdif changes one field's rows"


class TestDamage:
    def test_a_file_cut_short_gives_what_was_there(self, tmp_path: Path) -> None:
        options = {"preset": "fast", "x264-params": "bframes=3:rc-lookahead=5"}
        whole = make_clip(tmp_path / "a.mkv", frames=40, sounds=0, options=options)
        cut = tmp_path / "cut.mkv"
        cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 5])
        _, frames, _ = read(cut)
        _, wanted, _ = read(whole)
        assert 10 < len(frames) < 40
        for frame, before in zip(frames, wanted, strict=False):
            assert frame.pts == before.pts

    def test_damaged_packets_are_passed_over_and_counted(self, tmp_path: Path) -> None:
        whole = make_clip(tmp_path / "a.avi", frames=12, sounds=0, codec="ffv1", options={})
        data = bytearray(whole.read_bytes())
        for begin in range(len(data) // 3, len(data) // 2, 97):
            data[begin] ^= 0x5A
        damaged = tmp_path / "damaged.avi"
        damaged.write_bytes(data)
        _, frames, _ = read(damaged)
        assert frames

    def test_no_picture_at_all(self, tmp_path: Path) -> None:
        whole = make_clip(tmp_path / "a.mkv", sounds=0)
        data = bytearray(whole.read_bytes())
        start = data.index(b"\x1f\x43\xb6\x75")  # the first cluster of Matroska
        data[start + 30 :] = bytes(len(data) - start - 30)
        (tmp_path / "b.mkv").write_bytes(data)
        with pytest.raises(InputError, match="no picture of its video can be decoded"):
            FileSource(tmp_path / "b.mkv")


class TestRefusals:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"no file .*gone\.mp4"):
            FileSource(tmp_path / "gone.mp4")

    def test_a_name_that_is_too_long(self) -> None:
        with pytest.raises(InputError, match="too long"):
            FileSource(Path("x" * 300))

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="is not a file"):
            FileSource(tmp_path)

    def test_text_named_as_a_video(self, tmp_path: Path) -> None:
        (tmp_path / "a.mp4").write_text("This is no video.\n" * 100)
        with pytest.raises(InputError, match="is not a video that can be read"):
            FileSource(tmp_path / "a.mp4")

    def test_an_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.mp4").touch()
        with pytest.raises(InputError, match="is not a video that can be read"):
            FileSource(tmp_path / "a.mp4")

    def test_sound_alone(self, tmp_path: Path) -> None:
        with av.open(str(tmp_path / "a.m4a"), "w") as container:
            track: Any = container.add_stream("aac", rate=48000)
            chunk = av.AudioFrame.from_ndarray(
                np.zeros((2, 1024), np.float32), format="fltp", layout="stereo"
            )
            chunk.sample_rate = 48000
            container.mux(track.encode(chunk))
            container.mux(track.encode(None))
        with pytest.raises(InputError, match="holds no video stream, only audio"):
            FileSource(tmp_path / "a.m4a")

    def test_a_name_of_its_own_is_what_errors_say(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no file the clip"):
            FileSource(tmp_path / "gone.mp4", name="the clip")


def _red(where: Path, tags: dict[str, int]) -> Path:
    with av.open(str(where), "w") as container:
        stream: Any = container.add_stream("libx264rgb", rate=24, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 16, 16, "rgb24"
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        red = np.full((16, 16, 3), (255, 0, 0), np.uint8)
        picture = av.VideoFrame.from_ndarray(red, format="rgb24")
        for index in range(2):
            picture.pts = index
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return where


@pytest.mark.parametrize("crf", [15, 30, 45])
def test_how_coarsely_the_first_picture_of_h264_was_stored(tmp_path: Path, crf: int) -> None:
    options = {"crf": str(crf), "x264-params": "aq-mode=0:mbtree=0:ipratio=1"}
    clip = make_clip(tmp_path / "clip.mkv", sounds=0, options=options)
    with closing(FileSource(clip)) as source:
        assert source.info.quantizer == pytest.approx(crf, abs=1)


@pytest.mark.parametrize("codec", ["mpeg4", "ffv1", "libx265", "libvpx-vp9"])
def test_other_codecs_tell_no_quantiser(tmp_path: Path, codec: str) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {"threads": "1"}
    clip = make_clip(tmp_path / "clip.mkv", sounds=0, codec=codec, options=options)
    with closing(FileSource(clip)) as source:
        assert source.info.quantizer is None
