"""How films are to be played."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from pathlib import Path

from vidlift import engines
from vidlift.descriptor import SCALES
from vidlift.errors import UsageError
from vidlift.sources.labels import Wanted

DISPLAYS = ("window", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOptions:
    scale: int | None = None
    """2, 3 or 4; None: that of the model, or what fits the screen and then the window."""

    model: str | None = None
    """A name of the catalogue or an ``.onnx`` file; None: what the machine has time for."""

    super_resolve: bool = True
    """Begin with super-resolution, or with bicubic interpolation."""

    duration: float | None = None
    """Seconds of each film to play, from its beginning; None: all."""

    display: str = "none"
    """``window``, or ``none``: SDL's dummy drivers, which take pictures and sound as real ones."""

    loop: bool = False
    """Play the films over and over."""

    eco: bool = False
    """Use no more than the cheapest networks, as on battery."""

    save: Path | None = None
    """The file that what is received of the only film goes into as well, as it came."""

    cached: bool = True
    """Keep what is received on the disk for another time, within bounds."""

    sound: Wanted | None = None
    """The track of sound to play, where a film has it; ``none``: none of them; None: what each
    film asks for."""

    subtitles: Wanted | None = None
    """The subtitles to show, likewise; ``none``: none of them."""

    engine: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and self.scale not in SCALES:
            raise UsageError(f"scale {self.scale}: there are networks for 2, 3 and 4")
        if self.display not in DISPLAYS:
            raise UsageError(f"display {self.display!r} is none of {', '.join(DISPLAYS)}")
        if self.duration is not None and not 0 < self.duration < inf:
            raise UsageError(f"a duration is a number of seconds above 0, got {self.duration}")
        engines.check(self.engine, threads=self.threads)  # a film may need no network for long
