"""Which networks there are for a film, what each costs on this machine, and the scales that fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock

from vidlift import models
from vidlift.descriptor import SCALES, TIERS
from vidlift.frame import Frame
from vidlift.models import auto, family
from vidlift.models.family import Training
from vidlift.player import calibration, precision
from vidlift.player.governor import Rung
from vidlift.player.shelf import AsItIs, Network
from vidlift.sources.synthetic import SyntheticSource
from vidlift.stages.pair import Pair, pair
from vidlift.stages.reuse import NOISE, Reuse
from vidlift.upscaler import Upscaler
from vidlift.video import VideoInfo

ROOM = 1.15
"""How much larger than the window a picture may be made: shrinking a little loses nothing."""

NEARLY = 1.05
"""Times the picture's size up to which a window is not worth enlarging for."""

AS_IT_IS = "as it is"
"""What makes pictures that are as large as the window already."""

FREE = 1e-6
"""Cost of what takes no time: costs are more than 0."""

BUSY_THEN = 2 / 3
"""Share of what networks were measured to take at which it is the measurement that was wrong."""

TIMES_INT8 = 2.0
"""What a network takes at most, about, of its time in 8 bits where those are not used: in float32
with AVX2 alone, in bfloat16 with VNNI."""


def is_network(name: str) -> bool:
    """Whether a maker of pictures is more than interpolation, or nothing at all."""
    return not name.startswith((models.BICUBIC, AS_IT_IS))


@dataclass(slots=True, kw_only=True)
class Engines:
    """How networks are run."""

    engine: str = "auto"
    threads: int | None = None
    speeds: calibration.Speeds
    ways: Sequence[str] | None = ()
    """What is used in the place of float32, as ``precision.worth`` has it; None: what is worth it
    here, which is measured when it is first asked, unless it is known."""

    @property
    def known(self) -> bool:
        """Whether ``of`` and ``best`` have their answers without measuring."""
        return self.ways is not None or precision.known(
            self.engine, threads=self.threads, speeds=self.speeds
        )

    def of(self, model: models.Model) -> str:
        """The engine to ask for, for a network."""
        mixed = precision.allowed(model) and precision.MIXED in self._worth()
        return precision.MIXED if mixed else self.engine

    def best(self, names: Sequence[str]) -> str:
        """Of a network as it was trained, the first, and its variants: the one to use."""
        return precision.best(names, self._worth())

    def _worth(self) -> Sequence[str]:
        if self.ways is None:
            self.ways = precision.worth(self.engine, threads=self.threads, speeds=self.speeds)
        return self.ways


