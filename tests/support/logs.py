"""A server's log that a test can wait for."""

from __future__ import annotations

import io
import json
from threading import Condition
from typing import Any


class Log(io.StringIO):
    """A log whose next line can be waited for: a server notes a request after it was answered."""

    def __init__(self) -> None:
        super().__init__()
        self._written = Condition()

    def write(self, text: str) -> int:
        with self._written:
            count = super().write(text)
            self._written.notify_all()
            return count

    def line_of(self, path: str, *, status: int, method: str = "GET") -> dict[str, Any]:
        """The last line about an answer of that status; waits until there is one."""
        wanted = (method, path, status)

        def found() -> list[dict[str, Any]]:
            lines = [json.loads(line) for line in self.getvalue().splitlines()]
            return [x for x in lines if (x["method"], x["path"], x["status"]) == wanted]

        with self._written:
            assert self._written.wait_for(found, timeout=10)
            return found()[-1]
