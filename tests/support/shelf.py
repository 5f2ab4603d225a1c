"""Networks that only say what was done with them, and the ladder they stand on."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from threading import Event

from support.frames import make_frame
from vidlift.frame import Frame
from vidlift.player.governor import Rung
from vidlift.player.shelf import Network
from vidlift.stages.pair import Pair

PLAIN = Rung(name="plain", tier="kernel", scale=2, cost=0.001)
SMALL = Rung(name="small", tier="s", scale=2, cost=0.010)
LARGE = Rung(name="large", tier="l", scale=2, cost=0.030)
LADDER = [PLAIN, SMALL, LARGE]

PAIR = Pair(first=make_frame(), second=make_frame(Fraction(1, 24)))


class FakeNetwork:
    """Marks what it made; loads when it is allowed to."""

    def __init__(self, rung: Rung, *, may_load: Event | None = None) -> None:
        self.rung = rung
        self._may_load = may_load
        self.warmed = self.closed = self.resting = False
        self.work = 1.0

    def pair(self, first: Frame, second: Frame) -> tuple[Frame, Frame]:
        assert not self.closed
        self.resting = False
        return first, second

    def warm(self, first: Frame, second: Frame) -> None:
        if self._may_load is not None:
            assert self._may_load.wait(10)
        self.warmed = True

    def rest(self) -> None:
        self.resting = True

    def close(self) -> None:
        assert not self.closed
        self.closed = True


class Opened:
    """Opens fake networks for a shelf and remembers them."""

    def __init__(self) -> None:
        self.networks: list[FakeNetwork] = []
        self.may_load = Event()
        self.may_load.set()

    def __call__(self, rung: Rung) -> FakeNetwork:
        held = self.may_load if rung.tier != "kernel" else None
        self.networks.append(FakeNetwork(rung, may_load=held))
        return self.networks[-1]

    @property
    def open(self) -> list[str]:
        return [network.rung.name for network in self.networks if not network.closed]


class AtOnce(Iterator[Network]):
    """As ``ahead``, with no thread: what is to be made is there at once."""

    ready = True

    def __init__(self, items: Iterator[Network], *, depth: int) -> None:
        self._made = list(items)

    def __next__(self) -> Network:
        return self._made.pop(0)

    def close(self) -> None:
        """There is no thread."""