class Ladders:
    """Rungs and networks for frames of one film."""

    def __init__(
        self,
        info: VideoInfo,
        *,
        engines: Engines,
        model: models.Model | None = None,
        like: Ladders | None = None,
    ) -> None:
        """``model`` is the one network to use, at its scale; None: all of the catalogue that
        suit the film's stream, as ``models/auto.py`` says. ``like`` is for the same film in
        another size: what is not known of this one is foretold from there, not measured."""
        self.info = info
        self._foretell = like is not None
        self._costs: dict[str, float] = {} if like is None else like._costs
        """Seconds that a network takes for a sample of its output, by ``_kind``, at any size."""

        self._engines = engines
        self._speeds = engines.speeds
        self._models: dict[str, models.Model] = {}
        self._only = model
        stream = auto.Stream(
            codec=info.codec, bits_per_pixel=info.bits_per_pixel, quantizer=info.quantizer
        )
        self._training, self.chosen_for = auto.training_for(stream)
        self._plain: dict[int, Upscaler] = {}
        self._keys: dict[str, str] = {}
        self._tried: set[str] = set()
        """Networks that were to be measured in this run: some may have found no time."""

        self._engine_names: dict[str, str] = {} if like is None else like._engine_names
        self.measuring: Lock = Lock() if like is None else like.measuring
        """Held while networks are measured: two threads at once would slow one another down."""

        self._made: dict[int, Sequence[Rung]] = {}
        self._found: dict[int, list[models.Model]] = {}
        self.engine_of: dict[str, str] = {}
        """Name and version of the engine, by the network that it ran."""

    def rungs(self, scale: int) -> Sequence[Rung]:
        """The ladder of a scale; measured when it is first asked for, unless that is known.

        Of each tier it has the network as trained, or in 8 bits where that is worth it here. Any
        thread may ask.
        """
        with self.measuring:
            if scale not in self._made:
                self._made[scale] = self._make(scale)
            return self._made[scale]

    def model(self, name: str) -> models.Model:
        """The model of a rung."""
        return self._models[name]

    def open(self, rung: Rung) -> Network:
        """A network, not loaded yet. Plain interpolation of a scale is opened first."""
        if rung.scale == 1:
            return AsItIs()
        model = self._models[rung.name]
        upscaler = Upscaler(
            model,
            engine=self._engines.of(model),
            threads=self._engines.threads,
            siting=self.info.siting,
            chroma_of=None if rung.tier == "kernel" else self._plain[rung.scale],
        )
        if rung.tier == "kernel":
            self._plain[rung.scale] = upscaler
        self.engine_of[rung.name] = upscaler.engine
        lossless = self.info.codec in auto.WHOLE
        return Reuse(upscaler, threshold=0 if lossless else NOISE, beside=True)

    def engine(self, rung: Rung) -> str:
        """Name and version of the engine that a rung was measured on; empty where it has none."""
        return self._engine_names.get(rung.name, "")

    def learn(self, shown: Mapping[str, float]) -> None:
        """Put what a film showed networks to cost, seconds a pair by name, in the place of what was
        foretold. If that is far less, the machine was busy when they were measured, and what the
        film did not show costs less by as much: it would never be tried else.
        """
        foretold = {
            name: cost for name, key in self._keys.items() if (cost := self._speeds.get(key))
        }
        share = max((shown[name] / foretold[name] for name in shown.keys() & foretold), default=1)
        less = {name: share * cost for name, cost in foretold.items() if share <= BUSY_THEN}
        for name, cost in {**less, **shown}.items():
            if name in self._keys:
                self._speeds.put(self._keys[name], cost)
        self._speeds.save()

    def trial(self, scale: int, pair: Pair) -> Iterator[tuple[str, Frame]]:
        """Measure on a pair of the film what is not known of a scale's networks.

        Yields what each made of the first frame: something to see meanwhile.
        """
        looked = not self._engines.known
        if looked:
            yield from self._first_look(scale, pair)
        wanted = self._wanted(scale)
        missing = self._missing(wanted)
        if not missing or self._foretold(wanted):
            return
        found: dict[str, float] = {}
        networks = self._to_measure(missing)
        for name, frame in calibration.trial(
            networks, pair=pair, lasts=self.pair_lasts, found=found
        ):
            if not (looked and name == wanted[0].descriptor.name):  # nothing worse than before
                yield name, frame
        self._keep(missing, found)

    def known(self, scale: int) -> bool:
        """Whether the ladder of a scale can be had without measuring anything."""
        return self._engines.known and not self._missing(self._wanted(scale))

    def _first_look(self, scale: int, pair: Pair) -> Iterator[tuple[str, Frame]]:
        """The first frame as the cheapest network makes it, before anything is measured."""
        for name, *_ in self._members(scale)[:1]:
            with Upscaler(
                self._only or models.load(name),
                engine=self._engines.engine,
                threads=self._engines.threads,
                siting=self.info.siting,
            ) as upscaler:
                yield name, upscaler.frame(pair.first)

    def _wanted(self, scale: int) -> list[models.Model]:
        """What a ladder is made of, cheapest first; nothing for scale 1."""
        if scale not in self._found:
            found = [] if scale == 1 else [models.kernel(scale=scale), *self._networks(scale)]
            self._models |= {model.descriptor.name: model for model in found}
            self._found[scale] = found
        return self._found[scale]

    def _make(self, scale: int) -> Sequence[Rung]:
        if scale == 1:
            return [Rung(name=AS_IT_IS, tier="kernel", scale=1, cost=FREE)]
        wanted = self._wanted(scale)
        missing = self._missing(wanted)
        costs = self._foretold(wanted) if missing else {}
        if missing and not costs:
            found = calibration.measure(
                self._to_measure(missing), pair=_probe(self.info), lasts=self.pair_lasts
            )
            self._keep(missing, found)
        costs = costs or self._known(wanted)
        samples = self.info.width * self.info.height * scale**2
        self._costs |= {_kind(name): cost / samples for name, cost in costs.items()}
        return [
            Rung(name=name, tier=model.descriptor.tier, scale=scale, cost=max(FREE, costs[name]))
            for model in wanted
            if (name := model.descriptor.name) in costs
        ]

    def _networks(self, scale: int) -> list[models.Model]:
        if self._only is not None:
            return [self._only for _ in self._members(scale)]
        return [models.load(self._engines.best(names)) for names in self._members(scale)]

    def _members(self, scale: int) -> list[list[str]]:
        """By tier the name of the network as it was trained, and those of its variants."""
        if self._only is not None:
            only = self._only.descriptor
            return [[only.name]] if (only.scale, only.tier == "kernel") == (scale, False) else []
        there = models.names()
        tiers = (
            family.members(there, tier=tier, scale=scale, training=self._training) for tier in TIERS
        )
        return [names for names in tiers if names]

    def _known(self, wanted: Sequence[models.Model]) -> dict[str, float]:
        """Seconds a pair, by name, of those that were measured, now or before."""
        found = {model.descriptor.name: self._speeds.get(self._key(model)) for model in wanted}
        return {name: cost for name, cost in found.items() if cost is not None}

    def _missing(self, wanted: Sequence[models.Model]) -> list[models.Model]:
        """Those that are not known, but might be fast enough: none after a hopeless one."""
        known = self._known(wanted)
        missing = []
        for model in wanted:
            name = model.descriptor.name
            if known.get(name, 0) > calibration.HOPELESS * self.pair_lasts:
                break
            if name not in known and name not in self._tried:
                missing.append(model)
        return missing

    def _foretold(self, wanted: Sequence[models.Model]) -> dict[str, float]:
        """By what they cost in the other size: networks of a tier take about the same time for a
        sample of their output, whatever the scale."""
        known = self._costs if self._foretell else {}
        area = self.info.width * self.info.height
        found = {}
        for each in (model.descriptor for model in wanted):
            if cost := _like(_kind(each.name), known):
                found[each.name] = cost * area * each.scale**2
        return found

    @property
    def pair_lasts(self) -> float:
        """Seconds that a pair of the film is shown, by its average rate."""
        return float(2 / (self.info.rate or 24))

    def _to_measure(self, wanted: Sequence[models.Model]) -> calibration.Networks:
        return [
            (
                model.descriptor.name,
                lambda model=model: Upscaler(  # type: ignore[misc]
                    model,
                    engine=self._engines.of(model),
                    threads=self._engines.threads,
                    siting=self.info.siting,
                ),
            )
            for model in wanted
        ]

    def _keep(self, wanted: Sequence[models.Model], costs: Mapping[str, float]) -> None:
        for model in wanted:
            self._tried.add(model.descriptor.name)
            if model.descriptor.name in costs:
                self._speeds.put(self._key(model), costs[model.descriptor.name])
        self._speeds.save()

    def _key(self, model: models.Model) -> str:
        info, name = self.info, model.descriptor.name
        if name not in self._engine_names:
            with Upscaler(
                model, engine=self._engines.of(model), threads=self._engines.threads
            ) as upscaler:
                self._engine_names[name] = upscaler.engine
        if name not in self._keys:
            self._keys[name] = calibration.key(
                sha256=model.sha256,
                engine=self._engine_names[name],
                size=(info.width, info.height),
                bits=info.bits,
                threads=self._engines.threads,
            )
        return self._keys[name]


