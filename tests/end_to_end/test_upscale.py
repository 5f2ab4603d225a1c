"""What goes in comes out, bigger: times, tags, streams. ``verify`` is the judge, and is judged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.container import OutputContainer

from support.cli import vidlift
from support.clips import make_clip
from support.files import digest
from support.servers import part_of, scripted
from support.shared import shared
from vidlift.errors import UsageError, VerificationError
from vidlift.jobs.upscale import UpscaleOptions, upscale_file
from vidlift.jobs.verify import verify
from vidlift.sinks.file import CODECS, EncoderOptions

pytestmark = pytest.mark.usefixtures("quick_encoders")

FAST = UpscaleOptions(model="bicubic-x2")

UNEVEN = [Fraction(n, 1000) for n in (0, 40, 41, 120, 500, 1700, 1733, 1734, 1800)]


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize(
    "made",
    [
        pytest.param({}, id="plain"),
        pytest.param({"times": UNEVEN}, id="variable rate"),
        pytest.param({"start": Fraction(10)}, id="starts at ten seconds"),
        pytest.param({"rate": Fraction(30000, 1001)}, id="29.97"),
        pytest.param({"frames": 1, "sounds": 0}, id="one frame"),
        pytest.param({"width": 66, "height": 50}, id="not a multiple of four"),
        pytest.param({"width": 63, "height": 47, "pix_fmt": "yuv444p"}, id="odd"),
        pytest.param({"pix_fmt": "yuv420p10le"}, id="10 bit"),
        pytest.param({"pix_fmt": "yuv422p"}, id="4:2:2"),
        pytest.param({"sounds": 3}, id="three sounds"),
        pytest.param({"tags": {"sample_aspect_ratio": Fraction(64, 45)}}, id="anamorphic"),
        pytest.param(
            {"tags": {"color_range": 2, "colorspace": 5, "color_primaries": 5, "color_trc": 6}},
            id="full range BT.601",
        ),
        pytest.param(
            {
                "pix_fmt": "yuv420p10le",
                "tags": {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 16},
            },
            id="BT.2020 PQ",
        ),
    ],
)
def test_everything_is_kept(container: str, made: dict[str, Any], tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", **made)
    output = tmp_path / f"out.{container}"
    receipt = upscale_file(clip, output, FAST)
    found = verify(clip, output)
    assert found.frames == receipt.frames_out
    assert found.frames == (len(made["times"]) if "times" in made else made.get("frames", 8))
    assert found.scale == 2
    assert found.exact_times == (container == "mp4" or "times" in made)
    assert len(found.streams) == made.get("sounds", 1)
    assert not found.missing


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("codec", list(CODECS))
def test_every_codec_and_scale(codec: str, scale: int, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", pix_fmt="yuv420p10le")
    output = tmp_path / "out.mp4"
    options = UpscaleOptions(
        model=f"bicubic-x{scale}", scale=scale, encoder=EncoderOptions(codec=codec)
    )
    upscale_file(clip, output, options)
    assert verify(clip, output).scale == scale
    with av.open(str(output)) as container:
        video = container.streams.video[0]
        assert video.codec_context.codec.canonical_name == codec
        assert (
            video.codec_context.codec_tag == {"h264": "avc1", "hevc": "hvc1", "av1": "av01"}[codec]
        )
        assert video.codec_context.pix_fmt == "yuv420p10le"


@pytest.mark.parametrize("codec", list(CODECS))
def test_a_shape_that_is_not_square_is_kept(codec: str, tmp_path: Path) -> None:
    shape = {"sample_aspect_ratio": Fraction(4, 3)}
    clip = make_clip(tmp_path / "clip.mp4", tags=shape, sounds=0)
    output = tmp_path / "out.mp4"
    options = UpscaleOptions(model="bicubic-x2", encoder=EncoderOptions(codec=codec))
    upscale_file(clip, output, options)
    verify(clip, output)
    with av.open(str(output)) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_av1_in_matroska_is_refused_where_it_would_lose_the_shape(tmp_path: Path) -> None:
    shape = {"sample_aspect_ratio": Fraction(4, 3)}
    clip = make_clip(tmp_path / "clip.mp4", tags=shape, sounds=0)
    options = UpscaleOptions(model="bicubic-x2", encoder=EncoderOptions(codec="av1"))
    with pytest.raises(UsageError, match=r"4:3.*mp4"):
        upscale_file(clip, tmp_path / "out.mkv", options)
    assert not list(tmp_path.glob("out*"))


REAL = [
    "nasa_two_videos_two_audio_subs.mp4",
    "face_640x428_vfr_bt709_aac.mov",
    "face_ass_ac3.mkv",
    "face_pgs_ac3.mkv",
    "face_srt_ac3.mkv",
    "face_fragmented_bogus_duration.mp4",
    "face_rotate_reflect_aac.mp4",
    "face_av1_aac.mp4",
    "made_bbb_576i25_mpeg2_mp2.ts",
]


@pytest.mark.parametrize("name", REAL)
def test_a_real_file(name: str, tmp_path: Path) -> None:
    source = shared("data", "real", name)
    output = tmp_path / ("out.mkv" if source.suffix == ".mkv" else "out.mp4")
    upscale_file(source, output, FAST)
    verify(source, output)


class TestCompanions:
    def test_chapters_attachments_and_titles_go_along(self, tmp_path: Path) -> None:
        clip = _remux(make_clip(tmp_path / "clip.mkv"), tmp_path / "rich.mkv", _enrich)
        output = tmp_path / "out.mkv"
        receipt = upscale_file(clip, output, FAST)
        verify(clip, output)
        assert not [w for w in receipt.warnings if "left out" in w]
        with av.open(str(output)) as container:
            assert [c["metadata"]["title"] for c in container.chapters()] == ["One", "Two"]
            assert container.metadata["title"] == "A film"
            font = container.streams[-1]
            assert (font.type, font.metadata["filename"]) == ("attachment", "font.ttf")

    def test_what_the_container_cannot_hold_is_named(self, tmp_path: Path) -> None:
        clip = _remux(make_clip(tmp_path / "clip.mkv"), tmp_path / "rich.mkv", _enrich)
        output = tmp_path / "out.mp4"
        ended = vidlift("upscale", clip, output, "-m", "bicubic-x2")
        assert ended.code == 0
        assert "stream 2 (attachment, " in ended.complaint
        assert "left out: mp4 cannot hold it" in ended.complaint
        assert len(verify(clip, output).missing) == 1


def _enrich(out: OutputContainer) -> None:
    out.metadata["title"] = "A film"
    out.add_attachment("font.ttf", "application/x-truetype-font", b"\x00\x01\x00\x00")
    second = Fraction(1, 1000)
    out.set_chapters(
        [
            {"id": 1, "start": 0, "end": 150, "time_base": second, "metadata": {"title": "One"}},
            {"id": 2, "start": 150, "end": 333, "time_base": second, "metadata": {"title": "Two"}},
        ]
    )


def _remux(
    source: Path,
    target: Path,
    prepare: Callable[[OutputContainer], None] = lambda _out: None,
    change: Callable[[Any, int], bool] = lambda _packet, _index: True,
) -> Path:
    """Copy packets; ``change`` is shown each with its number in its stream, and may refuse it."""
    with av.open(str(source)) as entry, av.open(str(target), "w") as out:
        twins = {s.index: out.add_stream_from_template(s) for s in entry.streams}
        prepare(out)
        counts = dict.fromkeys(twins, -1)
        for packet in entry.demux():
            if packet.size:
                counts[packet.stream_index] += 1
                if change(packet, counts[packet.stream_index]):
                    packet.stream = twins[packet.stream_index]
                    out.mux(packet)
    return target


class TestVerify:
    """It finds what is wrong, and says what and where."""

    @pytest.fixture
    def made(self, tmp_path: Path) -> tuple[Path, Path]:
        clip = make_clip(tmp_path / "clip.mp4")
        output = tmp_path / "out.mp4"
        upscale_file(clip, output, FAST)
        return clip, output

    def test_a_frame_less(self, made: tuple[Path, Path], tmp_path: Path) -> None:
        longer = make_clip(tmp_path / "longer.mp4", frames=9)
        with pytest.raises(VerificationError, match="number of frames: the input has more than 8"):
            verify(longer, made[1])

    def test_a_frame_more(self, made: tuple[Path, Path], tmp_path: Path) -> None:
        shorter = make_clip(tmp_path / "shorter.mp4", frames=7)
        with pytest.raises(VerificationError, match="number of frames: the output has more than 7"):
            verify(shorter, made[1])

    def test_a_time(self, made: tuple[Path, Path], tmp_path: Path) -> None:
        times = [Fraction(n, 24) for n in range(8)]
        times[5] += Fraction(1, 24000)
        other = make_clip(tmp_path / "other.mp4", times=times)
        with pytest.raises(VerificationError, match=r"frame 4: duration|frame 5: time"):
            verify(other, made[1])

    def test_a_picture(self, made: tuple[Path, Path], tmp_path: Path) -> None:
        other = make_clip(tmp_path / "other.mp4", frames=16, start=Fraction(0))
        later = _remux(other, tmp_path / "later.mp4", change=_only(8))
        output = tmp_path / "output.mp4"
        upscale_file(later, output, FAST)
        verify(later, output)
        swapped = make_clip(tmp_path / "swapped.mp4", options={"preset": "fast", "crf": "51"})
        with pytest.raises(VerificationError, match=r"frame \d at 0\.\d+ s: scaled down by 2"):
            verify(swapped, output)

    def test_the_size(self, made: tuple[Path, Path], tmp_path: Path) -> None:
        other = make_clip(tmp_path / "other.mp4", width=80)
        with pytest.raises(VerificationError, match="size: 128x96 is not a whole multiple"):
            verify(other, made[1])

    def test_tags(self, made: tuple[Path, Path], tmp_path: Path) -> None:
        other = make_clip(tmp_path / "other.mp4", tags={"colorspace": 1})
        with pytest.raises(VerificationError, match="colour tags: the input has"):
            verify(other, made[1])

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda p, i: p.stream_index == 0 or i != 3, "packet 3"),
            (lambda p, i: _shift(p) if p.stream_index == 1 and i == 3 else True, "packet 3"),
        ],
        ids=["a packet less", "a packet later"],
    )
    def test_the_sound(
        self,
        change: Callable[[Any, int], bool],
        words: str,
        made: tuple[Path, Path],
        tmp_path: Path,
    ) -> None:
        clip, output = made
        changed = _remux(output, tmp_path / "changed.mp4", change=change)
        with pytest.raises(VerificationError, match=rf"stream 1 \(audio, aac\): .*{words}"):
            verify(clip, changed)

    def test_no_sound_at_all(self, made: tuple[Path, Path], tmp_path: Path) -> None:
        mute = make_clip(tmp_path / "mute.mp4", sounds=0)
        with pytest.raises(VerificationError, match="number of other streams"):
            verify(mute, made[1])

    def test_the_command(self, made: tuple[Path, Path], tmp_path: Path) -> None:
        report = tmp_path / "report.json"
        ended = vidlift("verify", *made, "--report", report)
        assert ended.code == 0
        assert "stream 1 (audio, aac), byte for byte" in ended.out
        assert json.loads(report.read_text())["frames"] == 8

    def test_the_command_on_a_difference(self, made: tuple[Path, Path], tmp_path: Path) -> None:
        longer = make_clip(tmp_path / "longer.mp4", frames=9)
        report = tmp_path / "report.json"
        ended = vidlift("verify", longer, made[1], "--report", report)
        assert ended.code == 7
        assert "number of frames" in ended.complaint
        assert json.loads(report.read_text())["verified"] is False


def _shift(packet: Any) -> bool:
    packet.pts += 100
    packet.dts += 100
    return True


def _only(first: int) -> Callable[[Any, int], bool]:
    return lambda packet, index: packet.stream_index != 0 or index < first


class TestJudge:
    """``--sink digest`` compares runs without writing a file."""

    @pytest.fixture
    def clip(self, tmp_path: Path) -> Iterator[Path]:
        yield make_clip(tmp_path / "clip.mp4")
        assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]

    def test_the_same_twice(self, clip: Path) -> None:
        first = vidlift("upscale", clip, "--sink", "digest", "-m", "bicubic-x2")
        assert first.code == 0
        digest = first.out.split()[-1]
        again = vidlift("upscale", clip, "--sink", "digest", "--verify", digest, "-m", "bicubic-x2")
        assert again.code == 0

    def test_another(self, clip: Path) -> None:
        ended = vidlift(
            "upscale", clip, "--sink", "digest", "--verify", "0" * 64, "-m", "bicubic-x2"
        )
        assert ended.code == 7
        assert "digest of 8 frames: expected 000" in ended.complaint

    def test_null(self, clip: Path) -> None:
        ended = vidlift("upscale", clip, "--sink", "null", "-m", "bicubic-x2")
        assert ended.code == 0
        assert "8 in, 8 out" in ended.out


def test_the_receipt_tells_all(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    report = tmp_path / "receipt.json"
    ended = vidlift("upscale", clip, tmp_path / "out.mkv", "-m", "bicubic-x2", "--report", report)
    assert ended.code == 0
    receipt = json.loads(report.read_text())
    assert (receipt["frames_in"], receipt["frames_out"]) == (8, 8)
    assert (receipt["size_in"], receipt["size_out"]) == ([64, 48], [128, 96])
    assert set(receipt["stages"]) == {"decode", "upscale", "encode"}
    assert any("whole milliseconds" in warning for warning in receipt["warnings"])
    assert str(tmp_path) not in report.read_text(), "a receipt may be shown around"


def test_from_a_url(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    content = clip.read_bytes()
    with scripted(lambda asked: [part_of(content, asked)]) as (base, _):
        url = f"{base}/film"  # what it is shows in it alone
        receipt = upscale_file(url, tmp_path / "far.mp4", FAST)
        assert receipt.input == "film"
        verify(url, tmp_path / "far.mp4")
        assert "h264, 64x48" in vidlift("probe", url).out
    upscale_file(clip, tmp_path / "near.mp4", FAST)
    assert digest(tmp_path / "far.mp4") == digest(tmp_path / "near.mp4")
