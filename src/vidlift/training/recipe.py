"""A recipe: everything that decides a trained network, in one TOML file. See ``recipes/``."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from vidlift.descriptor import SCALES, TIERS
from vidlift.errors import InputError, UsageError
from vidlift.training import architectures

OPTIMIZERS = ("muon", "adam")

LOSSES = ("l1", "psnr")

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
"""What names look like: they become those of files and folders."""

SEEDS = 2**64

RANGES = (
    ("seed", 0, SEEDS - 1),
    ("title_crf", 0, 51),
    ("ema", 0, 1),
    ("warmup", 0, SEEDS - 1),
    ("bits", 0, 16),
)
"""Names of numbers, and the least and the greatest that they may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one network is trained. Two runs of one recipe on one kind of machine agree."""

    name: str
    """File name of the model, without its ending: ``m-x4``."""

    tier: str
    scale: int
    architecture: str
    """A name of ``architectures.ARCHITECTURES``: ``plain-16x6``."""

    steps: int
    pictures: tuple[str, ...] = ()
    """Folders of training pictures, relative to ``--data``."""

    packs: tuple[str, ...] = ()
    """Packs made by ``vidlift data pack``, relative to ``--data``."""

    through: tuple[str, ...] = ()
    """Patterns of what pictures of packs went through, to learn from those only: ``h264-3?``."""

    sources: str = ""
    """What the pictures are and under which licences, in words, for the card. The only key that may
    change while a run is under way."""

    leave_out: tuple[str, ...] = ()
    """Patterns of names of pictures that are not learnt from: ``screen_*``."""

    shrink: float = 1.0
    """Factor below 1 by which pictures are shrunk as well, to be learnt from at both sizes: it
    hides what compression, or the camera, left in them."""

    stretch: float = 1.0
    """Factor above 1 by which the contrast of every fourth picture is raised, to be learnt from as
    well: so that the flat black and white of full range, which luma of photographs does not have,
    stay flat."""

    titles: tuple[str, ...] = ()
    """Videos to tune a network on, relative to ``--data``."""

    title_crf: int = 28
    """Quality at which titles go through x264 before they are learnt from; 0 is lossless."""

    batch: int = 16
    patch: int = 48
    """Side of a low-resolution patch."""

    rate: float = 1e-2
    """Learning rate of Muon, for kernels; the rest learns by Adam at a tenth of it."""

    optimizer: str = "muon"
    """``muon``, or ``adam`` for all at ``rate``, to compare with."""

    loss: str = "l1"
    """``l1``, or ``psnr``: minus the PSNR of each patch, so that all count in dB and none outweighs
    the others by its contrast."""

    warmup: int = 100
    """Steps over which the rate rises; then it falls to 0 along a cosine."""

    clip: float = 1.0
    """Largest norm of the gradient."""

    ema: float = 0.999
    """Share of the old in the moving average of the weights, which is what is kept."""

    bits: int = 0
    """What layers pass on is rounded to so many bits while learning, at the range of the batch (on
    several processes, of each one's share), so that the network loses less in 8 bits; 0: not."""

    seed: int = 1
    start: str | None = None
    """What to begin from, a checkpoint or a model by name or file: layers of the same shape are
    taken over, a tail of another scale begins anew."""

    teacher: str | None = None
    """A network whose pictures are learnt from beside the true ones: a run's folder, a model by
    name or file, or a published network's ONNX file."""

    teacher_share: float = 0.5
    """Share of the loss that is the distance to the teacher's picture, 0 to 1."""

    teacher_ensemble: bool = False
    """Whether the teacher's picture is the mean of what it makes of all eight ways to turn and
    mirror the input."""

    feature_share: float = 0.0
    """Weight of the distance to the features of a teacher of ours, added to the loss."""

    licence: str = "Apache-2.0"

    def __post_init__(self) -> None:
        self._check_name()
        self._check_numbers()
        if self.tier not in TIERS or self.scale not in SCALES:
            raise UsageError(
                f"recipe {self.name}: tier is one of {', '.join(TIERS)} and scale one of 2, 3, 4, "
                f"got {self.tier!r} and {self.scale!r}"
            )
        if not self.pictures and not self.packs and not self.titles:
            raise UsageError(
                f"recipe {self.name}: it names neither pictures nor packs nor titles to learn from"
            )
        if self.optimizer not in OPTIMIZERS:
            raise UsageError(
                f"recipe {self.name}: optimizer is one of {', '.join(OPTIMIZERS)}, "
                f"got {self.optimizer!r}"
            )
        if self.loss not in LOSSES:
            raise UsageError(
                f"recipe {self.name}: loss is one of {', '.join(LOSSES)}, got {self.loss!r}"
            )
        if not 0 < self.shrink <= 1:
            raise UsageError(f"recipe {self.name}: shrink is above 0, up to 1, got {self.shrink}")
        if self.stretch < 1:
            raise UsageError(f"recipe {self.name}: stretch is 1 or more, got {self.stretch}")
        if not 0 <= self.teacher_share <= 1 or self.feature_share < 0:
            raise UsageError(
                f"recipe {self.name}: teacher_share is 0 to 1 and feature_share 0 or more, "
                f"got {self.teacher_share} and {self.feature_share}"
            )
        fold = architectures.fold_of(self.architecture)
        if self.patch % fold:
            raise UsageError(
                f"recipe {self.name}: {self.architecture} works on {fold}x{fold} pixels, so patch "
                f"is a multiple of {fold}, got {self.patch}"
            )

    def _check_name(self) -> None:
        if not NAME.fullmatch(self.name):
            raise UsageError(
                "the name of a recipe, and of its model, is of A-Z, a-z, 0-9, '.', '_' and '-' and "
                f"does not begin with a dot, got {self.name!r}"
            )

    def _check_numbers(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.type == "float" and not _is_finite(value):
                raise UsageError(f"recipe {self.name}: {each.name} is a finite number, got {value}")
        if min(self.steps, self.batch, self.patch) < 1 or self.rate <= 0 or self.clip <= 0:
            raise UsageError(
                f"recipe {self.name}: steps, batch, patch, rate and clip are more than 0"
            )
        for name, least, most in RANGES:
            if not least <= getattr(self, name) <= most:
                upto = f"{least} to {most}" if most < SEEDS - 1 else f"{least} or more, below 2^64"
                raise UsageError(f"recipe {self.name}: {name} is {upto}, got {getattr(self, name)}")


def read(where: Path, **changes: Any) -> Recipe:
    """Read a recipe file; ``changes`` replace what it says.

    Raises ``UsageError``, also where the network costs more than its tier allows.
    """
    try:
        content = tomllib.loads(where.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the recipe {where}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not TOML, which is text in UTF-8: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} is not TOML: {error}") from error
    recipe = parse({**content, **changes}, where=str(where))
    _check_tier(recipe, where)
    return recipe


def _check_tier(recipe: Recipe, where: Path) -> None:
    network = architectures.build(recipe.architecture, scale=recipe.scale)
    own = architectures.tier_of(network) or TIERS[-1]
    if TIERS.index(own) > TIERS.index(recipe.tier):
        cost = architectures.macs(network) / recipe.scale**2
        raise UsageError(
            f"{where}: {recipe.architecture} takes {cost:,.0f} multiply-accumulates an output "
            f"pixel, and tier {recipe.tier} allows {architectures.CEILINGS[recipe.tier]:,}: it is "
            f"of tier {own}"
        )


def parse(content: Mapping[str, Any], *, where: str) -> Recipe:
    """A recipe from its keys and values; ``where`` names them in the error."""
    known = {f.name: f for f in fields(Recipe)}
    if foreign := sorted(set(content) - set(known)):
        raise UsageError(
            f"{where}: a recipe has no {', '.join(foreign)}; it has {', '.join(known)}"
        )
    needed = [n for n, f in known.items() if f.default is MISSING and n not in content]
    if needed:
        raise UsageError(f"{where}: the recipe lacks {', '.join(needed)}")
    values: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in content.items()
    }
    for key, value in values.items():
        kinds, wanted = _KINDS[str(known[key].type)]
        right = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
        if isinstance(value, tuple):
            right = right and all(isinstance(part, str) for part in value)
        if value is not None and not right:
            raise UsageError(f"{where}: {key} is {wanted}, got {content[key]!r}")
    return Recipe(**values)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "text"),
    "str | None": ((str,), "text"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "tuple[str, ...]": ((tuple,), "a list of texts"),
}
"""By annotation: what a value may be, and that in words."""
