"""The engine that does no work: every sample repeated. Measures what the rest of a run costs."""

from __future__ import annotations

from vidlift.descriptor import Descriptor
from vidlift.engines.base import PairPlanes, Unplanned
from vidlift.models import Model


class NullEngine(Unplanned):
    any_size = True
    same_in_parts = True

    def __init__(self, model: Model, *, threads: int) -> None:
        self._model = model

    @property
    def name(self) -> str:
        return "null"

    @property
    def descriptor(self) -> Descriptor:
        return self._model.descriptor

    def run(self, planes: PairPlanes, *, bits: int = 8) -> PairPlanes:
        scale = self.descriptor.scale
        return planes.repeat(scale, axis=2).repeat(scale, axis=3)

    def rest(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""
