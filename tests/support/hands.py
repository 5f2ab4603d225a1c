"""A viewer's hands on the real player's window."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from vidlift.frame import Frame
from vidlift.sinks.events import Event
from vidlift.sinks.window import Window


class Hands:
    """Does things in the real window once so many pictures have been shown."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *script: tuple[int, Event], at_once: bool = False
    ) -> None:
        """``at_once``: all that is due happens in one rest of the loop."""
        self.script = list(script)
        self.shown: list[Fraction] = []
        show, events = Window.show, Window.events

        def showing(window: Window, frame: Frame, **more: Any) -> None:
            self.shown.append(frame.pts)
            show(window, frame, **more)

        def happening(window: Window, wait: float) -> Iterator[Event]:
            yield from events(window, wait)
            while self.script and len(self.shown) >= self.script[0][0]:
                yield self.script.pop(0)[1]
                if not at_once:
                    break

        monkeypatch.setattr(Window, "show", showing)
        monkeypatch.setattr(Window, "events", happening)
