"""``vidlift cloud``: publish videos into a library, serve it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidlift.cli.console import err, out
from vidlift.cli.progress import shown

cloud = typer.Typer(no_args_is_help=True, help="Publish videos into a library and serve it.")


@cloud.command()
def publish(
    video: Annotated[
        str, typer.Argument(metavar="VIDEO", help="Any video that FFmpeg can decode, or its URL.")
    ],
    library: Annotated[Path, typer.Argument(metavar="LIBRARY", help="A folder of titles.")],
    *,
    name: Annotated[
        str | None, typer.Option(help="Name of the title.  [default: from the file's name]")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a title of the same name, in one step.")
    ] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Show no progress.")] = False,
) -> None:
    """Publish a video: small, with its sound, whole or not at all."""
    from vidlift.cloud.publish import PublishOptions
    from vidlift.cloud.publish import publish as publish_video

    options = PublishOptions(name=name, overwrite=overwrite)
    with shown(f"{Path(video).name} → {library}", quiet=no_progress) as progress:
        title = publish_video(video, library, options, report=progress)
    for rendition in title.renditions:
        size = f"{rendition['width']}x{rendition['height']}"
        where = library / title.path(rendition["file"])
        out.print(f"{where}: {size}, {rendition['bytes'] / 1e6:.2f} MB", soft_wrap=True)


@cloud.command()
def serve(
    library: Annotated[Path, typer.Argument(metavar="LIBRARY", help="A folder of titles.")],
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8080,
) -> None:
    """Serve a library over HTTP until stopped (Ctrl-C)."""
    from vidlift.cloud.serve import serve as serve_library

    err.print(f"vidlift: serving {library} on http://{host}:{port}/", soft_wrap=True)
    serve_library(library, host=host, port=port)
