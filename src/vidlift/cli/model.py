"""``vidlift model``: the networks that are there, and how others are made."""

from __future__ import annotations

from typing import Annotated

import typer

from vidlift.cli.console import out, plain_table, print_table
from vidlift.cli.model_eval import evaluate
from vidlift.cli.model_plot import plot
from vidlift.cli.model_prune import prune
from vidlift.cli.model_quantize import quantize
from vidlift.cli.model_train import distill, export, train
from vidlift.cli.model_tune import tune

app = typer.Typer(no_args_is_help=True, help="List, inspect and measure networks, and make others.")


@app.command("list")
def list_models() -> None:
    """List the networks that come with Vidlift."""

    from vidlift import models

    table = plain_table(header_style="bold")
    for title in ("name", "tier", "scale", "architecture", "MAC/output px", "KB"):
        table.add_column(title, justify="left" if title in ("name", "architecture") else "right")
    for name in models.names():
        descriptor, card = models.describe(name), models.card(name) or {}
        table.add_row(
            name,
            descriptor.tier,
            str(descriptor.scale),
            descriptor.architecture,
            str(card.get("mac_per_output_pixel", "")),
            f"{card.get('bytes', 0) / 1000:.0f}",
        )
    print_table(table)


@app.command()
def info(
    model: Annotated[
        str, typer.Argument(metavar="NAME|FILE.onnx", help="A shipped network or a model file.")
    ],
) -> None:
    """Print what a model says of itself, and its card where there is one."""
    import json

    from vidlift import models

    loaded = models.load(model)
    said = {**loaded.descriptor.to_metadata(), "sha256": loaded.sha256}
    card = models.card(model) if not model.startswith(f"{models.BICUBIC}-") else None
    out.print_json(json.dumps({"descriptor": said, "card": card}))


app.command()(train)
app.command()(distill)
app.command()(prune)
app.command()(tune)
app.command()(quantize)
app.command()(export)
app.command()(plot)
app.command("eval")(evaluate)
