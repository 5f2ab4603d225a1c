"""Prove that one file is the other, super-resolved: every frame, every time, every other stream.

A picture is compared scaled down again, and in blocks of about 8 samples each way. How much a
block may differ follows from what is in it: the finer its pattern, the less of it is left after
any network and back, while the mean of its samples stays.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import zip_longest
from math import inf, log10
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vidlift.color import ColorTags, Range
from vidlift.descriptor import SCALES
from vidlift.errors import VerificationError
from vidlift.frame import Frame, Plane, chroma_shape
from vidlift.jobs.agree import agree, same_time, to_tick
from vidlift.jobs.companions import same_companions
from vidlift.jobs.progress import Progress, Report, estimate_frames, silent
from vidlift.jobs.work import scaled
from vidlift.resample import quick_resize
from vidlift.sources import opened_bytes, shown_name
from vidlift.sources.file import FileSource
from vidlift.video import VideoInfo

Samples: TypeAlias = NDArray[np.float32]
"""A plane of samples, or of something for each block, from 0 to 255 whatever the depth."""

MIN_PSNR = 20.0
"""A frame whose down-scaled luma is further than this from the input's, in dB, is another frame,
``FINE`` apart. Encoding at ordinary quality leaves 40 dB and more, at the coarsest 23."""

FINE = 0.75
"""The part of the input's variance within blocks that may be lost besides. Bicubic, there and
back, takes 0.6 of a checkerboard's; another picture differs by more than all of it."""

BLOCK = 8
"""Samples each way of a block, about: a plane is divided evenly."""

SWAY = 0.25
"""How far a block's mean may stray in any case, in standard deviations of the block: of fine
lines, networks make thicker or thinner ones."""

LIMITS = {"Y": (32.0, 16.0), "U": (16.0, 6.0), "V": (16.0, 6.0)}
"""How far means of blocks may stray beyond ``SWAY``, of 255: in one block, and as root mean square
of all. ``COARSE`` and ``CONTRAST`` are added. Encoding at ordinary quality leaves 1 and 0.1; of
real films, the coarsest leaves 81 and 14 for Y, 19 and 5 for U and V."""

COARSE = 16
"""How many times the mean distance of all blocks one may stray more, each counted up to half of
the limit, so that damage makes no room for itself. Encoding at the coarsest needs 11."""

CONTRAST = 0.125
"""How many times the plane's standard deviation all of it may stray more."""

CHANGE = 16.0
"""Mean square of the difference between neighbouring frames, of 255, from which on they can be
told apart. A coarse encoder may leave out what changes less, as in a slow fade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found to agree."""

    frames: int
    scale: int
    exact_times: bool
    """False where the output's container rounds times, and they agree after rounding."""

    min_psnr: float
    mean_psnr: float
    """Of the output's luma, scaled down, against the input's; dB."""

    streams: tuple[str, ...]
    """What was compared packet by packet, a line each."""

    missing: tuple[str, ...]
    """Streams of the input that the output's container cannot hold."""


def verify(source: str | Path, output: str | Path, *, report: Report = silent) -> Verification:
    """Compare a super-resolved file with its input. Raises ``VerificationError`` at the first
    difference, ``InputError`` where either cannot be read."""
    with (
        opened_bytes(str(source)) as entry,
        closing(FileSource(entry, name=shown_name(str(source)))) as old,
        closing(FileSource(output)) as new,
    ):
        scale = _same_stream(old.info, new.info)
        psnrs, exact, later = _same_frames(old, new, scale, report)
    streams, missing = same_companions(source, Path(output), later)
    finite = [value for value in psnrs if value < inf]
    return Verification(
        frames=len(psnrs),
        scale=scale,
        exact_times=exact,
        min_psnr=min(psnrs),
        mean_psnr=sum(finite) / len(finite) if finite else inf,
        streams=tuple(streams),
        missing=tuple(missing),
    )


