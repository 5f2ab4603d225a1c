"""Packs: training data that loads fast, in shards, with what was left out and why.

OUT/
  pack.json     what is in it: items with their source and split, what was skipped, options
  00000.npz …   luma, ``<item>.high`` and, where it was degraded already, ``<item>.low``
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidlift.errors import InputError, OutputError, UsageError, VidliftError

FORMAT = 1
NOTE = "pack.json"
SHARD_BYTES = 16 << 20
"""Samples in a shard, about."""

NOTE_SHARE = 0.01
"""Share of a limit that is left for the note."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Item:
    """One picture of a pack, luma in 8-bit code values."""

    source: str
    """The photograph or clip it comes from: the split is by source."""

    held_out: bool
    high: NDArray[np.uint8]
    low: NDArray[np.uint8] | None = None
    """Degraded; None where the degradation is left to who reads it."""

    through: str = ""
    """What ``low`` went through, such as ``h264-28``."""


@dataclass(slots=True, kw_only=True)
class Summary:
    """What a pack holds and what was left out."""

    items: int = 0
    held_out: int = 0
    samples: int = 0
    bytes: int = 0
    full: bool = False
    """Whether it ended for its limit, and more might have come."""

    skipped: dict[str, str] = field(default_factory=dict)
    """File -> why."""


def write(
    out: Path,
    items: Iterable[Item],
    *,
    skipped: dict[str, str],
    about: Mapping[str, Any],
    max_bytes: int | None = None,
) -> Summary:
    """Write a pack; ends with the last item that fits into ``max_bytes``.

    ``about`` goes into the note: scale, options. ``skipped`` may be filled while items come. A
    pack that is there already is replaced once the new one is whole. Raises ``UsageError`` for a
    folder of other things and for a limit too small for one item, ``InputError`` where there is
    no item, ``OutputError``.
    """
    _check_place(out)
    try:
        whole = out.resolve()  # . has no name, and what a link names is replaced, not the link
        part, old = (whole.with_name(f".{whole.name}.{what}") for what in ("part", "old"))
        _put_back(whole, old)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            summary = _fill(part, items, skipped=skipped, about=about, max_bytes=max_bytes)
            if not summary.items:
                raise _nothing(skipped, full=summary.full)
            shutil.rmtree(old, ignore_errors=True)
            if whole.exists():
                whole.rename(old)
            part.rename(whole)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            _put_back(whole, old)
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"cannot write the pack {out}: {error.strerror or error}") from error
    return summary


def _put_back(whole: Path, old: Path) -> None:
    """Have a pack again that this write, or a killed one, moved aside and did not replace."""
    if not whole.exists() and (old / NOTE).is_file():
        old.rename(whole)


def _check_place(out: Path) -> None:
    if not out.is_dir() and (out.exists() or out.is_symlink()):
        raise OutputError(f"cannot write the pack {out}: there is a file of that name")
    there = [each.name for each in out.iterdir()] if out.is_dir() else []
    # Names that begin with a dot are what desktops leave in every folder.
    others = [
        name for name in there if name != NOTE and not name.endswith(".npz") and name[0] != "."
    ]
    if others or (there and NOTE not in there):
        raise UsageError(f"{out} holds other things than a pack; give a folder of its own")


def _nothing(skipped: Mapping[str, str], *, full: bool) -> VidliftError:
    if full:
        return UsageError("the limit is too small for a single picture")
    name, reason = next(iter(skipped.items()), ("no file came", "there is nothing in them"))
    return InputError(f"nothing to pack, for instance {name}: {reason}")


