"""``vidlift cloud``: publish videos into a library, serve it."""

from __future__ import annotations

import re
import sys
import time
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidlift.cli import ending, streams
from vidlift.cli.console import err, out, plain_table, print_table, warn
from vidlift.cli.progress import shown
from vidlift.cli.report import check_chart, check_report
from vidlift.errors import InputError, UsageError

if TYPE_CHECKING:
    from fractions import Fraction

    from vidlift.cloud.library import Title

cloud = typer.Typer(no_args_is_help=True, help="Publish videos into a library and serve it.")


@cloud.command()
def publish(
    video: Annotated[
        str, typer.Argument(metavar="VIDEO", help="Any video that FFmpeg can decode, or its URL.")
    ],
    library: Annotated[str, typer.Argument(metavar="LIBRARY", help="A folder of titles.")],
    *,
    rungs: Annotated[
        str, typer.Option(metavar="180,270,…", help="Sizes, by the shorter side of the picture.")
    ] = "180,270,360,540",
    codec: Annotated[str, typer.Option(help="h264, hevc, av1 or vp9.")] = "h264",
    crf: Annotated[
        int | None,
        typer.Option(help="Quality, lower is better.  [default: h264 23, hevc 25, av1 35, vp9 33]"),
    ] = None,
    bitrate: Annotated[
        str | None,
        typer.Option(
            metavar="270:400,…", help="Rates in kbit/s by rung, in place of a constant quality."
        ),
    ] = None,
    gain: Annotated[
        str,
        typer.Option(
            metavar="TIERS",
            help="Measure what these networks gain, for players to know; none: skip it.",
        ),
    ] = "m",
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Leave out rungs that super-resolution makes needless."),
    ] = False,
    whole_file: Annotated[
        bool,
        typer.Option(
            "--whole-file/--no-whole-file", help="The best rung as one file with sound as well."
        ),
    ] = True,
    name: Annotated[
        str | None, typer.Option(help="Name of the title.  [default: from the file's name]")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a title of the same name, in one step.")
    ] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Show no progress.")] = False,
) -> None:
    """Publish a video: a ladder of small renditions with sound, subtitles and a poster.

    The title appears when it is whole. When this is killed, run the same command again and it
    goes on where it was; when it is finished already, nothing is done.
    """
    from vidlift.cloud.publish import PublishOptions
    from vidlift.cloud.publish import publish as publish_video

    options = PublishOptions(
        rungs=tuple(_numbers(rungs, "--rungs")),
        codec=codec,
        crf=crf,
        kbps=_rates(bitrate),
        tiers=() if gain == "none" else tuple(gain.split(",")),
        prune=prune,
        whole_file=whole_file,
        name=name,
        overwrite=overwrite,
    )
    with shown(f"{Path(video).name} → {library}", quiet=no_progress) as progress:
        title = publish_video(video, library, options, report=progress)
    for warning in title.card["warnings"]:
        warn(warning)
    _print_title(title, Path(library))


@cloud.command()
def serve(
    library: Annotated[str, typer.Argument(metavar="LIBRARY", help="A folder of titles.")],
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8080,
    cors: Annotated[
        str,
        typer.Option(
            metavar="ORIGIN,…", help="Pages that may read what is served; none: no other's."
        ),
    ] = "*",
    secret_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Give only to signed links; keys as NAME:SECRET lines."),
    ] = None,
    connections: Annotated[int, typer.Option(help="Connections at a time.", min=1)] = 1000,
    log: Annotated[
        bool, typer.Option("--log/--no-log", help="Note each request on stdout, as JSON.")
    ] = True,
) -> None:
    """Serve a library over HTTP until stopped (Ctrl-C).

    The catalogue is at /, for programs at /catalogue.json; /healthz and /metrics are for those
    who watch over it.
    """
    from vidlift.cloud.app import AppOptions
    from vidlift.cloud.serve import ServeOptions
    from vidlift.cloud.serve import serve as serve_library

    app = AppOptions(
        cors=() if cors == "none" else tuple(cors.split(",")),
        secret_file=secret_file,
        log=streams.for_a_log() if log else None,
    )
    options = ServeOptions(host=host, port=port, connections=connections, app=app)

    def tell(url: str) -> None:
        err.print(f"vidlift: serving {library} on {url}/", soft_wrap=True)

    ending.let_be()
    serve_library(library, options, tell=tell, warn=warn)


@cloud.command()
def sign(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="What is signed: a title, or a path in it.")
    ],
    *,
    secret_file: Annotated[
        Path, typer.Option(metavar="FILE", help="Keys as NAME:SECRET lines; the first one signs.")
    ],
    hours: Annotated[
        float, typer.Option(help="How long the link is good.", min=0.001, max=1e6)
    ] = 24.0,
    depth: Annotated[
        int,
        typer.Option(help="Folders of PATH that the link covers: 1 the title, 0 all.", min=0),
    ] = 1,
) -> None:
    """Print PATH with a token before it, to put behind the server's address.

    The link is good for everything below the folders it covers. To retire a key, put another
    line before it; to end its links, take the line away.
    """
    from vidlift.cloud.tokens import read_keys

    if isnan(hours):
        raise UsageError("--hours nan: a number of hours is wanted")
    expires = int(time.time() + hours * 3600)
    out.print(read_keys(secret_file).sign(path, expires=expires, depth=depth))