def _same_stream(old: VideoInfo, new: VideoInfo) -> int:
    scale = new.width // old.width
    if scale < 1 or (new.width, new.height) != (old.width * scale, old.height * scale):
        raise VerificationError(
            f"size: {new.width}x{new.height} is not a whole multiple of {old.width}x{old.height}"
        )
    if scale not in SCALES:
        raise VerificationError(
            f"size: {new.width}x{new.height} is {scale} times as large as the input, "
            "and what is super-resolved is 2, 3 or 4 times as large"
        )
    wanted = scaled(old, scale)
    agree("bits a sample", wanted.bits, new.bits)
    agree("sample aspect ratio", wanted.sar, new.sar)
    agree("colour tags", _said(wanted.color), _said(new.color))
    agree("rotation", wanted.display_matrix, new.display_matrix)
    agree("mastering display", wanted.mastering, new.mastering)
    agree("content light level", wanted.light, new.light)
    return scale


def _said(tags: ColorTags) -> ColorTags:
    """Tags with the range spelt out: codecs leave "studio" unsaid, for it is what silence means."""
    return replace(tags, range=Range.STUDIO) if tags.range is Range.UNKNOWN else tags


def _same_frames(
    old: FileSource, new: FileSource, scale: int, report: Report
) -> tuple[list[float], bool, Fraction]:
    """Returns the PSNR of each, whether all times are the same, and how much later they are."""
    tick, later = new.info.time_base, Fraction(0)
    exact, total = True, estimate_frames(old.info)
    psnrs: list[float] = []
    earlier: _Couple | None = None
    before: _Couple | None = None
    for index, (a, b) in enumerate(zip_longest(old, new)):
        if a is None or b is None:
            longer = "output" if a is None else "input"
            raise VerificationError(f"number of frames: the {longer} has more than {index}")
        if index == 0:
            later = _later(a, b)
        exact = exact and (a.pts, a.duration) == (b.pts, b.duration)
        a = replace(a, pts=a.pts + later)
        same_time(f"frame {index}: time", a.pts, b.pts, tick, slack=tick if later else 0)
        here = _Couple(index, a, b)
        if before is not None:
            _same_duration(before, tick)
            _same_colour(before, earlier, here)
            _not_each_other(before, here)
        psnrs.append(_same_picture(here, scale))
        report(Progress(done=index + 1, resumed=0, total=total, bytes=0))
        earlier, before = before, here
    if before is not None:
        _same_duration(before, tick, last=True)
        _same_colour(before, earlier, None)
    return psnrs, exact, later


def _later(a: Frame, b: Frame) -> Fraction:
    """How much later all of the output is: for an input that begins before zero, it may be."""
    return b.pts - a.pts if a.pts < 0 <= b.pts else Fraction(0)


class _Couple:
    """A frame of the input and that of the output, scaled down; samples run from 0 to 255."""

    def __init__(self, index: int, a: Frame, b: Frame) -> None:
        self.name = f"frame {index} at {float(a.pts):.3f} s"
        self.index = index
        self.wanted, self.came = a, b
        self.small = [_samples(plane, a.bits) for plane in _planes(a)]
        self.big = [
            _samples(quick_resize(plane, (like.shape[1], like.shape[0])), b.bits)
            for plane, like in zip(_planes(b), self.small, strict=True)
        ]


def _planes(frame: Frame) -> tuple[Plane, ...]:
    """Y, U and V; a grey frame has the chroma that it is encoded with."""
    if len(frame.planes) == 3:
        return frame.planes
    neutral = np.full(chroma_shape(frame.luma.shape, "yuv420p"), 1 << (frame.bits - 1))
    return (frame.luma, *[neutral.astype(frame.luma.dtype)] * 2)


def _samples(plane: Plane, bits: int) -> Samples:
    samples: Samples = plane.astype(np.float32) / np.float32(1 << (bits - 8))
    return samples