def _fill(
    out: Path,
    items: Iterable[Item],
    *,
    skipped: dict[str, str],
    about: Mapping[str, Any],
    max_bytes: int | None,
) -> Summary:
    """Write shards and, last, the note."""
    summary = Summary(skipped=skipped)
    notes: list[dict[str, Any]] = []
    for index, shard in enumerate(_shards(items)):
        room = None if max_bytes is None else int(max_bytes * (1 - NOTE_SHARE)) - summary.bytes
        kept, data = _fitting(shard, room)
        summary.full = len(kept) < len(shard)
        if kept:
            (out / f"{index:05d}.npz").write_bytes(data)
        summary.bytes += len(data)
        for number, item in enumerate(kept):
            notes.append(
                {
                    "shard": index,
                    "item": number,
                    "source": item.source,
                    "held_out": item.held_out,
                    "through": item.through,
                }
            )
            summary.items += 1
            summary.held_out += item.held_out
            summary.samples += item.high.size
        if summary.full:
            break
    note = {"format": FORMAT, **about, "items": notes, "skipped": skipped}
    (out / NOTE).write_text(json.dumps(note, indent=1) + "\n")
    return summary


def _fitting(shard: list[Item], room: int | None) -> tuple[list[Item], bytes]:
    """As many of the items as fit, from the first, and the file of them; none is no file."""
    whole = _packed(shard)
    if room is None or len(whole) <= room:
        return shard, whole
    fits, data, too_many = 0, b"", len(shard)
    while too_many - fits > 1:
        count = (fits + too_many) // 2
        if len(tried := _packed(shard[:count])) <= room:
            fits, data = count, tried
        else:
            too_many = count
    return shard[:fits], data


def _packed(shard: list[Item]) -> bytes:
    packed = io.BytesIO()
    np.savez_compressed(packed, **_arrays(shard))
    return packed.getvalue()


def read(folder: Path) -> tuple[dict[str, Any], list[Item]]:
    """The note and the items of a pack. Raises ``InputError``."""
    try:
        note = json.loads((folder / NOTE).read_text())
        if note["format"] != FORMAT:
            raise InputError(f"{folder} is a pack of another version of Vidlift; pack it anew")
        shards: dict[int, Any] = {}
        items = []
        for entry in note["items"]:
            shard = entry["shard"]
            if shard not in shards:
                with (
                    (folder / f"{shard:05d}.npz").open("rb") as file,
                    np.load(file, allow_pickle=False) as arrays,
                ):
                    shards = {shard: dict(arrays)}
            content = shards[shard]
            items.append(
                Item(
                    source=entry["source"],
                    held_out=entry["held_out"],
                    through=entry["through"],
                    high=content[f"{entry['item']}.high"],
                    low=content.get(f"{entry['item']}.low"),
                )
            )
    except FileNotFoundError as error:
        raise InputError(f"{folder} is no pack: it lacks {Path(error.filename).name}") from error
    except _DAMAGED as error:
        raise InputError(f"{folder} is not a whole pack: {error}") from error
    return note, items


_DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged pack raises."""


def digest(folder: Path) -> str:
    """SHA-256 over a pack's note and shards: what a descriptor cites. Raises ``InputError``."""
    whole = hashlib.sha256()
    for where in (folder / NOTE, *sorted(folder.glob("*.npz"))):
        try:
            with where.open("rb") as content:
                whole.update(hashlib.file_digest(content, "sha256").digest())
        except FileNotFoundError as error:
            raise InputError(f"{folder} is no pack: it lacks {NOTE}") from error
        except OSError as error:
            raise InputError(f"cannot read {where}: {error.strerror}") from error
    return whole.hexdigest()


def _shards(items: Iterable[Item]) -> Iterator[list[Item]]:
    waiting: list[Item] = []
    samples = 0
    for item in items:
        waiting.append(item)
        samples += item.high.size
        if samples >= SHARD_BYTES:
            yield waiting
            waiting, samples = [], 0
    if waiting:
        yield waiting


def _arrays(shard: list[Item]) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for number, item in enumerate(shard):
        arrays[f"{number}.high"] = item.high
        if item.low is not None:
            arrays[f"{number}.low"] = item.low
    return arrays
