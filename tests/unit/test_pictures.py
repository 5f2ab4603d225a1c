"""The protocol for still pictures gives the published figures."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.peers import protocol
from support.shared import shared
from vidlift import models, resample
from vidlift.engines import open_engine
from vidlift.errors import InputError
from vidlift.evaluation import pictures

PUBLISHED = {
    (2, "Set5"): (33.67, 0.9303),
    (3, "Set5"): (30.40, 0.8689),
    (4, "Set5"): (28.43, 0.8111),
    (2, "Set14"): (30.32, 0.8699),
    (3, "Set14"): (27.63, 0.7759),
    (4, "Set14"): (26.09, 0.7048),
}
"""Bicubic interpolation: PSNR and SSIM by scale and set."""


@pytest.mark.parametrize(("scale", "name"), PUBLISHED)
def test_bicubic_has_its_published_figures(scale: int, name: str) -> None:
    found = pictures.score(pictures.bicubic(scale), shared("data", "test", name), scale=scale)
    assert (round(found.psnr, 2), round(found.ssim, 4)) == PUBLISHED[scale, name]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_resampler_is_the_published_one_to_the_bit(scale: int) -> None:
    judge = protocol()
    random = np.random.default_rng(scale)
    for _ in range(8):
        height, width = (int(side) * scale for side in random.integers(4, 40, 2))
        plane = random.integers(0, 256, (height, width), dtype=np.uint8)
        small = resample.resize(plane, (width // scale, height // scale))
        np.testing.assert_array_equal(small, judge.imresize(plane, 1 / scale))
        large = resample.resize(plane, (width * scale, height * scale))
        np.testing.assert_array_equal(large, judge.imresize(plane, scale))


def test_luma_is_the_published_one() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    np.testing.assert_allclose(pictures.studio_luma(rgb), protocol().rgb2y(rgb), atol=1e-9)


def test_luma_has_the_ends_of_studio_range() -> None:
    ends = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    np.testing.assert_allclose(pictures.studio_luma(ends), [[16, 235]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    for name, size in (("b.png", (50, 67, 3)), ("a.png", (49, 52))):
        Image.fromarray(random.integers(0, 256, size, dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_pictures_are_cropped_and_shrunk(folder: Path) -> None:
    grey, coloured = pictures.cases(folder, 3)
    assert (grey.name, grey.low.shape, grey.luma.shape) == ("a.png", (16, 17, 3), (48, 51))
    assert (coloured.low.shape, coloured.luma.shape) == ((16, 22, 3), (48, 66))


def test_a_model_gives_rounded_luma_and_is_compared_unrounded(folder: Path) -> None:
    with_engine = open_engine(models.load("bicubic-x2"), engine="onnxruntime", threads=1)
    taken = pictures.through(partial(with_engine.run, bits=16))(pictures.cases(folder, 2)[0].low)
    np.testing.assert_array_equal(taken, np.rint(taken))
    through_engine = pictures.score(with_engine, folder, scale=2)
    published = pictures.score(pictures.bicubic(2), folder, scale=2)
    with_engine.close()
    # Luma instead of rounded RGB, borders repeated instead of mirrored.
    assert through_engine.psnr == pytest.approx(published.psnr, abs=0.15)
    assert through_engine.pictures == published.pictures == 2


def test_a_folder_without_pictures_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures in"):
        pictures.score(pictures.bicubic(2), tmp_path, scale=2)


def test_a_broken_picture_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(InputError, match=r"broken\.png"):
        pictures.score(pictures.bicubic(2), tmp_path, scale=2)


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_samples_of_more_than_8_bits_are_refused(kind: type, tmp_path: Path) -> None:
    """Pillow would cut them off at 255, and what is all white is measured without any error."""
    noise = np.random.default_rng(0).integers(0, 65536, (32, 32))
    Image.fromarray(noise.astype(kind)).save(tmp_path / "deep.tiff")
    with pytest.raises(InputError, match=r"deep\.tiff has samples of 16 bits"):
        pictures.score(pictures.bicubic(2), tmp_path, scale=2)
