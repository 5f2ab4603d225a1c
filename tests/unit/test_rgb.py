"""Frames as R'G'B': judged by FFmpeg's own converter, and by colours that are known."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from vidlift.color import ColorTags, Range
from vidlift.frame import Frame
from vidlift.rgb import rgb_of, to_rgb

SIZE = (8, 6)
ROOT = Path(__file__).parents[2]


def flat(y: int, u: int, v: int, *, bits: int = 8, tags: ColorTags | None = None) -> Frame:
    """One colour, 4:2:0."""
    width, height = SIZE
    kind = np.uint8 if bits == 8 else np.uint16
    planes = (
        np.full((height, width), y, kind),
        np.full((height // 2, width // 2), u, kind),
        np.full((height // 2, width // 2), v, kind),
    )
    return Frame(
        planes=planes, pts=Fraction(0), duration=Fraction(1), bits=bits, color=tags or ColorTags()
    )


@pytest.mark.parametrize(
    ("code", "bits", "range_", "grey"),
    [
        (16, 8, Range.STUDIO, 0),
        (235, 8, Range.UNKNOWN, 255),
        (0, 8, Range.FULL, 0),
        (255, 8, Range.FULL, 255),
        (64, 10, Range.STUDIO, 0),
        (940, 10, Range.STUDIO, 255),
        (0, 8, Range.STUDIO, 0),
    ],
)
def test_black_and_white_by_range_and_depth(code: int, bits: int, range_: Range, grey: int) -> None:
    neutral = 128 << (bits - 8)
    rgb = to_rgb(
        flat(code, neutral, neutral, bits=bits, tags=ColorTags(range=range_)), source_height=480
    )
    assert rgb.shape == (SIZE[1], SIZE[0], 3)
    assert (rgb == grey).all()


@pytest.mark.parametrize("matrix", [1, 5, 6, 9])
@pytest.mark.parametrize("range_", [Range.STUDIO, Range.FULL])
def test_colours_agree_with_ffmpeg(matrix: int, range_: Range) -> None:
    rng = np.random.default_rng(matrix)
    for y, u, v in rng.integers(60, 190, (20, 3)):
        frame = flat(y, u, v, tags=ColorTags(matrix=matrix, range=range_))
        picture = av.VideoFrame(*SIZE, "yuv444p")
        for plane, value in zip(picture.planes, (y, u, v), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        wanted = picture.reformat(
            format="rgb24",
            src_colorspace=matrix,
            src_color_range=range_.value,
            dst_color_range=2,
        ).to_ndarray()
        difference = to_rgb(frame, source_height=480).astype(int) - wanted
        assert np.abs(difference).max() <= 2  # its tables are of fewer bits than our floats


def test_an_untagged_picture_takes_its_matrix_from_the_height_of_the_source() -> None:
    frame = flat(100, 90, 200)
    sd, hd = (to_rgb(frame, source_height=height) for height in (480, 1080))
    tagged = {m: flat(100, 90, 200, tags=ColorTags(matrix=m)) for m in (1, 6)}
    assert (sd == to_rgb(tagged[6], source_height=1080)).all()
    assert (hd == to_rgb(tagged[1], source_height=480)).all()
    assert (sd != hd).any()


def test_chroma_sited_left_lies_on_even_columns() -> None:
    width, height = SIZE
    u = np.tile(np.array([100, 140, 100, 140], np.uint8), (height // 2, 1))
    y = np.full((height, width), 128, np.uint8)
    frame = Frame(planes=(y, u, np.full_like(u, 128)), pts=Fraction(0), duration=Fraction(1))
    blue = to_rgb(frame, source_height=480)[2, :, 2].astype(int)
    assert blue[0] == blue[4]
    assert blue[2] == blue[6]
    assert abs(blue[1] - (blue[0] + blue[2]) / 2) <= 1  # half-way between its neighbours


def test_grey_has_no_colour() -> None:
    y = np.arange(48, dtype=np.uint8).reshape(6, 8) + 60
    rgb = to_rgb(Frame(planes=(y,), pts=Fraction(0), duration=Fraction(1)), source_height=480)
    assert (rgb == rgb[..., :1]).all()


@pytest.mark.parametrize(("ending", "kind"), [("png", np.uint16), ("tif", np.int32)])
def test_a_grey_picture_of_16_bits_keeps_its_light(
    ending: str, kind: type[np.integer], tmp_path: Path
) -> None:
    ramp = np.linspace(0, 65535, 256).astype(kind)
    where = tmp_path / f"ramp.{ending}"
    Image.fromarray(np.tile(ramp, (4, 1))).save(where)
    with Image.open(where) as image:
        rgb = np.asarray(rgb_of(image))
    assert (rgb == (ramp >> 8)[:, None]).all()


def test_white_of_floating_point_is_not_known() -> None:
    with pytest.raises(ValueError, match="floating point"):
        rgb_of(Image.fromarray(np.ones((2, 2), np.float32)))


def test_nothing_else_lets_pillow_make_rgb() -> None:
    """It cuts off whatever is above 255: most of a grey picture of 16 bits would be white."""
    files = [f for place in ("src", "examples", "benchmarks") for f in (ROOT / place).rglob("*.py")]
    found = [path.name for path in files if 'convert("RGB")' in path.read_text()]
    assert found == ["rgb.py"]
