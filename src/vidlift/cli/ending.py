"""What the system says when it wants the program to go: treated as Ctrl-C is."""

from __future__ import annotations

import signal
from threading import Event
from types import FrameType
from weakref import ref

INTERRUPTED = 128 + signal.SIGINT
"""Exit code after Ctrl-C, as shells have it."""

AGAIN = 0.05
"""Seconds until a signal whose exception was lost comes again."""

_listening = Event()

_NAMES = ("SIGTERM", "SIGHUP", "SIGALRM")

_NUMBERS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
"""Windows has but the first."""

_ALL = (signal.SIGINT, *_NUMBERS)


class Ended(KeyboardInterrupt):
    """A signal came that ends programs; whatever sees to Ctrl-C sees to it.

    PyAV loses what is raised while it makes an error of its own, and so does Python in what it
    runs for itself. Where one is gone before anybody was told of it, an alarm brings it again.
    """

    _number: int | None = None
    """None while it is made, in which Python's own Ctrl-C may come."""

    def __init__(self, number: int) -> None:
        super().__init__(
            *([] if number == signal.SIGINT else [f"ended by {signal.Signals(number).name}"])
        )
        self.exit_code = 128 + number
        self._number = number

    def __del__(self) -> None:
        global _lost
        if self._number is None or not hasattr(signal, "setitimer"):
            return
        if signal.getsignal(self._number) is _end:
            _lost = self._number
            # Not at once: what is raised in here is lost as well.
            signal.setitimer(signal.ITIMER_REAL, AGAIN)


_lost: int | None = None
"""The signal whose exception is gone: whatever comes after it, the alarm first, means that one."""

_living: ref[Ended] | None = None
"""What was raised and is on its way."""


def listen() -> None:
    """Raise ``Ended`` in the main thread when one comes; what is ignored (``nohup``) stays so."""
    _listening.set()
    for number in _NUMBERS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def let_be() -> None:
    """Leave them to the system again: for what sees to them itself, and then hands them on."""
    for number in _NUMBERS:
        if signal.getsignal(number) is _end:
            signal.signal(number, signal.SIG_DFL)


def only_once() -> None:
    """Hear of the first, Ctrl-C among them, and of none after it: for what has to end in order."""
    for number in _ALL:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def told(stop: KeyboardInterrupt) -> tuple[str, int]:
    """What to say of the end of the program, and its exit code. What comes while that is said is
    passed over, where this is the program and no test of it.
    """
    if _listening.is_set():
        for number in _ALL:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _pass_over)
    return str(stop) or "interrupted", getattr(stop, "exit_code", INTERRUPTED)


def _end(number: int, frame: FrameType | None) -> None:
    # Shells tell of a closed terminal a second time: that is not to stop what is done about it.
    global _living
    if _is_made_in(frame):
        return
    if _living is None or _living() is None:
        stop = Ended(number if _lost is None else _lost)
        _living = ref(stop)
        try:
            raise stop
        finally:
            del stop  # or its traceback, this frame in it, keeps it for ever


def _is_made_in(frame: FrameType | None) -> bool:
    """Whether the exception of a signal that came before is just being made."""
    while frame is not None and frame.f_code is not _end.__code__:
        frame = frame.f_back
    return frame is not None


def _pass_over(_number: int, _frame: object) -> None:
    """Nothing. Of one that came in the same moment and is ``SIG_IGN`` now, Python complains."""
