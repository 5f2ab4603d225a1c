"""What several tests of the whole play."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from support.clips import make_clip
from support.networks import plain_network
from support.reel import STARTS
from vidlift.player.options import PlayOptions
from vidlift.player.viewer import Viewer


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of nearly no work."""
    where = tmp_path_factory.mktemp("network") / "s-x2.onnx"
    where.write_bytes(plain_network(scale=2, channels=2, layers=1).data)
    return where


@pytest.fixture(scope="session")
def options(network: Path) -> PlayOptions:
    return PlayOptions(model=str(network))


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Films that are there, one that is missing and one that is damaged, by name."""
    folder = tmp_path_factory.mktemp("films")
    found = {"missing": str(folder / "missing.mkv"), "damaged": str(folder / "damaged.mkv")}
    for name, start in STARTS.items():
        clip = make_clip(folder / f"{name}.mkv", frames=12, start=Fraction(start), sounds=0)
        found[name] = str(clip)
    Path(found["damaged"]).write_bytes(Path(found["a"]).read_bytes()[:300])
    return found


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the window says."""
    heard: list[str] = []
    say = Viewer.say

    def saying(viewer: Viewer, message: str, *, too: bool = False) -> None:
        heard.append(message)
        say(viewer, message, too=too)

    monkeypatch.setattr(Viewer, "say", saying)
    return heard
