"""The state of a run, on disk: enough to go on to the bit, and to export from."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vidlift.errors import InputError
from vidlift.training import architectures
from vidlift.training.architectures import Plain
from vidlift.training.recipe import Recipe, parse

FORMAT = 2

FILE = "checkpoint.pt"
"""Name of the checkpoint in the folder of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    recipe: Recipe
    training_data: str
    """SHA-256 of the training pictures."""

    step: int
    """How many steps are done."""

    network: dict[str, Any]
    average: dict[str, Any]
    """Moving average of the weights: what is exported."""

    optimizer: dict[str, Any]
    bf16: bool
    threads: int
    """What the run computes with; others give other last bits."""

    seconds: float
    """Time spent on the steps so far."""

    adapters: dict[str, Any] = field(default_factory=dict)
    """What stands between the network's features and its teacher's, where features are taught."""

    teacher: str = ""
    """SHA-256 of the teacher's file; empty where nobody teaches."""


def averaged(state: Checkpoint) -> Plain:
    """The network that is kept of a run."""
    network = architectures.build(state.recipe.architecture, scale=state.recipe.scale)
    network.load_state_dict(state.average)
    return network


def save(where: Path, state: Checkpoint) -> None:
    """Replace the file by the new state; a kill leaves one of the two, whole."""
    content = {
        "format": FORMAT,
        "recipe": {n: getattr(state.recipe, n) for n in state.recipe.__dataclass_fields__},
        **{n: getattr(state, n) for n in state.__dataclass_fields__ if n != "recipe"},
    }
    part = where.with_suffix(".part")
    with part.open("wb") as out:
        torch.save(content, out)
        out.flush()
        os.fsync(out.fileno())
    part.replace(where)


def load(where: Path) -> Checkpoint:
    """Read a state; tensors and plain values only, no code. Raises ``InputError``."""
    try:
        content = torch.load(where, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"no checkpoint {where}") from None
    except Exception as error:  # torch raises many kinds for a file that is not its own
        raise InputError(f"{where} is not a checkpoint: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise InputError(f"{where} is not a checkpoint of this version of Vidlift")
    recipe = parse(content.pop("recipe"), where=str(where))
    return Checkpoint(recipe=recipe, **content)
