"""The command line, run in this process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from vidlift.cli.main import app


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line that it ended with; fails where there are more, or a traceback."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, f"one line on stderr is wanted, got: {self.err}"
        assert lines[0].startswith("vidlift: "), lines[0]
        return lines[0]


def vidlift(*arguments: str | Path | int) -> Ended:
    """Run ``vidlift`` with these arguments."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ended(code=result.exit_code, out=result.stdout, err=result.stderr)