def _same_picture(couple: _Couple, scale: int) -> float:
    """Raises for another picture; returns the PSNR of the luma."""
    wanted, came = couple.small[0], couple.big[0]
    error, fine = _square(wanted, came), float(np.mean(_variances(wanted)))
    psnr = 10 * log10(255**2 / error) if error else inf
    if error > 255**2 / 10 ** (MIN_PSNR / 10) + FINE * fine:
        raise VerificationError(
            f"{couple.name}: scaled down by {scale} it is {psnr:.2f} dB from the input's, "
            f"less than {MIN_PSNR:.0f}"
        )
    _same_means(couple, 0)
    return psnr


def _same_colour(couple: _Couple, before: _Couple | None, after: _Couple | None) -> None:
    """Chroma may lie between its own and a neighbour's of the input: beside a cut, the coarsest
    encoding keeps some that it foretold from the other shot."""
    neighbours = [each for each in (before, after) if each is not None]
    for index in (1, 2):
        _same_means(couple, index, *neighbours)


def _same_means(couple: _Couple, index: int, *neighbours: _Couple) -> None:
    """Compares means of blocks in one of the planes."""
    frame, plane = couple.name, "YUV"[index]
    a, b = couple.small[index], couple.big[index]
    good = np.stack([_means(each.small[index]) for each in (couple, *neighbours)])
    means = _means(b)
    distances = np.abs(means - means.clip(good.min(axis=0), good.max(axis=0)))
    strayed = np.maximum(distances - SWAY * np.sqrt(_variances(a)), 0)
    worst, overall = float(strayed.max()), float(np.sqrt(np.mean(strayed**2)))
    block, whole = LIMITS[plane]
    block += COARSE * float(np.minimum(distances, block / 2).mean())
    whole += CONTRAST * float(a.std())
    for where, came, most in (("overall", overall, whole), ("in one place", worst, block)):
        if came > most:
            what = "brightness" if plane == "Y" else "colour"
            raise VerificationError(
                f"{frame}: its {what} is not the input's: {plane} is off by {came:.0f} of 255 "
                f"{where}, more than {most:.0f}"
            )


def _not_each_other(first: _Couple, second: _Couple) -> None:
    """Each of two neighbours must be nearer to its own frame of the input than to the other's."""
    if _square(first.small[0], second.small[0]) < CHANGE:
        return
    for couple, other in ((first, second), (second, first)):
        to_own = _square(couple.big[0], couple.small[0])
        # A picture without its grain is as near to the one as to the other, or nearly so.
        if _square(couple.big[0], other.small[0]) < to_own / 3:
            raise VerificationError(
                f"{couple.name}: by its picture it is frame {other.index} of the input"
            )


def _square(a: Samples, b: Samples) -> float:
    """Mean square of the difference."""
    return float(np.mean(np.square(a - b), dtype=np.float64))


def _variances(plane: Samples) -> Samples:
    """Of the samples within each block."""
    found: Samples = np.maximum(_means(plane * plane) - _means(plane) ** 2, 0)
    return found


def _means(plane: Samples) -> Samples:
    """Of the samples within each block."""
    for axis in (0, 1):
        begins, side = _edges(plane.shape[axis]), plane.shape[axis]
        sizes = np.diff(begins, append=side).astype(np.float32)
        sums = np.add.reduceat(plane, begins, axis=axis)
        plane = (sums / np.expand_dims(sizes, 1 - axis)).astype(np.float32)
    return plane


def _edges(side: int) -> NDArray[np.int64]:
    """Where the blocks along a side begin."""
    count = max(1, round(side / BLOCK))
    return np.arange(count, dtype=np.int64) * side // count


def _same_duration(couple: _Couple, tick: Fraction, *, last: bool = False) -> None:
    a, b = couple.wanted, couple.came
    end = a.pts + a.duration
    wanted = to_tick(end, tick) - b.pts
    # Matroska stores no end of the last frame but a nominal duration, rounded on its own.
    slack = tick if last or end % tick else 0
    if abs(b.duration - wanted) > slack:
        agree(f"frame {couple.index}: duration", wanted, b.duration)
