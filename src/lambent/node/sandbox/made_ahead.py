"""Everything of one backend that waits prepared, and the memory it may have.

Contract:
1. How many of each kind wait is decided in :mod:`.demand`; whoever answers for the machine's memory says by
   :meth:`MadeAhead.allow` what all may hold. Until that is said once, each kind has its base number.
2. One thing is made at a time, whatever its kind, and nothing while something is being started.
3. What waits is given back at once when it is asked for; nothing is made again before there is memory to spare.
"""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lambent.node.sandbox.demand import Number, Wish, share_out

PLACES = 256
"""POLICY: how many environments may wait, of all kinds; each has a slot of the node."""
_TRIMMED_AT_ONCE = 8
"""POLICY: in a second, of those that are wanted no more: ending one costs CPU too."""
NETWORK_BYTES = 150_000
"""What a network holds, all of it the kernel's (ADR 32)."""
CGROUP_BYTES = 60_000
"""The same of a control group in four hierarchies (ADR 42)."""
_PARTS_SHARE = 4
"""POLICY: this part of what there is to spare is for parts of one kind, at most."""


@dataclass(frozen=True, slots=True)
class Use:
    """A kind in use. ``asked_s``: when one was asked for last; ``waiting``: how many are there."""

    key: str
    label: str
    asked_s: float
    wish: Wish
    waiting: int


class Store(Protocol):
    """Where those of some kinds wait."""

    def uses(self) -> list[Use]: ...
    def held_bytes(self) -> int: ...
    def set_number(self, key: str, number: Number) -> None:
        """How many of a kind are to wait from now on."""
        ...

    def give_back(self, key: str, count: int) -> int:
        """Ends up to ``count`` of a kind; how many it were."""
        ...

    def grow(self) -> None:
        """Begins to make what lacks, unless it is too soon."""
        ...

    def postpone(self) -> None:
        """Something is being started."""
        ...


class Parts(Protocol):
    """Parts of environments made ahead: networks, control groups."""

    @property
    def count(self) -> int: ...
    def bound(self, most: int) -> None:
        """There are to be no more; those beyond go."""
        ...


class MadeAhead:
    """See the module. Lives on the loop's thread."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        """Whoever makes something has it meanwhile."""
        self._stores: list[Store] = []
        self._parts: list[tuple[Parts, int]] = []
        self._spare_bytes = 0
        self._left_bytes = sys.maxsize

    def join(self, store: Store) -> None:
        """One more place where they wait."""
        self._stores.append(store)

    def join_parts(self, parts: Parts, bytes_each: int) -> None:
        """They are made ahead too; one holds so much."""
        self._parts.append((parts, bytes_each))

    def postpone(self) -> None:
        """Something is being started: nothing is made until it is quiet again."""
        for store in self._stores:
            store.postpone()

    def take(self, size_bytes: int) -> bool:
        """Whether something of that size may be made now; if so it counts as made."""
        if size_bytes > self._left_bytes:
            return False
        self._left_bytes -= size_bytes
        return True

    def plan(self) -> None:
        """Says anew how many of each kind there are to be; of those beyond it some go."""
        for store, use, number in self._decided():
            store.set_number(use.key, number)
            if use.waiting > number.keep:
                store.give_back(use.key, min(_TRIMMED_AT_ONCE, use.waiting - number.keep))

    # Memory; see lambent.invoke.ports.Ahead

    def allow(self, spare_bytes: int, left_bytes: int) -> None:
        """``spare_bytes``: what all may hold beyond the base numbers. ``left_bytes``: what may be taken now."""
        self._spare_bytes, self._left_bytes = spare_bytes, left_bytes
        self.plan()
        room_bytes = spare_bytes // _PARTS_SHARE if left_bytes > 0 else 0
        for parts, bytes_each in self._parts:
            parts.bound(room_bytes // bytes_each)
        for store in self._stores:
            store.grow()

    def held_bytes(self) -> int:
        """What all of it holds."""
        held = sum(store.held_bytes() for store in self._stores)
        return held + sum(parts.count * bytes_each for parts, bytes_each in self._parts)

    def give_back(self, lacking_bytes: int) -> int:
        """Ends what waits until that much is freed, or all of it; the kinds asked for longest ago first.

        Returns what is freed. Nothing is made before the next :meth:`allow`.
        """
        self._left_bytes = freed = 0
        for store, use in reversed(self._uses()):
            count = -(-(lacking_bytes - freed) // use.wish.bytes_each)
            freed += store.give_back(use.key, min(count, use.waiting)) * use.wish.bytes_each
            if freed >= lacking_bytes:
                return freed
        for parts, bytes_each in self._parts:
            count = parts.count
            parts.bound(max(0, count + min(0, freed - lacking_bytes) // bytes_each))
            freed += (count - parts.count) * bytes_each
        return freed

    def describe(self) -> Mapping[str, Any]:
        """For health: how many wait, how many there are to be, and why."""
        return {
            "held_bytes": self.held_bytes(),
            "spare_bytes": self._spare_bytes,
            "kinds": [
                {
                    "kind": use.label,
                    "waiting": use.waiting,
                    "wanted_at_once": use.wish.wanted,
                    "base": min(use.wish.base, use.wish.most),
                    "most": use.wish.most,
                    "number": number.make,
                    "because": _reason(use.wish, number, is_short=self._left_bytes <= 0),
                }
                for _, use, number in self._decided()
            ],
        }

    def _decided(self) -> list[tuple[Store, Use, Number]]:
        uses = self._uses()
        wishes = [use.wish for _, use in uses]
        places = PLACES - sum(min(wish.base, wish.most) for wish in wishes)
        numbers = share_out(wishes, self._spare_bytes, max(0, places))
        return [(*each, number) for each, number in zip(uses, numbers, strict=True)]

    def _uses(self) -> list[tuple[Store, Use]]:
        """The kind asked for last is first."""
        found = [(store, use) for store in self._stores for use in store.uses()]
        return sorted(found, key=lambda each: -each[1].asked_s)


def _reason(wish: Wish, number: Number, *, is_short: bool) -> str:
    if is_short:
        return "memory is short: none is made"
    if number.make < wish.number:
        return f"{wish.number} wanted, but there is no memory to spare for more"
    if wish.wanted > wish.most:
        return f"{wish.wanted} wanted, but no more than {wish.most} allowed"
    if wish.wanted > wish.base:
        return "as many as were started at once lately"
    return "in use"
