"""What the system says when it wants the program to go: treated as Ctrl-C is."""

from __future__ import annotations

import signal
from threading import Event

INTERRUPTED = 128 + signal.SIGINT
"""Exit code after Ctrl-C, as shells have it."""

_listening = Event()

_NUMBERS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Windows has no ``SIGHUP``."""

_ALL = (signal.SIGINT, *_NUMBERS)


_came: list[KeyboardInterrupt] = []
"""What was raised once for all, see ``only_once``."""


class Ended(KeyboardInterrupt):
    """A signal came that ends programs; whatever sees to Ctrl-C sees to it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.exit_code = 128 + number


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
            signal.signal(number, _end_once)


def not_lost() -> None:
    """Raise again what came since ``only_once``: PyAV loses what is raised while it is at work."""
    if _came:
        raise _came[0]


def told(stop: KeyboardInterrupt) -> tuple[str, int]:
    """What to say of the end of the program, and its exit code. A second Ctrl-C that comes while
    that is said is ignored, where this is the program and no test of it.
    """
    if _listening.is_set():
        signal.signal(signal.SIGINT, _pass_over)
    return str(stop) or "interrupted", getattr(stop, "exit_code", INTERRUPTED)


def _end(number: int, _frame: object) -> None:
    # Shells tell of a closed terminal a second time: that is not to stop what is done about it.
    for each in _NUMBERS:
        signal.signal(each, _pass_over)
    raise Ended(number)


def _end_once(number: int, _frame: object) -> None:
    for each in _ALL:
        signal.signal(each, _pass_over)
    _came.append(KeyboardInterrupt() if number == signal.SIGINT else Ended(number))
    raise _came[0]


def _pass_over(_number: int, _frame: object) -> None:
    """Nothing. Of one that came in the same moment and is ``SIG_IGN`` now, Python complains."""
