"""VMAF and VMAF-NEG, by the ffmpeg that the package imageio-ffmpeg carries."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidlift.errors import UsageError

_MODELS = {"vmaf": "vmaf_v0.6.1", "neg": "vmaf_v0.6.1neg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vmaf:
    """How a frame, or many on average, looks beside the original: 0 to 100."""

    vmaf: float
    neg: float
    """Of the model that gives no credit for enhancement beyond the original."""


def measure(
    planes: Iterable[NDArray[Any]], originals: Iterable[NDArray[Any]], *, threads: int = 2
) -> Vmaf:
    """Compare two sequences of 8-bit luma planes of one size: the means over them.

    Raises ``UsageError`` where the extra is not installed or its ffmpeg lacks libvmaf.
    """
    return average(measure_each(planes, originals, threads=threads))


def measure_each(
    planes: Iterable[NDArray[Any]], originals: Iterable[NDArray[Any]], *, threads: int = 2
) -> list[Vmaf]:
    """The same, frame by frame. How much moves from frame to frame counts as well."""
    models = "|".join(f"version={version}\\:name={name}" for name, version in _MODELS.items())
    with TemporaryDirectory(prefix="vidlift-vmaf-") as folder:
        compared, original, log = (Path(folder) / name for name in ("a.y4m", "b.y4m", "log.json"))
        _write(compared, planes)
        _write(original, originals)
        inputs = "-i", str(compared), "-i", str(original)
        judge = f"libvmaf=model='{models}':log_fmt=json:log_path={log.name}:n_threads={threads}"
        # Paths in a filter need escapes of their own: run where the log is to lie instead.
        done = subprocess.run(
            [_ffmpeg(), "-nostdin", "-v", "error", *inputs, "-lavfi", judge, "-f", "null", "-"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise UsageError(f"VMAF: ffmpeg failed: {done.stderr.strip().splitlines()[-1]}")
        frames = [frame["metrics"] for frame in json.loads(log.read_text())["frames"]]
    return [Vmaf(vmaf=float(frame["vmaf"]), neg=float(frame["neg"])) for frame in frames]


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
    program: str = imageio_ffmpeg.get_ffmpeg_exe()
    filters = subprocess.run(
        [program, "-hide_banner", "-filters"], capture_output=True, text=True, check=False
    )
    if " libvmaf " not in filters.stdout:
        raise UsageError(f"VMAF needs an ffmpeg with libvmaf, and {program} has none")
    return program


def _write(where: Path, planes: Iterable[NDArray[Any]]) -> None:
    """Planes as a Y4M file of 4:2:0; VMAF looks at luma alone, so chroma is neutral."""
    with where.open("wb") as file:
        for index, plane in enumerate(planes):
            height, width = plane.shape
            if index == 0:
                file.write(f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420\n".encode())
            file.write(b"FRAME\n")
            file.write(np.rint(plane).astype(np.uint8).tobytes())
            file.write(b"\x80" * (2 * ((height + 1) // 2) * ((width + 1) // 2)))
