"""Figures as Markdown, for the files beside the JSON of every benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, its first column to the left and the others to the right."""
    rule = ["---", *["--:"] * (len(titles) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [titles, rule, *rows]) + "\n"


def machine(made: Mapping[str, Any]) -> str:
    """One line: by what, when, on what and with which versions figures were taken."""
    units = ", ".join(made["units"]) or "no vector units known"
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    by = f"`{made['command']}`, {made['date']}; " if "command" in made else ""
    return (
        f"{by}{made['processor']}, {made['cores']} cores ({units}); {made['system']}; {versions}.\n"
    )
