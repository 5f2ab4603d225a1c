"""VMAF and VMAF-NEG, by the ffmpeg that the package imageio-ffmpeg carries."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vidlift.errors import OutputError, UsageError

_MODELS = {"vmaf": "vmaf_v0.6.1", "neg": "vmaf_v0.6.1neg"}


SMALLEST = 17
"""Samples across at least; on 16 libvmaf crashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vmaf:
    """How a frame, or many on average, looks beside the original: 0 to 100."""

    vmaf: float
    neg: float
    """Of the model that gives no credit for enhancement beyond the original."""


def measure(
    planes: Iterable[NDArray[Any]],
    originals: Iterable[NDArray[Any]],
    *,
    threads: int = 2,
    every: int = 1,
) -> Vmaf:
    """Compare two sequences of 8-bit luma planes of one size: the means over them.

    Raises ``UsageError`` where the extra is not installed or its ffmpeg lacks libvmaf, and for
    pictures that are too small; ``OutputError`` where the folder for temporary files is full.
    """
    return average(measure_each(planes, originals, threads=threads, every=every))


def measure_each(
    planes: Iterable[NDArray[Any]],
    originals: Iterable[NDArray[Any]],
    *,
    threads: int = 2,
    every: int = 1,
) -> list[Vmaf]:
    """The same, frame by frame, or of the first frame of ``every`` so many.

    How much moves from frame to frame counts as well, so all frames are wanted. They are taken
    one by one.
    """
    models = "|".join(f"version={version}\\:name={name}" for name, version in _MODELS.items())
    # Both come through one pipe, the original below what is compared with it.
    judge = (
        "split[a][b];[a]crop=iw:ih/2:0:0[a];[b]crop=iw:ih/2:0:ih/2[b];[a][b]"
        f"libvmaf=model='{models}':log_fmt=json:log_path=log.json"
        f":n_threads={threads}:n_subsample={every}"
    )
    command = [_ffmpeg(), "-v", "error", "-f", "yuv4mpegpipe", "-i", "-", "-lavfi", judge]
    with TemporaryDirectory(prefix="vidlift-vmaf-") as folder:
        said = Path(folder, "said")
        # Paths in a filter need escapes of their own: run where the log is to lie instead.
        with (
            said.open("wb") as complaints,
            subprocess.Popen(
                [*command, "-f", "null", "-"],
                cwd=folder,
                stdin=subprocess.PIPE,
                stderr=complaints,
            ) as ffmpeg,
        ):
            assert ffmpeg.stdin is not None
            with suppress(BrokenPipeError), ffmpeg.stdin:  # it may end early, and says why
                _write(ffmpeg.stdin, planes, originals)
        if ffmpeg.returncode:
            why = said.read_text(errors="replace").strip().splitlines()
            raise UsageError(f"VMAF: ffmpeg failed: {why[-1] if why else ffmpeg.returncode}")
        try:
            frames = json.loads(Path(folder, "log.json").read_text())["frames"]
            found = [frame["metrics"] for frame in frames]
            return [Vmaf(vmaf=float(each["vmaf"]), neg=float(each["neg"])) for each in found]
        except (OSError, ValueError, KeyError) as error:
            raise OutputError(f"VMAF: its figures could not be written into {folder}") from error


def average(found: Sequence[Vmaf]) -> Vmaf:
    """The means of at least one."""
    return Vmaf(vmaf=fmean(each.vmaf for each in found), neg=fmean(each.neg for each in found))


def is_there() -> bool:
    """Whether ``measure`` can be called here."""
    try:
        return bool(_ffmpeg())
    except UsageError:
        return False


@cache
def _ffmpeg() -> str:
    try:
        import imageio_ffmpeg
    except ImportError:
        raise UsageError("VMAF needs the extra `vidlift[vmaf]`, which is not installed") from None
    try:
        program: str = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise UsageError(f"VMAF needs the ffmpeg of imageio-ffmpeg: {error}") from error
    filters = subprocess.run(
        [program, "-hide_banner", "-filters"], capture_output=True, text=True, check=False
    )
    if " libvmaf " not in filters.stdout:
        raise UsageError(f"VMAF needs an ffmpeg with libvmaf, and {program} has none")
    return program


def _write(
    out: IO[bytes], planes: Iterable[NDArray[Any]], originals: Iterable[NDArray[Any]]
) -> None:
    """Planes as Y4M, 4:4:4 so that any height can be cut in two; chroma does not count."""
    chroma = b""
    for plane, original in zip(planes, originals, strict=True):
        if not chroma:
            height, width = plane.shape
            if min(plane.shape) < SMALLEST:
                raise UsageError(f"{width}x{height} is too small for VMAF: {SMALLEST} are wanted")
            out.write(f"YUV4MPEG2 W{width} H{2 * height} F25:1 Ip A1:1 C444\n".encode())
            chroma = b"\x80" * (4 * height * width)
        out.write(b"FRAME\n")
        for each in (plane, original):
            out.write(np.rint(each).astype(np.uint8).tobytes())
        out.write(chroma)
