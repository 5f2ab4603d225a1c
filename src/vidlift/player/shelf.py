"""The networks a player has at hand: loaded beside the film, so that a step costs no frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Protocol

from vidlift.errors import ModelError
from vidlift.frame import Frame
from vidlift.memory import give_back
from vidlift.player.governor import Rung
from vidlift.stages.ahead import Ahead, ahead
from vidlift.stages.pair import Pair

IDLE = 100
"""Times that a network is asked for after which plain interpolation that nobody needed gives back
what running takes."""

SETTLED = 4
"""Times after which memory that the first pairs needed beside what they keep is given back."""

AGAIN = 900
"""Times after each of which what frames left free is given back: about a minute of a film. The
allocator keeps some more of it every time another buffer lies in the way."""


class Network(Protocol):
    """What makes a pair bigger: ``stages.reuse.Reuse``."""

    @property
    def work(self) -> float:
        """Share of the last pair that had to be made anew."""
        ...

    def pair(self, first: Frame, second: Frame) -> tuple[Frame, Frame]: ...

    def warm(self, first: Frame, second: Frame) -> None:
        """Load and compile for such frames. Another thread may use other networks meanwhile."""
        ...

    def rest(self) -> None:
        """Give back memory that only running needs, until it runs again."""
        ...

    def close(self) -> None: ...


class AsItIs:
    """The network of scale 1: pairs stay what they are."""

    work = 1.0

    def pair(self, first: Frame, second: Frame) -> tuple[Frame, Frame]:
        return first, second

    def warm(self, first: Frame, second: Frame) -> None:
        """There is nothing to load."""

    def rest(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""


class Shelf:
    """Holds plain interpolation of each scale in use, the network in use, and one being loaded,
    which comes in its place once it is there and still wanted; and, at rest, the one that a step
    down leads to, so that the step costs no frame.

    Used by one thread at a time, and closed once that has ended.
    """

    def __init__(self, open_network: Callable[[Rung], Network]) -> None:
        """``open_network`` may be called in another thread, for a rung that is no plain one."""
        self._open = open_network
        self._plain: dict[str, Network] = {}
        self._network: tuple[Rung, Network] | None = None
        self._below: tuple[Rung, Network] | None = None
        self._loading: tuple[Rung, Ahead[Network]] | None = None
        self._idle = 0
        """Times that a network was asked for since plain interpolation was taken."""

    def have(self, plain: Rung, pair: Pair) -> None:
        """Have plain interpolation compiled for such a pair, should it be needed."""
        if plain.name not in self._plain:
            self._plain[plain.name] = self._warm(plain, pair)

    def have_below(self, rung: Rung | None, pair: Pair) -> None:
        """Have the network that a step down leads to at hand as well, once networks have run for a
        while and nothing else is being loaded."""
        if rung is None or rung.tier == "kernel" or self._idle < SETTLED or self._below is not None:
            return
        if self._loading is None:
            self._loading = rung, ahead(self._make(rung, pair), depth=1)
        elif self._loading[1].ready and self._loading[0].name == rung.name:
            self._below = rung, self._loaded()

    def take(self, rung: Rung, pair: Pair) -> Network:
        """The rung's network, compiled for such a pair; waits until it is."""
        if rung.tier == "kernel":
            self.have(rung, pair)
            self._idle = 0
            return self._plain[rung.name]
        while (network := self.offer(rung, pair)) is None:
            self._settle(rung)
        return network

    def offer(self, rung: Rung, pair: Pair) -> Network | None:
        """The rung's network if it is at hand; else None, and it is being loaded."""
        if rung.tier == "kernel":
            return self.take(rung, pair)
        if self._below is not None and self._below[0].name == rung.name:
            self._step_back()
        if not self._holds(rung) and self._loading is not None and self._loading[1].ready:
            self._settle(rung)
        if self._network is not None and self._holds(rung):
            self._idle += 1
            if self._idle == IDLE:
                for plain in self._plain.values():
                    plain.rest()
            if self._idle in (SETTLED, IDLE) or self._idle % AGAIN == 0:
                give_back()
            return self._network[1]
        if self._loading is None:
            self._loading = rung, ahead(self._make(rung, pair), depth=1)
        return None

    def meanwhile(self, rung: Rung) -> tuple[Rung, Network] | None:
        """The network at hand, if it may stand in for the rung's while that is being loaded: one of
        its scale that takes no longer."""
        if self._network is None:
            return None
        held = self._network[0]
        return self._network if held.scale == rung.scale and held.cost <= rung.cost else None

    def turn_to(self, open_network: Callable[[Rung], Network]) -> None:
        """Give up what is held: from here on networks are opened another way."""
        self.close()
        self._open = open_network

    def close(self) -> None:
        if self._loading is not None:
            with suppress(ModelError):  # nobody wants it any more
                self._loaded().close()
        held = [each[1] for each in (self._network, self._below) if each is not None]
        for network in (*self._plain.values(), *held):
            network.close()
        self._plain, self._network, self._below = {}, None, None

    def _holds(self, rung: Rung) -> bool:
        return self._network is not None and self._network[0].name == rung.name

    def _settle(self, rung: Rung) -> None:
        """Put what was being loaded in the place of the network before, where it is the rung's."""
        assert self._loading is not None
        loading, network = self._loading[0], self._loaded()
        if loading.name != rung.name:
            network.close()
            return
        if self._below is not None:
            self._below[1].close()
            self._below = None
        if self._network is not None:
            before, left = self._network
            if before.scale == rung.scale and before.cost < rung.cost:
                left.rest()
                self._below = self._network
            else:
                left.close()
            give_back()  # or what the one runs with comes on top of what the other did
        self._network = rung, network

    def _step_back(self) -> None:
        assert self._network is not None
        self._network[1].close()
        give_back()
        self._network, self._below = self._below, None

    def _loaded(self) -> Network:
        """What was being loaded; waits for it. Raises what is wrong with it, once."""
        assert self._loading is not None
        (_, made), self._loading = self._loading, None
        with closing(made):
            return next(made)

    def _make(self, rung: Rung, pair: Pair) -> Iterator[Network]:
        yield self._warm(rung, pair)

    def _warm(self, rung: Rung, pair: Pair) -> Network:
        network = self._open(rung)
        network.warm(pair.first, pair.second)
        network.rest()
        give_back()
        return network
