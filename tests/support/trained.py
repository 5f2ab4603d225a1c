"""Networks as if they had been trained. Needs torch: import it after `importorskip`."""

from __future__ import annotations

from pathlib import Path

from vidlift.training import architectures, export
from vidlift.training.checkpoint import Checkpoint
from vidlift.training.recipe import Recipe


def checkpoint_of(
    network: architectures.Plain, architecture: str, *, scale: int, name: str = "m"
) -> Checkpoint:
    """The state of a run of one step that ended with these weights."""
    recipe = Recipe(
        name=name, tier="s", scale=scale, architecture=architecture, pictures=("p",), steps=1
    )
    weights = network.state_dict()
    return Checkpoint(
        recipe=recipe,
        training_data="0" * 64,
        step=1,
        network=weights,
        average=weights,
        optimizer={},
        bf16=False,
        threads=1,
        seconds=0.0,
    )


def model_file(
    folder: Path, network: architectures.Plain, architecture: str, *, half: bool = False
) -> Path:
    """The network as ``s-x2.onnx`` in a folder, with its card."""
    state = checkpoint_of(network, architecture, scale=2, name="s-x2")
    return export.write(state, folder, half=half)
