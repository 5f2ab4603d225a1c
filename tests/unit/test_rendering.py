"""Which renderer draws: a GPU's, and without one SDL's own, not OpenGL that a program computes."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from vidlift.sinks import rendering, sdl

OPENGL, SOFTWARE = 1, 2
"""What the renderers of the fake are known by."""

GL_GET_STRING = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint)


class FakeSDL:
    """SDL's own header, with renderers that are numbers."""

    def __init__(self, *, opengl: bytes | None = None, asked: bytes | None = None) -> None:
        """``opengl`` is what OpenGL calls its renderer, None where there is no OpenGL; ``asked``
        the driver that the user wants."""
        self._opengl = opengl
        self._name = ctypes.create_string_buffer(opengl or b"")
        self._says = GL_GET_STRING(lambda what: what == 0x1F01 and ctypes.addressof(self._name))
        self.live: set[int] = set()
        self.hints: dict[bytes, bytes] = {}
        self.SDL_GetHint = {b"SDL_RENDER_DRIVER": asked}.get
        self.SDL_SetHintWithPriority = lambda name, value, _priority: self.hints.update(
            {name: value}
        )
        self.SDL_CreateRenderer = self._create
        self.SDL_DestroyRenderer = self.live.remove
        self.SDL_GetRendererInfo = self._info
        self.SDL_GL_GetProcAddress = lambda name: (
            ctypes.cast(self._says, ctypes.c_void_p).value if name == b"glGetString" else None
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(sdl.load(), name)

    def _create(self, _window: Any, _index: int, flags: int) -> int | None:
        assert flags & self.SDL_RENDERER_PRESENTVSYNC, "it keeps the screen's pace"
        in_software = bool(flags & self.SDL_RENDERER_SOFTWARE)
        made = SOFTWARE if in_software else OPENGL if self._opengl is not None else None
        if made:
            self.live.add(made)
        return made

    def _info(self, renderer: int, found: Any) -> int:
        found._obj.name = b"opengl" if renderer == OPENGL else b"software"
        return 0


def made(found: FakeSDL, monkeypatch: pytest.MonkeyPatch, *, gpu: bool) -> Any:
    monkeypatch.setattr(rendering, "may_have_gpu", lambda: gpu)
    renderer = rendering.make(found, None)
    assert found.live == {renderer}, "no other is left"
    return renderer


def test_a_gpu_draws_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    found = FakeSDL(opengl=b"Mesa Intel(R) UHD Graphics 620 (KBL GT2)")
    assert made(found, monkeypatch, gpu=True) == OPENGL
    assert not found.hints


@pytest.mark.parametrize(
    "name", [b"llvmpipe (LLVM 15.0.6, 256 bits)", b"softpipe", b"GDI Generic", b"SwiftShader 4.1"]
)
def test_opengl_that_a_program_computes_gives_way(
    name: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = FakeSDL(opengl=name)
    assert made(found, monkeypatch, gpu=True) == SOFTWARE
    assert found.hints == {b"SDL_FRAMEBUFFER_ACCELERATION": b"0"}, "nor does it come by OpenGL"


def test_without_a_gpu_opengl_is_not_even_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    found = FakeSDL(opengl=b"llvmpipe")
    monkeypatch.setattr(found, "SDL_DestroyRenderer", None)
    assert made(found, monkeypatch, gpu=False) == SOFTWARE


def test_where_opengl_is_missing_it_is_drawn_in_software(monkeypatch: pytest.MonkeyPatch) -> None:
    assert made(FakeSDL(), monkeypatch, gpu=True) == SOFTWARE


def test_the_user_s_word_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = FakeSDL(opengl=b"llvmpipe", asked=b"opengl")
    assert made(found, monkeypatch, gpu=False) == OPENGL
    assert not found.hints


@pytest.mark.parametrize(
    ("device", "platform", "wanted"),
    [
        ("dri/renderD128", "linux", True),
        ("nvidia0", "linux", True),
        ("dxg", "linux", True),
        ("mali0", "linux", True),
        ("kgsl-3d0", "linux", True),
        ("dri/card0", "linux", False),  # it shows pictures, and computes none
        ("nvidiactl", "linux", False),
        ("null", "linux", False),
        ("null", "darwin", True),
        ("null", "win32", True),
    ],
)
def test_linux_tells_by_its_devices_whether_there_is_a_gpu(
    device: str, platform: str, wanted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / device
    where.parent.mkdir(exist_ok=True)
    where.touch()
    monkeypatch.setattr("sys.platform", platform)
    assert rendering.may_have_gpu(tmp_path) is wanted


def test_linux_without_devices_has_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert not rendering.may_have_gpu(tmp_path / "none")
