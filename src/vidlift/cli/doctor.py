"""``vidlift doctor``: what there is on this machine, tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from vidlift.cli.console import out, plain_table, print_table, verbatim
from vidlift.cli.report import check_report, save_json
from vidlift.errors import ModelError, OutputError


def doctor(
    *,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write what was found here.")
    ] = None,
) -> None:
    """Try the engines, the networks, screen and sound of this machine, and say what is chosen.

    Each engine runs a network and is compared with the slow reference. Exit code 6 where none
    that plays films works.
    """
    from vidlift import models
    from vidlift.engines.selftest import try_engines
    from vidlift.evaluation import machine

    check_report(report)
    about = machine.about()
    units = ", ".join(about["units"]) or "no vector units that are known"
    _line("processor", f"{about['processor']}, {about['cores']} cores: {units}")
    _line("system", about["system"])
    _line("versions", ", ".join(f"{name} {found}" for name, found in about["versions"].items()))
    names = models.names()
    _line("networks", ", ".join(names) or "none shipped")
    trial = models.load(names[0] if names else "bicubic-x2")
    table = plain_table()
    for head in ("engine", "", "what", "found"):
        table.add_column(head)
    found = list(try_engines(trial))
    for finding in found:
        table.add_row(
            finding.engine,
            "chosen" if finding.chosen else "works" if finding.works else "no",
            finding.name,
            verbatim(finding.says),
        )
    out.print(f"\nself-test with {trial.descriptor.name}:")
    print_table(table)
    out.print()
    ends = dict(_ends())
    for name, says in ends.items():
        _line(name, says)
    if report is not None:
        content = {**about, "networks": names, "engines": [asdict(each) for each in found], **ends}
        save_json(report, content)
    if not any(finding.chosen for finding in found):
        raise ModelError("no engine that plays films works on this machine")


def _line(name: str, says: str) -> None:
    out.print(f"{name:10}{says}")


def _ends() -> Iterator[tuple[str, Any]]:
    """Screen, sound and power, each as it is or why not."""
    from contextlib import closing

    from vidlift.player.power import EnergyMeter, on_battery
    from vidlift.sinks import rendering
    from vidlift.sinks.speaker import Speaker
    from vidlift.sinks.window import Window

    try:
        with closing(Window("trial", source_height=1)) as window:
            width, height = window.screen_size
            by = "" if rendering.may_have_gpu() else ", drawn on the CPU: no GPU is found"
            yield "screen", f"{width}x{height}{by}"
    except OutputError as error:
        yield "screen", f"none: {error}"
    try:
        with closing(Speaker()):
            yield "sound", "works"
    except OutputError as error:
        yield "sound", f"none: {error}"
    told = "tells joules" if EnergyMeter().joules() is not None else "does not tell joules"
    yield "power", f"{'battery' if on_battery() else 'mains'}, {told}"
