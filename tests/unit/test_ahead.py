"""The one stage with a thread: order, bound, errors, closing. Threads are stepped by events."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.lifetime import no_collector
from vidlift.stages.ahead import Ahead, Aside, ahead

PATIENCE = 10.0
"""Seconds after which a thread that should have moved has hung."""


class Stepped(Iterator[int]):
    """Counts from 0, each number when the test allows it; knows which thread closed it."""

    def __init__(self, *, end: int = 1_000_000) -> None:
        self._allowed = threading.Semaphore(0)
        self._end = end
        self.made = 0
        self.asked = threading.Event()
        """Set whenever one more is wanted."""

        self.closed_in: threading.Thread | None = None

    def __next__(self) -> int:
        self.asked.set()
        assert self._allowed.acquire(timeout=PATIENCE)
        if self.made == self._end:
            raise StopIteration
        self.made += 1
        return self.made - 1

    def allow(self, count: int) -> None:
        self._allowed.release(count)

    def close(self) -> None:
        self.closed_in = threading.current_thread()


def wait_until_asked(upstream: Stepped) -> None:
    assert upstream.asked.wait(PATIENCE)
    upstream.asked.clear()


@given(items=st.lists(st.integers(), max_size=20), depth=st.integers(1, 5))
def test_what_goes_in_comes_out_in_order(items: list[int], depth: int) -> None:
    assert list(ahead(items, depth=depth)) == items


def test_no_more_than_depth_and_one_are_made_ahead() -> None:
    upstream = Stepped()
    made_ahead = ahead(upstream, depth=2)
    for _ in range(3):  # two in the queue, the third in the thread's hand
        wait_until_asked(upstream)
        upstream.allow(1)
    assert next(made_ahead) == 0
    wait_until_asked(upstream)
    assert upstream.made == 3
    upstream.allow(1)
    made_ahead.close()
    assert upstream.made <= 4


def test_it_tells_whether_the_next_is_there() -> None:
    upstream = Stepped()
    made_ahead = ahead(upstream, depth=2)
    wait_until_asked(upstream)
    assert not made_ahead.ready
    assert not made_ahead.full
    upstream.allow(1)
    wait_until_asked(upstream)
    assert made_ahead.ready
    assert not made_ahead.full
    upstream.allow(1)
    wait_until_asked(upstream)
    assert made_ahead.full
    upstream.allow(1)
    made_ahead.close()
    assert made_ahead.ready


def test_an_error_comes_after_what_was_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise ZeroDivisionError("upstream")

    made_ahead = ahead(broken(), depth=1)
    assert [next(made_ahead), next(made_ahead)] == [1, 2]
    with pytest.raises(ZeroDivisionError, match="upstream"):
        next(made_ahead)
    assert next(made_ahead, None) is None


def test_an_error_of_iter_itself_comes_across() -> None:
    made_ahead = ahead(3, depth=1)  # type: ignore[arg-type, var-annotated]
    with pytest.raises(TypeError, match="not iterable"):
        next(made_ahead)


def test_closing_ends_the_thread_and_closes_upstream_in_it() -> None:
    upstream = Stepped()
    upstream.allow(100)
    made_ahead = ahead(upstream, depth=3)
    assert next(made_ahead) == 0
    made_ahead.close()
    assert upstream.closed_in is not None
    assert not upstream.closed_in.is_alive()
    assert upstream.closed_in is not threading.current_thread()
    assert next(made_ahead, None) is None
    made_ahead.close()


def test_closing_wakes_what_is_upstream_where_it_waits() -> None:
    upstream = Stepped()
    made_ahead = ahead(upstream, depth=1, wake=lambda: upstream.allow(1))
    wait_until_asked(upstream)
    made_ahead.close()
    assert upstream.closed_in is not None
    assert not upstream.closed_in.is_alive()


def test_what_begins_to_wait_after_it_was_woken_is_woken_again() -> None:
    upstream = Stepped()
    lost = [1]

    def wake() -> None:
        if not lost:
            upstream.allow(1)
        lost.clear()

    made_ahead = ahead(upstream, depth=1, wake=wake)
    wait_until_asked(upstream)
    made_ahead.close()
    assert upstream.closed_in is not None
    assert not upstream.closed_in.is_alive()


def test_what_has_ended_is_not_woken() -> None:
    """What wakes it may stop what another goes on with."""
    woken: list[int] = []
    made_ahead = ahead([1], depth=1, wake=lambda: woken.append(1))
    assert list(made_ahead) == [1]
    made_ahead.close()
    del made_ahead
    gc.collect()
    assert not woken


def test_what_is_done_aside_may_be_left_behind() -> None:
    over = threading.Event()
    waiting = Aside(lambda: over.wait(PATIENCE))
    with pytest.raises(TimeoutError):
        waiting.wait(0)
    over.set()
    waiting.wait(PATIENCE)
    assert waiting.result() is True


def test_an_error_aside_comes_across() -> None:
    broken = Aside(lambda: 1 // 0)
    broken.wait(PATIENCE)
    with pytest.raises(ZeroDivisionError):
        broken.result()


def test_what_failed_upstream_is_forgotten() -> None:
    class Broken(Iterator[int]):
        def __next__(self) -> int:
            raise OSError("gone")

    upstream = Broken()
    left = weakref.ref(upstream)
    with no_collector():
        made_ahead = ahead(upstream, depth=1)
        del upstream
        with pytest.raises(OSError, match="gone"):
            next(made_ahead)
        del made_ahead
        assert left() is None


def test_whoever_gives_work_aside_may_hold_it() -> None:
    class Giver:
        def __init__(self) -> None:
            self.aside = Aside(self.work)

        def work(self) -> int:
            return 1

    giver = Giver()
    left = weakref.ref(giver)
    with no_collector():
        assert giver.aside.result() == 1
        del giver
        assert left() is None


def test_upstream_is_closed_at_the_end_too() -> None:
    upstream = Stepped(end=2)
    upstream.allow(3)
    assert list(ahead(upstream, depth=1)) == [0, 1]
    assert upstream.closed_in is not None


def test_an_error_of_closing_comes_across() -> None:
    class Stuck(Stepped):
        def close(self) -> None:
            raise OSError("cannot close")

    upstream = Stuck(end=1)
    upstream.allow(2)
    made_ahead = ahead(upstream, depth=1)
    assert next(made_ahead) == 0
    with pytest.raises(OSError, match="cannot close"):
        next(made_ahead)


def test_one_behind_another_are_closed_together() -> None:
    upstream = Stepped()
    upstream.allow(100)
    chain = ahead(ahead(upstream, depth=2), depth=2)
    assert next(chain) == 0
    chain.close()
    assert upstream.closed_in is not None
    assert not upstream.closed_in.is_alive()


def test_forgetting_it_ends_the_thread() -> None:
    upstream = Stepped()
    upstream.allow(100)
    made_ahead = ahead(upstream, depth=1)
    assert next(made_ahead) == 0
    del made_ahead
    gc.collect()
    assert upstream.closed_in is not None
    assert not upstream.closed_in.is_alive()


def test_upstream_may_close_it() -> None:
    """As the garbage collector may, in whatever thread it runs."""
    waiting: list[Ahead[int]] = []
    may_go_on = threading.Event()

    def closing() -> Iterator[int]:
        assert may_go_on.wait(PATIENCE)
        waiting.pop().close()
        yield 1

    made_ahead = ahead(closing(), depth=1)
    waiting.append(made_ahead)
    may_go_on.set()
    assert list(made_ahead) in ([], [1])
    made_ahead.close()


def test_a_depth_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        ahead([], depth=0)
