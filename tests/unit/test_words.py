"""Tier 0: errors, frames, colour tags, descriptors; and the face of the package."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import MISSING, FrozenInstanceError, fields, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vidlift
from support.frames import make_frame
from support.shared import ROOT
from vidlift import errors
from vidlift.color import MATRIX_WEIGHTS, ColorTags, matrix_for_display
from vidlift.descriptor import KINDS, MAX_MULTIPLE, PADDINGS, SCALES, Descriptor
from vidlift.errors import ModelError, VidliftError
from vidlift.frame import SUBSAMPLED, Frame


def all_errors(root: type[VidliftError] = VidliftError) -> Iterator[type[VidliftError]]:
    yield root
    for below in root.__subclasses__():
        yield from all_errors(below)


class TestErrors:
    def test_the_drawing_is_the_tree(self) -> None:
        drawn = re.findall(r"── (\w+) +(\d)", errors.__doc__ or "")
        there = [
            (error.__name__, str(error.exit_code))
            for error in VidliftError.__subclasses__()
            if error.__module__ == errors.__name__
        ]
        assert drawn == there

    def test_each_has_an_exit_code_of_its_own(self) -> None:
        codes = [error.exit_code for error in VidliftError.__subclasses__()]
        assert sorted(set(codes)) == [2, 3, 4, 5, 6, 7]

    def test_wrong_use_is_a_value_error_too(self) -> None:
        with pytest.raises(ValueError, match="scale"):
            raise errors.UsageError("scale 5")


class TestFrame:
    @pytest.mark.parametrize("layout", ["gray", *SUBSAMPLED])
    @pytest.mark.parametrize("size", [(32, 24), (33, 25)])
    def test_the_layout_is_told_from_the_planes(self, layout: str, size: tuple[int, int]) -> None:
        frame = make_frame(size=size, layout=layout)
        assert (frame.layout, frame.size) == (layout, size)

    @pytest.mark.parametrize(
        ("planes", "bits", "message"),
        [
            ([(24, 32), (12, 16)], 8, "1 plane .grey. or 3"),
            ([(24, 32)], 12, "8 or 10 bits a sample, got 12"),
            ([(24, 32)], 10, "a plane of 10 bits is uint16"),
            ([(24, 32, 1)], 8, r"uint8 \[H, W\], got uint8 \[24, 32, 1\]"),
            ([(24, 32), (12, 16), (24, 32)], 8, "chroma planes are alike"),
            ([(24, 32), (8, 16), (8, 16)], 8, "chroma planes are alike"),
            ([(24, 32), (12, 32), (12, 32)], 8, "chroma planes are alike"),
        ],
    )
    def test_what_is_no_frame_is_refused(
        self, planes: list[tuple[int, ...]], bits: int, message: str
    ) -> None:
        arrays = tuple(np.zeros(shape, np.uint8) for shape in planes)
        with pytest.raises(ValueError, match=message):
            Frame(planes=arrays, pts=Fraction(0), duration=Fraction(0), bits=bits)

    def test_it_shows_its_shape_not_its_samples(self) -> None:
        wanted = "Frame(32x24 yuv420p 8 bit, pts=1/2, duration=1/24)"
        assert repr(make_frame(Fraction(1, 2))) == wanted

    def test_it_does_not_change(self) -> None:
        with pytest.raises(FrozenInstanceError):
            make_frame().pts = Fraction(1)  # type: ignore[misc]


class TestColor:
    @pytest.mark.parametrize("matrix", MATRIX_WEIGHTS)
    def test_a_tag_is_believed(self, matrix: int) -> None:
        assert matrix_for_display(ColorTags(matrix=matrix), height=10) == matrix

    @pytest.mark.parametrize(("height", "matrix"), [(480, 6), (576, 6), (577, 1), (1080, 1)])
    def test_without_one_the_height_tells(self, height: int, matrix: int) -> None:
        assert matrix_for_display(ColorTags(), height=height) == matrix


words = st.text(st.characters(codec="utf-8"), min_size=1)
descriptors = st.builds(
    Descriptor,
    name=words,
    tier=st.sampled_from(KINDS),
    scale=st.sampled_from(SCALES),
    padding=st.sampled_from(PADDINGS),
    multiple_of=st.integers(1, MAX_MULTIPLE),
    architecture=words,
    training_data=words,
    version=words,
    licence=words,
)
PLAIN = Descriptor(
    name="m-x2",
    tier="m",
    scale=2,
    architecture="plain",
    training_data="none",
    version="1",
    licence="Apache-2.0",
)


class TestDescriptor:
    @given(descriptors)
    def test_metadata_keep_it(self, descriptor: Descriptor) -> None:
        assert Descriptor.from_metadata(descriptor.to_metadata(), where="x.onnx") == descriptor

    @pytest.mark.parametrize(
        "key", [f"vidlift.{f.name}" for f in fields(Descriptor) if f.default is MISSING]
    )
    def test_what_is_missing_is_named(self, key: str) -> None:
        metadata = PLAIN.to_metadata()
        del metadata[key]
        with pytest.raises(ModelError, match=rf"x\.onnx is an ONNX file but .* lacks {key};"):
            Descriptor.from_metadata(metadata, where="x.onnx")

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("scale", "5", "scale 5 is none of 2, 3, 4"),
            ("scale", "two", "scale 'two' is not a number"),
            ("multiple_of", "0", "sides are multiples of 1 to 8, not 0"),
            ("tier", "z", "tier 'z' is none of s, m, l, xl, kernel"),
            ("range", "full", "luma range 'full' is not 'code'"),
            ("padding", "mirror", "padding 'mirror' is none of zero, edge"),
        ],
    )
    def test_what_is_wrong_is_told(self, key: str, value: str, message: str) -> None:
        with pytest.raises(ModelError, match=message):
            Descriptor.from_metadata(
                {**PLAIN.to_metadata(), f"vidlift.{key}": value}, where="x.onnx"
            )

    def test_it_is_checked_when_changed(self) -> None:
        with pytest.raises(ModelError):
            replace(PLAIN, scale=1)


class TestFace:
    def test_importing_it_loads_nothing_from_outside(self) -> None:
        show = "import sys, vidlift; print(*{name.split('.')[0] for name in sys.modules})"
        loaded = subprocess.run(
            [sys.executable, "-I", "-c", show], check=True, capture_output=True, text=True
        ).stdout.split()
        bare = subprocess.run(
            [sys.executable, "-I", "-c", show.replace(", vidlift", "")],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        outside = set(loaded) - set(bare) - sys.stdlib_module_names
        assert outside == {"vidlift"}

    @pytest.mark.parametrize("name", ["Upscaler", "upscale_file"])
    def test_its_names_load_neither_torch_nor_an_engine_nor_sdl(self, name: str) -> None:
        show = f"import sys, vidlift; vidlift.{name}; print(*sys.modules)"
        loaded = subprocess.run(
            [sys.executable, "-I", "-c", show], check=True, capture_output=True, text=True
        ).stdout.split()
        assert not {"torch", "openvino", "onnxruntime", "sdl2"} & set(loaded)

    @pytest.mark.parametrize("name", vidlift.__all__)
    def test_each_name_is_there(self, name: str) -> None:
        assert getattr(vidlift, name) is not None
        assert name in dir(vidlift)

    def test_any_other_is_not(self) -> None:
        with pytest.raises(AttributeError, match="module 'vidlift' has no attribute 'Downscaler'"):
            _ = vidlift.Downscaler

    def test_the_changelog_begins_with_the_version(self) -> None:
        text = (ROOT / "CHANGELOG.md").read_text()
        found = re.search(r"^## (\S+)", text, re.MULTILINE)
        assert found is not None
        assert found[1] == vidlift.__version__
