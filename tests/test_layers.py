"""Calls go down: who may import whom, as a literal table. Anything else fails."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "vidlift"

WORDS = {"errors", "color", "frame", "video", "descriptor"}
"""Tier 0, what everybody may speak of."""

PARTS = {"memory", "metrics", "models", "resample", "rgb", "upscaler"}
PARTS |= {"pipeline", "receipt", "system", "vmaf"}
ENDS = {"sources", "stages", "sinks"}

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "color": set(),
    "frame": {"color"},
    "video": {"color"},
    "descriptor": {"errors"},
    "cache": set(),
    "memory": set(),
    "system": set(),
    "metrics": set(),
    "vmaf": {"errors"},
    "resample": {"frame"},
    "rgb": {"color", "frame"},
    "models": {"color", "descriptor", "errors", "resample"},
    "engines": {"cache", "descriptor", "errors", "models", "system"},
    "upscaler": WORDS | {"engines", "models"},
    "client": WORDS | {"__init__", "cache", "stages.ahead"},
    "sources": WORDS | {"client"},
    "stages": WORDS | {"upscaler"},
    "sinks": WORDS,
    "pipeline": {"frame", "sinks"},
    "receipt": {"__init__", "errors", "pipeline", "system"},
    "jobs": WORDS | {"__init__"} | PARTS | ENDS,
    "player": WORDS | {"__init__"} | PARTS | ENDS | {"cache", "client", "engines"},
    "cloud": WORDS | {"__init__"} | PARTS | ENDS | {"client", "jobs"},
    "evaluation": WORDS | {"__init__"} | PARTS | ENDS | {"engines", "jobs"},
    "training": WORDS | {"__init__"} | PARTS | {"engines", "sinks", "sources"},
    "demo": WORDS | {"__init__"} | PARTS | ENDS | {"client", "cloud", "jobs", "player"},
    "cli": WORDS | {"__init__"} | PARTS | ENDS | {"client", "cloud", "demo", "engines"}
    | {"evaluation", "jobs", "player", "training"},
    "__init__": {"errors", "frame", "jobs", "receipt", "upscaler"},
    "__main__": {"cli"},
}  # fmt: skip
"""Room -> the rooms, or single modules, that it may import, at the top or inside a function.

``__init__`` is the face: the version, and names that are fetched when used.
"""

ALSO: dict[str, set[str]] = {
    "anyio": {"cloud"},
    "cryptography": {"client/segments.py"},
    "av": {
        "sources",
        "sinks/file.py",
        "sinks/gop.py",
        "jobs/join.py",
        "jobs/streams.py",
        "jobs/companions.py",
    }
    | {"cloud/sounds.py", "cloud/captions.py", "training/degrade.py"},
    "httpcore2": {"client"},
    "httpx2": {"client"},
    "imageio_ffmpeg": {"vmaf.py"},
    "matplotlib": {"cloud/report.py", "evaluation/chart.py", "evaluation/speed_chart.py"}
    | {"training/plots.py"},
    "nncf": {"training/quantize.py"},
    "numpy": {""},
    "onnx": {"evaluation", "models", "engines/reference.py", "training"},
    "onnxruntime": {"engines/onnxruntime.py", "evaluation/runtimes.py"},
    "openvino": {"engines/openvino_runtime.py", "engines/openvino_mixed.py"}
    | {"evaluation/runtimes.py"},
    "PIL": {"cli", "demo", "cloud", "evaluation", "player", "resample.py", "rgb.py", "training"},
    "pytorch_optimizer": {"training"},
    "rich": {"cli"},
    "sdl2": {"sinks/sdl.py"},
    "sdl2dll": {"sinks/sdl.py"},
    "h11": {"cloud/serve.py"},
    "m3u8": {"client"},
    "prometheus_client": {"cloud"},
    "starlette": {"cloud"},
    "torch": {"training"},
    "typer": {"cli"},
    "uvicorn": {"cloud"},
}
"""Foreign package -> the rooms or files that may import it; ``""`` is every one."""

PARALLEL = ("threading.Thread", "threading.Timer", "concurrent.", "multiprocessing")
MAY_START_THREADS = {"cloud/serve.py", "stages/ahead.py"}
"""A server inside another program is a thread beside it; all else that flows goes through ahead."""

SINGLE = sorted({place for allowed in MAY_IMPORT.values() for place in allowed if "." in place})
FILES = sorted(PACKAGE.rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of all that is imported, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def _may(room: str, imported: str) -> bool:
    """Whether ``room`` may import ``vidlift.…``; what lies in no room is a name of the face."""
    inner = imported.removeprefix("vidlift").removeprefix(".")
    if inner.split(".")[0] not in MAY_IMPORT:
        inner = "__init__"
    return any(f"{inner}.".startswith(f"{place}.") for place in MAY_IMPORT[room] | {room})


def _broken_rules(path: str, tree: ast.AST) -> Iterator[str]:
    room = path.split("/")[0].removesuffix(".py")
    for line, imported in _imports(tree):
        where = f"{path}:{line} imports {imported}"
        top = imported.split(".")[0]
        if top == "vidlift":
            if not _may(room, imported):
                yield where
        elif top not in sys.stdlib_module_names | {"_typeshed"}:
            allowed = ALSO.get(top, set())
            if not any(place in ("", room, path) for place in allowed):
                yield where
        elif imported.startswith(PARALLEL) and path not in MAY_START_THREADS:
            yield where
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ("Thread", "Timer"):
            if path in MAY_START_THREADS:
                continue
            yield f"{path}:{node.lineno} starts a thread"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    broken = list(_broken_rules(_name(path), ast.parse(path.read_text())))
    assert not broken, "\n".join(broken)


def test_every_room_has_a_row() -> None:
    rooms = {_name(path).split("/")[0].removesuffix(".py") for path in FILES}
    assert rooms <= set(MAY_IMPORT)


@pytest.mark.parametrize("module", SINGLE)
def test_a_single_module_that_others_import_stands_alone(module: str) -> None:
    source = PACKAGE.joinpath(*module.split(".")).with_suffix(".py").read_text()
    assert not [name for _, name in _imports(ast.parse(source)) if name.startswith("vidlift")]


def test_the_table_has_no_circle() -> None:
    faces = {"__init__", *SINGLE}
    waiting = {room: allowed - faces for room, allowed in MAY_IMPORT.items()}
    del waiting["__init__"]
    while waiting:
        ready = {room for room, allowed in waiting.items() if not allowed & set(waiting)}
        assert ready, f"these import one another: {', '.join(sorted(waiting))}"
        for room in ready:
            del waiting[room]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("sinks/file.py", "from vidlift.sources.base import VideoInfo"),
        ("sources/file.py", "from vidlift import stages"),
        ("jobs/upscale.py", "import vidlift.training.loop"),
        ("client/web.py", "from vidlift.stages.upscale import upscale"),
        ("engines/null.py", "import torch"),
        ("sinks/screen.py", "import sdl2"),
        ("player/loop.py", "from threading import Thread"),
        ("player/loop.py", "import threading\nthreading.Thread(target=print)"),
        ("frame.py", "import requests"),
        ("sources/base.py", "def late():\n    import openvino"),
    ],
)
def test_the_rules_catch(path: str, line: str) -> None:
    assert list(_broken_rules(path, ast.parse(line)))
