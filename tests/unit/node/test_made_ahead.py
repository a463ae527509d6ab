"""Everything that waits prepared: who gives back first, and that memory never goes round in circles."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.invoke.eviction import Eviction
from lambent.invoke.room import Room
from lambent.node.sandbox.demand import Number, Wish
from lambent.node.sandbox.made_ahead import MadeAhead, Use

MIB = 1024 * 1024
_GUESS_BYTES = 3 * MIB


@dataclass
class Kind:
    """``true_bytes``: what one turns out to hold; a guess until one was made."""

    wanted: int
    true_bytes: int
    base: int = 2
    most: int = 128
    asked_s: float = 0.0
    waiting: int = 0
    known_bytes: int = _GUESS_BYTES
    number: int = 0


@dataclass
class Shelf:
    """A store whose cells are numbers, made as soon as they may be."""

    ahead: MadeAhead
    kinds: dict[str, Kind] = field(default_factory=dict)
    made: int = 0
    postponed: int = 0

    def uses(self) -> list[Use]:
        return [
            Use(
                key,
                key,
                kind.asked_s,
                Wish(kind.base, kind.most, kind.wanted, kind.known_bytes),
                kind.waiting,
            )
            for key, kind in self.kinds.items()
        ]

    def held_bytes(self) -> int:
        return sum(kind.waiting * kind.known_bytes for kind in self.kinds.values())

    def set_number(self, key: str, number: Number) -> None:
        self.kinds[key].number = number.make

    def give_back(self, key: str, count: int) -> int:
        count = min(count, self.kinds[key].waiting)
        self.kinds[key].waiting -= count
        return count

    def grow(self) -> None:
        for kind in self.kinds.values():
            while kind.waiting < kind.number and self.ahead.take(kind.known_bytes):
                kind.waiting += 1
                kind.known_bytes = kind.true_bytes
                self.made += 1

    def postpone(self) -> None:
        self.postponed += 1


@dataclass
class Networks:
    """Networks that are numbers."""

    count: int = 10

    def bound(self, most: int) -> None:
        self.count = min(self.count, most)


class FromNode:
    """What the invocation path is told of it; see :class:`lambent.invoke.ports.Ahead`."""

    def __init__(self, ahead: MadeAhead) -> None:
        self.held_bytes, self.give_back, self.allow = (
            ahead.held_bytes,
            ahead.give_back,
            ahead.allow,
        )

    def templates(self) -> Mapping[str, Any]:
        return {}

    def end_template(self, key: str) -> None:
        raise AssertionError(key)


def shelf_of(**kinds: Kind) -> tuple[MadeAhead, Shelf]:
    """One place where those kinds wait."""
    ahead = MadeAhead()
    shelf = Shelf(ahead, kinds)
    ahead.join(shelf)
    return ahead, shelf


def test_the_kind_asked_for_longest_ago_goes_first_and_networks_last() -> None:
    """No more goes than lacks; nothing is made before it is allowed again."""
    old, new = Kind(0, MIB, asked_s=1, known_bytes=MIB), Kind(0, MIB, asked_s=2, known_bytes=MIB)
    ahead, shelf = shelf_of(new=new, old=old)
    networks = Networks()
    ahead.join_parts(networks, 150_000)
    old.waiting = new.waiting = 4
    assert ahead.held_bytes() == 8 * MIB + 10 * 150_000
    assert ahead.give_back(2 * MIB + 1) == 3 * MIB
    assert (old.waiting, new.waiting) == (1, 4)
    assert not ahead.take(1)
    assert ahead.give_back(5 * MIB + 150_001) == 5 * MIB + 2 * 150_000
    assert (old.waiting, new.waiting, networks.count) == (0, 0, 8)
    assert ahead.give_back(1 << 40) == 8 * 150_000
    assert ahead.give_back(1) == 0
    ahead.allow(0, 100 * MIB)
    assert (old.waiting, new.waiting, shelf.made) == (2, 2, 4)


def test_what_is_wanted_no_more_goes_a_few_at_a_time() -> None:
    """Eight in a second, down to the base; what is wanted is made up to what there is to spare."""
    kind = Kind(30, MIB, known_bytes=MIB)
    ahead, _ = shelf_of(a=kind)
    ahead.allow(10 * MIB, 1 << 40)
    assert kind.waiting == 12
    ahead.allow(1 << 40, 1 << 40)
    assert kind.waiting == 30
    kind.wanted = 5
    counts = []
    for _ in range(5):
        ahead.allow(1 << 40, 1 << 40)
        counts.append(kind.waiting)
    assert counts == [22, 14, 6, 5, 5]


@pytest.mark.parametrize(
    ("wanted", "most", "spare_bytes", "left_bytes", "because"),
    [
        (1, 128, 0, 1, "in use"),
        (9, 128, 1 << 40, 1, "as many as were started at once lately"),
        (9, 128, 0, 1, "9 wanted, but there is no memory to spare for more"),
        (9, 4, 1 << 40, 1, "9 wanted, but no more than 4 allowed"),
        (9, 128, 1 << 40, 0, "memory is short: none is made"),
    ],
)
def test_health_says_why(
    wanted: int, most: int, spare_bytes: int, left_bytes: int, because: str
) -> None:
    """Of each kind how many wait, how many there are to be, and the reason."""
    ahead, _ = shelf_of(a=Kind(wanted, MIB, most=most))
    ahead.allow(spare_bytes, left_bytes)
    (described,) = ahead.describe()["kinds"]
    assert described["because"] == because
    assert described["wanted_at_once"] == wanted


KINDS = st.builds(
    Kind,
    wanted=st.integers(0, 60),
    true_bytes=st.integers(1, 90).map(lambda n: n * MIB),
    asked_s=st.floats(0, 100),
)


def machine(
    kinds: list[Kind], free_mib: int, reserve_mib: int, max_mib: int | None = None
) -> tuple[Shelf, Eviction, Callable[[], int]]:
    """Memory that is what nobody else uses less what waits; nothing else changes."""
    ahead, shelf = shelf_of(**{str(n): kind for n, kind in enumerate(kinds)})

    def available() -> int:
        return free_mib * MIB - sum(kind.waiting * kind.true_bytes for kind in kinds)

    room = Room(reserve_mib * MIB, max_mib)
    return shelf, Eviction(room, available, {}, {}, FromNode(ahead)), available


@given(st.lists(KINDS, max_size=8), st.integers(0, 8192), st.integers(8, 1024))
def test_memory_never_goes_round_in_circles(
    kinds: list[Kind], free_mib: int, reserve_mib: int
) -> None:
    """Where nothing else changes it comes to rest: nothing is made and given back in turns."""
    shelf, eviction, available = machine(kinds, free_mib, reserve_mib)
    for _ in range(40):
        eviction.relieve()
    rested, made = [kind.waiting for kind in kinds], shelf.made
    for _ in range(40):
        eviction.relieve()
    assert shelf.made == made
    assert [kind.waiting for kind in kinds] == rested
    assert available() >= min(reserve_mib, free_mib) * MIB


@given(st.lists(KINDS, max_size=8), st.integers(0, 4096))
def test_what_waits_stays_within_what_the_operator_allows(kinds: list[Kind], max_mib: int) -> None:
    """Once its size is known it never holds more, and leaves room for another environment."""
    for kind in kinds:
        kind.known_bytes = kind.true_bytes
    shelf, eviction, _ = machine(kinds, 1 << 20, 0, max_mib)
    for _ in range(10):
        eviction.relieve()
        assert shelf.held_bytes() <= max(0, max_mib - 128) * MIB
