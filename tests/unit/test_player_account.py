"""What is told of a run over all its films."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from vidlift.player import account as accounts
from vidlift.player.account import Account


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
