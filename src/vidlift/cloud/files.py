"""Files that are there whole or not at all, whatever moment the machine stops at."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(where: Path, data: bytes) -> None:
    """Write a file so that its name never stands for a part of it."""
    part = where.with_name(f".{where.name}.part")
    with part.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    part.replace(where)


def sync_folder(folder: Path) -> None:
    """Have the disk hold a folder's list of names."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
