"""The program ``vidlift``: its commands, and how it ends.

Each command has a file of its own that parses, builds a pipeline and prints. Those files import
what is heavy (an engine, SDL, torch) inside the command, so that ``vidlift --help`` is quick.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from vidlift import __version__
from vidlift.cli import ending
from vidlift.cli.bench import bench
from vidlift.cli.cloud import cloud
from vidlift.cli.console import err, out
from vidlift.cli.data import app as data
from vidlift.cli.demo import demo
from vidlift.cli.doctor import doctor
from vidlift.cli.model import app as model
from vidlift.cli.play import play
from vidlift.cli.probe import probe
from vidlift.cli.upscale import upscale
from vidlift.cli.verify import verify
from vidlift.errors import VidliftError


class _Program(TyperGroup):
    """Turns the errors that are meant for the user into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt as stop:
            said, code = ending.told(stop)
            err.print(f"vidlift: {said}")
            raise typer.Exit(code) from None
        except Exception as error:
            if ctx.params.get("debug") or type(error).__name__ == "NoArgsIsHelpError":
                raise
            err.print(f"vidlift: {_one_line(error)}", style="red", soft_wrap=True)
            raise typer.Exit(getattr(error, "exit_code", 1)) from None


_OF_POSIX = ("fcntl", "resource")
"""Modules that Windows lacks: what writes into folders by itself or serves stands on them."""


def _one_line(error: Any) -> str:
    if isinstance(error, VidliftError):
        return str(error)
    if hasattr(error, "format_message"):  # arguments that the parser does not take
        path = error.ctx.command_path if error.ctx is not None else "vidlift"
        said = error.format_message().rstrip(".").replace("\n", " ")
        return f"{said}; see `{path} --help`"
    if isinstance(error, ImportError) and error.name in _OF_POSIX:
        return f"this command runs on Linux and macOS: there is no {error.name} here"
    return (
        f"this should not have happened: {type(error).__name__}: {error}; "
        "`vidlift --debug ...` shows where"
    )


app = typer.Typer(
    name="vidlift",
    cls=_Program,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # brackets in a help text are brackets
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"vidlift {__version__}")
        raise typer.Exit


@app.callback()
def program(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Send a small video, watch a big one: super-resolution in real time on an ordinary CPU."""


app.command()(play)
app.command()(upscale)
app.command()(verify)
app.command()(probe)
app.command()(demo)
app.command()(doctor)
app.command()(bench)
app.add_typer(cloud, name="cloud")

app.add_typer(model, name="model")
app.add_typer(data, name="data")
