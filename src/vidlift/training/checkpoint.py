"""The state of a run, on disk: enough to go on to the bit, and to export from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from vidlift.errors import InputError, OutputError, UsageError
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
    """Replace the file by the new state; a kill leaves one of the two, whole.

    Raises ``OutputError`` where it cannot be written; the old state is then left.
    """
    content = {
        "format": FORMAT,
        "recipe": {n: getattr(state.recipe, n) for n in state.recipe.__dataclass_fields__},
        **{n: getattr(state, n) for n in state.__dataclass_fields__ if n != "recipe"},
    }
    part = where.with_suffix(".part")
    try:
        with part.open("wb") as out:
            torch.save(content, out)
            out.flush()
            os.fsync(out.fileno())
        part.replace(where)
    except (OSError, RuntimeError) as error:  # torch's own words for a write that failed
        with suppress(OSError):
            part.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else first_line(error)
        raise OutputError(f"cannot write the checkpoint {where}: {reason}") from error


def load(where: Path) -> Checkpoint:
    """Read a state; tensors and plain values only, no code. Raises ``InputError`` for what is no
    state of this version, or has weights that its recipe's network has not."""
    try:
        content = torch.load(where, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"no checkpoint {where}") from None
    except Exception as error:  # torch raises many kinds for a file that is not its own
        raise InputError(f"{where} is not a checkpoint: {first_line(error)}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{where} is not a checkpoint of this version of Vidlift")
    try:
        state = _state(content)
        _check_weights(state)
    except Exception as error:  # as many kinds as there are ways to damage a file
        raise InputError(f"{where} is not a whole checkpoint: {first_line(error)}") from error
    return state


def first_line(error: Exception) -> str:
    """What an error says, in one line; its kind where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    return f"{lines[0]} {lines[1]}" if lines[0].endswith(":") and lines[1:] else lines[0]


def _state(content: Mapping[str, Any]) -> Checkpoint:
    known = {each.name: each for each in fields(Checkpoint)}
    given = {name: value for name, value in content.items() if name != "format"}
    if foreign := sorted(map(str, set(given) - set(known))):
        raise UsageError(f"it should not have {', '.join(foreign)}")
    needed = [
        name
        for name, each in known.items()
        if each.default is MISSING and each.default_factory is MISSING and name not in given
    ]
    if needed:
        raise UsageError(f"it lacks {', '.join(needed)}")
    for name, value in given.items():
        if not isinstance(value, _KINDS[str(known[name].type)]):
            raise UsageError(f"its {name} is of another kind, {type(value).__name__}")
    recipe = parse(given.pop("recipe"), where="its recipe")
    return Checkpoint(recipe=recipe, **given)


_KINDS: dict[str, type | tuple[type, ...]] = {
    "Recipe": dict,
    "str": str,
    "int": int,
    "bool": bool,
    "float": (int, float),
    "dict[str, Any]": dict,
}
"""By annotation: what a value is in the file."""


def _check_weights(state: Checkpoint) -> None:
    """Raises an error where the weights are not those of the recipe's network."""
    with torch.random.fork_rng(devices=[]):  # whoever loads a start draws as if nothing was built
        network = architectures.build(state.recipe.architecture, scale=state.recipe.scale)
    for weights in (state.average, state.network):
        network.load_state_dict(weights)