@cloud.command()
def live(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A file, played at its own pace; - is a pipe.")
    ],
    library: Annotated[str, typer.Argument(metavar="LIBRARY", help="A folder of titles.")],
    *,
    rungs: Annotated[
        str, typer.Option(metavar="180,270,…", help="Sizes, by the shorter side of the picture.")
    ] = "180,270,360",
    crf: Annotated[int | None, typer.Option(help="Quality, lower is better.")] = None,
    name: Annotated[str, typer.Option(help="Name of the title.")] = "live",
    window: Annotated[int, typer.Option(help="Segments in the list.", min=3, max=1000)] = 8,
) -> None:
    """Offer what comes in as a live film, until it ends (Ctrl-C, SIGTERM, SIGHUP).

    A list of the newest segments slides along; `serve` or any web server delivers it meanwhile.
    """
    from vidlift.cloud.library import library_folder, title_name
    from vidlift.cloud.live import LiveOptions, go_live

    if source == "-" and sys.stdin is None:
        raise InputError("- is what comes from a pipe, and standard input is closed")
    options = LiveOptions(
        rungs=tuple(_numbers(rungs, "--rungs")),
        crf=crf,
        name=name,
        window=window,
        pace=source != "-",
    )
    where = library_folder(library) / title_name(name)

    def tell(count: int, _time: Fraction) -> None:
        if count == 1:
            err.print(f"vidlift: live in {where}; Ctrl-C ends it", soft_wrap=True)

    ending.only_once()  # viewers are told of the end: whoever is impatient does not stop that
    entry = sys.stdin.buffer if source == "-" else Path(source)
    title = go_live(entry, library, options, tell=tell)
    for warning in title.card["warnings"]:
        warn(warning)
    out.print(f"{where} has ended")


@cloud.command()
def report(
    title: Annotated[Path, typer.Argument(metavar="TITLE", help="A title's folder.")],
    *,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw it (extra: charts).")
    ] = None,
    as_json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE.json", help="Keep the figures.")
    ] = None,
) -> None:
    """Show what super-resolution saves on a title: quality against bitrate, bits at equal quality.

    Uses what `publish` measured, for plain players (bilinear), bicubic and each tier; bits saved
    are Bjøntegaard's, over the rungs.
    """
    from vidlift.cloud.library import CARD, MASTER
    from vidlift.cloud.report import CALLED, read_report

    check_report(as_json, apart_from=(title / CARD, title / MASTER))
    check_chart(chart)
    found = read_report(title)
    for measure, curves in found.curves.items():
        table = plain_table(title=CALLED[measure], title_justify="left")
        for column in ("rung", "kbit/s", *curves):
            table.add_column(column, justify="right")
        for index, rung in enumerate(found.rungs):
            rate = f"{found.rates[index] / 1000:.0f}"
            table.add_row(rung, rate, *(f"{curve[index]:.2f}" for curve in curves.values()))
        print_table(table)
    for measure, by_tier in found.saved.items():
        for tier, saved in by_tier.items():
            text = "not comparable" if saved is None else f"{-saved:+.1f} % bits"
            out.print(f"{tier} against bicubic at equal {CALLED[measure]}: {text}")
    if as_json is not None:
        found.save(as_json)
    if chart is not None:
        found.draw(chart)


def _print_title(title: Title, library: Path) -> None:
    out.print(str(library / title.name), style="italic")
    table = plain_table()
    for column in ("rung", "size", "kbit/s", "MB"):
        table.add_column(column, justify="right")
    means = [_by_way(r.get("psnr_y", {}).get("mean", {})) for r in title.renditions]
    ways = list(dict.fromkeys(way for mean in means for way in mean))
    for way in ways:
        table.add_column(way, justify="right")
    for r, mean in zip(title.renditions, means, strict=True):
        table.add_row(
            r["name"],
            f"{r['width']}x{r['height']}",
            f"{r['bits_per_second'] / 1000:.0f}",
            f"{r['bytes'] / 1e6:.2f}",
            *(f"{mean[way]:.2f} dB" if way in mean else "" for way in ways),
        )
    print_table(table)
    if title.card["needless"]:
        there = {r["name"] for r in title.renditions}
        for name in title.card["needless"]:
            note = "--prune leaves it out" if name in there else "left out"
            out.print(f"{name} is needless with super-resolution: {note}")


def _by_way(mean: dict[str, float]) -> dict[str, float]:
    """Figures by model as figures by tier, ``bilinear`` and ``bicubic``."""
    return {model.partition("-x")[0]: value for model, value in mean.items()}


def _numbers(text: str, option: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() and len(part) < 6 for part in parts):
        raise UsageError(f"{option} {text!r}: numbers with commas between them are wanted")
    return [int(part) for part in parts]


def _rates(text: str | None) -> dict[int, int]:
    found = {}
    for part in () if text is None else text.split(","):
        pair = re.fullmatch(r"\s*(\d{1,5}):(\d{1,6})\s*", part, re.ASCII)
        if pair is None:
            raise UsageError(f"--bitrate {text!r}: RUNG:KBITS with commas between them are wanted")
        found[int(pair[1])] = int(pair[2])
    return found
