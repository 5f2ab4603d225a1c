"""What documents say that can be checked: the version, the commands, the links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import vidlift as package
from support.cli import vidlift

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_changelog_begins_with_this_version() -> None:
    first = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first is not None
    assert first.group(1) == package.__version__


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), target


def commands() -> set[tuple[str, ...]]:
    """The commands, with their sub-commands, that documents show in blocks of code."""
    found = set()
    for document in DOCUMENTS:
        for block in re.findall(r"```\w*\n(.*?)```", document.read_text(), re.DOTALL):
            for words in re.findall(r"^(?:\$ )?vidlift ((?:[a-z]+ ?)+)", block, re.MULTILINE):
                first, *rest = words.split()
                found.add((first, *rest[:1]) if first in ("cloud", "model", "data") else (first,))
    return found


@pytest.mark.parametrize("command", sorted(commands()), ids=" ".join)
def test_commands_that_documents_show_exist(command: tuple[str, ...]) -> None:
    assert vidlift(*command, "--help").code == 0
