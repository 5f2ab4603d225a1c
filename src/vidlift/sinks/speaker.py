"""A loudspeaker through SDL 2, fed by pushing."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidlift.errors import OutputError
from vidlift.sinks import sdl as sdl_library

RATE = 48_000
BUFFER = 1024
"""Samples that the sound device takes at a time."""

_BYTES_A_SAMPLE = 4


class Speaker:
    """Plays what was pushed, in order; it stands until ``pause(False)``.

    All calls come from one thread. With ``dummy`` no sound card is needed: SDL's dummy driver
    takes sound at the same pace.
    """

    step = BUFFER / RATE
    """Seconds of sound that the device takes at a time."""

    def __init__(self, *, dummy: bool = False) -> None:
        """Opens the sound device. Raises ``OutputError`` where there is none."""
        self._sdl = sdl = sdl_library.load()
        sdl_library.hint(sdl, b"SDL_AUDIODRIVER", b"dummy" if dummy else b"")
        with sdl_library.quiet():
            if sdl.SDL_InitSubSystem(sdl.SDL_INIT_AUDIO):
                raise OutputError(f"no sound device: {sdl_library.error(sdl)}")
            # No callback: a Python one would run in SDL's thread and stutter with the interpreter.
            wanted = sdl.SDL_AudioSpec(RATE, sdl.AUDIO_S16SYS, 2, BUFFER)
            self._device: Any = sdl.SDL_OpenAudioDevice(None, 0, ctypes.byref(wanted), None, 0)
        if not self._device:
            message = sdl_library.error(sdl)
            sdl.SDL_QuitSubSystem(sdl.SDL_INIT_AUDIO)
            raise OutputError(f"no sound device: {message}")

    def push(self, samples: NDArray[np.int16]) -> None:
        """Queue stereo samples [n, 2]."""
        data = np.ascontiguousarray(samples)
        if self._sdl.SDL_QueueAudio(self._device, data.ctypes.data, data.nbytes):
            raise OutputError(f"the sound device takes no more: {sdl_library.error(self._sdl)}")

    def queued(self) -> float:
        """Seconds of sound that the device has not taken yet."""
        left: int = self._sdl.SDL_GetQueuedAudioSize(self._device)
        return left / (_BYTES_A_SAMPLE * RATE)

    def replace(self, make: Callable[[int], NDArray[np.int16]]) -> None:
        """Put other samples in the place of those queued; ``make`` is told how many they are.

        The device takes none in between.
        """
        self._sdl.SDL_LockAudioDevice(self._device)
        try:
            left: int = self._sdl.SDL_GetQueuedAudioSize(self._device)
            self._sdl.SDL_ClearQueuedAudio(self._device)
            self.push(make(left // _BYTES_A_SAMPLE))
        finally:
            self._sdl.SDL_UnlockAudioDevice(self._device)

    def pause(self, paused: bool) -> None:
        self._sdl.SDL_PauseAudioDevice(self._device, int(paused))

    def close(self) -> None:
        self._sdl.SDL_CloseAudioDevice(self._device)
        self._sdl.SDL_QuitSubSystem(self._sdl.SDL_INIT_AUDIO)