def _kind(name: str) -> str:
    """What networks of all scales share that cost alike: ``m-int8`` of ``m-x4-clean-int8``."""
    tier, _, *variant = name.split("-")
    return "-".join([tier, *(word for word in variant if word not in set(Training))])


def _like(kind: str, known: Mapping[str, float]) -> float | None:
    """What a kind costs; of a tier that was measured in the other precision, about the most."""
    if kind in known:
        return known[kind]
    tier, _, variant = kind.partition("-")
    other = known.get(tier if variant else f"{tier}-{precision.INT8}")
    return other if variant or other is None else other * TIMES_INT8


def network_scales() -> list[int]:
    """The scales that the catalogue has networks for."""
    return [s for s in SCALES if auto.tiers(s)]


def fitting_scale(
    size: tuple[int, int], area: tuple[int, int], *, scales: Sequence[int] = SCALES
) -> int:
    """The largest scale at which a picture of ``size`` is not larger than ``area``, or hardly.

    The least of them at least, but 1 where the picture fills the area already, be it across or
    down only: black lies beside it then.
    """
    if any(room <= NEARLY * side for side, room in zip(size, area, strict=True)):
        return 1
    fitting = [
        scale
        for scale in scales
        if all(side * scale <= ROOM * room for side, room in zip(size, area, strict=True))
    ]
    return max(fitting, default=min(scales))


def _probe(info: VideoInfo) -> Pair:
    """A pair of the size and depth of the film's."""
    made = SyntheticSource(width=info.width, height=info.height, frames=2, bits=info.bits)
    return next(pair(islice(made, 2)))
