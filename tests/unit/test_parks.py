"""Packets of two streams from one demuxer, at two paces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlift.sources.parks import Parks
from vidlift.stages.ahead import ahead

VIDEO, SOUND, OTHER = 0, 1, 2


@dataclass(frozen=True)
class Stream:
    index: int


@dataclass(frozen=True)
class Packet:
    number: int
    stream_index: int
    size: int = 10
    stream: Stream = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stream", Stream(self.stream_index))


def packets(order: list[int], size: int = 10) -> list[Packet]:
    return [Packet(number, index, size) for number, index in enumerate(order)]


def parks(given_packets: list[Packet] | Iterator[Packet], *, parked_max: int = 1000) -> Parks:
    return Parks(iter(given_packets), leading=VIDEO, following=SOUND, parked_max=parked_max)


def of(stream: int, all_packets: list[Packet]) -> list[Packet]:
    return [packet for packet in all_packets if packet.stream_index == stream]


@given(
    order=st.lists(st.sampled_from([VIDEO, SOUND, OTHER]), max_size=30),
    turns=st.lists(st.booleans(), max_size=60),
)
def test_each_side_gets_its_own_in_order(order: list[int], turns: list[bool]) -> None:
    coming = packets(order)
    both = parks(coming)
    sides = {False: both.side(VIDEO), True: both.side(SOUND)}
    taken: dict[bool, list[Packet]] = {False: [], True: []}
    for turn in [*turns, *[False] * 31, *[True] * 31]:
        packet = next(sides[turn], None)
        if packet is not None:
            taken[turn].append(packet)
    assert taken == {False: of(VIDEO, coming), True: of(SOUND, coming)}
    assert not both.lost


@given(order=st.lists(st.sampled_from([VIDEO, SOUND]), max_size=30))
def test_pictures_never_wait_and_the_oldest_sound_goes_first(order: list[int]) -> None:
    coming = packets(order)
    both = parks(coming, parked_max=35)
    assert list(both.side(VIDEO)) == of(VIDEO, coming)
    sound = list(both.side(SOUND))
    assert sound == of(SOUND, coming)[-3:]
    assert sum(both.lost.values()) == len(of(SOUND, coming)) - len(sound)


def test_sound_waits_until_pictures_are_taken() -> None:
    coming = packets([VIDEO] * 5 + [SOUND])
    read: list[Packet] = []

    def watched() -> Iterator[Packet]:
        for packet in coming:
            read.append(packet)
            yield packet

    both = parks(watched(), parked_max=20)
    pictures = both.side(VIDEO)
    sound = ahead(both.side(SOUND), depth=1)
    for packet in of(VIDEO, coming):
        assert next(pictures) is packet
        # What was read and not taken fits into the park, but for the packet that filled it.
        assert len(read) <= packet.number + 4
    assert next(sound) is coming[-1]
    assert next(sound, None) is None
    assert not both.lost


def test_a_stream_that_is_not_wanted_is_not_parked() -> None:
    both = parks(packets([SOUND] * 50 + [VIDEO]), parked_max=100)
    both.drop_following()
    assert len(list(both.side(VIDEO))) == 1
    assert list(both.side(SOUND)) == []
    assert not both.lost


def test_dropping_ends_a_side_that_waits() -> None:
    both = parks(packets([VIDEO] * 5), parked_max=20)
    sound = ahead(both.side(SOUND), depth=1)
    both.drop_following()
    assert next(sound, None) is None


def test_stopping_ends_a_side_that_waits() -> None:
    both = parks(packets([VIDEO] * 5), parked_max=20)
    sound = ahead(both.side(SOUND), depth=1)
    both.stop()
    assert next(sound, None) is None
    assert list(both.side(VIDEO)) == []


def test_an_error_is_met_by_both_after_what_came_before() -> None:
    def broken() -> Iterator[Packet]:
        yield from packets([VIDEO, SOUND])
        raise OSError("the wire was cut")

    both = parks(broken())
    for stream in (VIDEO, SOUND):
        side = both.side(stream)
        assert next(side).stream_index == stream
        with pytest.raises(OSError, match="cut"):
            next(side)
