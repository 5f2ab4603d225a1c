"""What is told of a run over all its films."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from vidlift.player import account as accounts
from vidlift.player.account import Account


def test_a_wait_for_the_next_picture_repeats_the_one_there_is() -> None:
    account = Account()
    account.record.stalls = 2
    film: Any = SimpleNamespace(received=None, lost={}, network={})
    info = SimpleNamespace(width=64, height=48)
    chooser: Any = SimpleNamespace(
        ladders=SimpleNamespace(info=info, engine_of={}), engines={}, choice={}
    )
    governor: Any = SimpleNamespace(seen={}, changes=[], scale=2)
    account.leave(film, chooser, governor)
    receipt = account.receipt(["film.mp4"], chooser, governor, display="none", clock="wall")
    assert receipt.repeated == 2


def test_the_rate_of_what_is_received_is_that_of_all_films(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(accounts, "time", SimpleNamespace(monotonic=lambda: now))
    account = Account()
    ladders = SimpleNamespace(pair_lasts=1 / 12)
    chooser: Any = SimpleNamespace(ladders=ladders, size=(64, 48), engines={})
    governor: Any = SimpleNamespace(seen={}, changes=[])
    first: Any = SimpleNamespace(received=1_000_000, lost={}, network={})
    second: Any = SimpleNamespace(received=500_000, lost={}, network={})

    def received(film: Any) -> str:
        return dict(account.rows(film, chooser, governor))["received"]

    now = 108.0
    assert received(first) == "1.00 Mbit/s"
    account.leave(first, chooser, governor)
    assert received(first) == "1.00 Mbit/s", "while the next is opened"
    now = 112.0
    assert received(second) == "1.00 Mbit/s"
