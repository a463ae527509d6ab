"""Stem cells: environments made ahead, isolated but for what is a function's, waiting to hear whose they are.

Contract:
1. A stem cell has run nothing of any function; it becomes one environment, once.
2. They are made when nothing else is being started, so that they never delay an environment that is waited for,
   and only of kinds that functions use.
3. One that dies while it waits is noticed, given back like any environment, never handed out, and replaced.
4. How many wait follows from what was asked for at once, and from the memory (:mod:`.demand`, :mod:`.made_ahead`).

A kind is an interpreter, or the command of a program that cannot fork (:mod:`.stem_cells_loaded`).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.demand import PAUSE_S, Demand, Number, Wish
from lambent.node.sandbox.made_ahead import MadeAhead, Use

GROW_AFTER_S = PAUSE_S
REPLACE_AFTER_S = 1.0
"""POLICY: one that died is replaced no sooner: something may be killing them all."""
RETRY_AFTER_S = 30.0
"""POLICY: when none could be made it is tried again, if nobody asks before."""

_LEAST_BYTES = 3_800_000
"""What a waiting environment holds at least, its namespaces and what a group does not count included (ADR 42)."""
_UNCOUNTED_BYTES = 1_000_000
_REST_S = 0.1
"""POLICY: at most; beyond the base number whoever makes them rests for as long as one took."""
_MOST_SIZES = 256


class Waiting(Protocol):
    """What waits."""

    @property
    def exited(self) -> "asyncio.Future[Any]": ...
    def own_bytes(self) -> int:
        """What it holds, shared with nobody, as far as that is counted."""
        ...

    def discard(self) -> None:
        """Ends what nobody reads from, though it may have ended by itself."""
        ...


Kind = TypeVar("Kind")
Cell = TypeVar("Cell", bound=Waiting)


class StemCells(Generic[Kind, Cell]):
    """``count`` of each kind in use; as they are wanted, up to ``most``.

    ``make`` makes one; raises SandboxError where it cannot. ``keep_s``: how long a kind is in use after it was
    asked for last. ``most_kinds``: how many are at a time. ``ahead``: what decides about numbers. ``label``: how
    health calls a kind. ``least_bytes``: what one holds at least.
    """

    def __init__(
        self,
        make: Callable[[Kind], Awaitable[Cell]],
        key: Callable[[Kind], str],
        count: int,
        *,
        most: int | None = None,
        keep_s: float | None = None,
        most_kinds: int | None = None,
        ahead: MadeAhead | None = None,
        label: Callable[[Kind], str] | None = None,
        least_bytes: int = _LEAST_BYTES,
    ) -> None:
        self._make = make
        self._key = key
        self._count = count
        self._most = count if most is None else most
        self._label = label or key
        self._least_bytes = least_bytes
        self._ahead = ahead or MadeAhead()
        self._ahead.join(self)
        self._demand: dict[str, Demand] = {}
        self._numbers: dict[str, Number] = {}
        self._sizes: dict[str, int] = {}
        """What one of a kind holds, as it was found; remembered also where the kind is not in use."""
        self._keep_s = keep_s
        self._most_kinds = most_kinds
        self._shelves: dict[str, deque[Cell]] = {}
        self._kinds: dict[str, Kind] = {}
        """The one asked for last is last."""
        self._asked_s: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._growing: asyncio.Task[None] | None = None
        self._closed = False

    def take(self, kind: Kind) -> Cell | None:
        """One that waits, if there is any; others are made once it is quiet."""
        if not self._most or self._closed:
            return None
        self.use(kind)
        self._demand[self._key(kind)].started(asyncio.get_running_loop().time())
        shelf = self._shelves.get(self._key(kind))
        while shelf:
            cell = shelf.popleft()
            if not cell.exited.done():
                return cell
            cell.discard()
        return None

    def use(self, kind: Kind) -> None:
        """It is in use: its base number is made once it is quiet, though none is asked for now."""
        if not self._most or self._closed:
            return
        self._use(kind)
        self._grow_later()

    def postpone(self) -> None:
        """Something else is being started: what is missing is made when it is quiet again."""
        if self._timer is not None or (self._growing is not None and not self._growing.done()):
            self._grow_later()

    def count(self) -> int:
        """How many wait."""
        return sum(len(shelf) for shelf in self._shelves.values())

    def forget(self, key: str) -> None:
        """What was made of a kind goes: its zygote is another one now, or it is in use no more."""
        shelf = self._shelves.pop(key, None)
        while shelf:
            shelf.popleft().discard()

    def drop(self, key: str) -> None:
        """A kind is not in use any more, nor ever again."""
        if key in self._kinds:
            self._drop(key)
        self._sizes.pop(key, None)

    def forget_all(self) -> None:
        """The same of every kind."""
        for key in tuple(self._shelves):
            self.forget(key)

    def close(self) -> None:
        """Ends those that wait; no more are made."""
        self._closed = True
        for pending in (self._timer, self._expiry, self._retry, self._growing):
            if pending is not None:
                pending.cancel()
        self.forget_all()

    def _use(self, kind: Kind) -> None:
        key, loop = self._key(kind), asyncio.get_running_loop()
        self._kinds.pop(key, None)
        self._kinds[key] = kind
        self._asked_s[key] = loop.time()
        self._demand.setdefault(key, Demand())
        if self._most_kinds is not None and len(self._kinds) > self._most_kinds:
            self._drop(next(iter(self._kinds)))
        if self._keep_s is not None and self._expiry is None:
            self._expiry = loop.call_later(self._keep_s, self._expire)

    def _drop(self, key: str) -> None:
        del self._kinds[key], self._asked_s[key], self._demand[key]
        self._numbers.pop(key, None)
        self.forget(key)

    def _expire(self) -> None:
        """Drops the kinds that nobody has asked for since long, and looks again when the next may be due."""
        assert self._keep_s is not None  # noqa: S101 - for the type checker
        loop = asyncio.get_running_loop()
        while self._kinds:
            key = next(iter(self._kinds))
            left_s = self._asked_s[key] + self._keep_s - loop.time()
            if left_s > 0:
                self._expiry = loop.call_later(left_s, self._expire)
                return
            self._drop(key)
        self._expiry = None

    def _grow_later(self, delay_s: float = GROW_AFTER_S) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._begin)

    def _begin(self) -> None:
        self._timer = None
        if self._growing is None or self._growing.done():
            self._growing = asyncio.get_running_loop().create_task(self._grow())

    async def _grow(self) -> None:
        """One after the other, until all are there or something else is being started."""
        failed: set[str] = set()
        loop = asyncio.get_running_loop()
        self._ahead.plan()
        while self._timer is None and (key := self._missing(failed)) is not None:
            async with self._ahead.turn:
                if self._timer is not None or self._missing(failed) != key:
                    continue  # it was another's turn for so long
                if not self._ahead.take(self._size(key)):
                    return
                begun_s = loop.time()
                await self._make_one(key, failed)
            if len(self._shelves.get(key, ())) > self._count:
                await asyncio.sleep(min(_REST_S, loop.time() - begun_s))

    async def _make_one(self, key: str, failed: set[str]) -> None:
        shelf = self._shelves.setdefault(key, deque())
        try:
            cell = await self._make(self._kinds[key])
        except (OSError, SandboxError):  # what stands in the way is told to who asks for one
            failed.add(key)
            self._retry_later()
            return
        if self._shelves.get(key) is not shelf:
            cell.discard()  # of a zygote that was replaced meanwhile, or of a kind not in use any more
            return
        if len(self._sizes) >= _MOST_SIZES:
            self._sizes.clear()
        self._sizes[key] = max(self._least_bytes, cell.own_bytes() + _UNCOUNTED_BYTES)
        shelf.append(cell)
        cell.exited.add_done_callback(partial(self._on_exit, shelf, cell))

    def _missing(self, failed: set[str]) -> str | None:
        """A kind of which too few wait, looked for anew each time: others come into use meanwhile."""
        found = (
            k for k in reversed(self._kinds) if len(self._shelves.get(k, ())) < self._number(k)
        )
        return next((key for key in found if key not in failed), None)

    def _number(self, key: str) -> int:
        number = self._numbers.get(key)
        return min(self._count, self._most) if number is None else number.make

    def _size(self, key: str) -> int:
        return self._sizes.get(key, self._least_bytes)

    # How many; see lambent.node.sandbox.made_ahead

    def uses(self) -> list[Use]:
        """The kinds in use."""
        now_s = asyncio.get_running_loop().time()
        return [
            Use(
                key,
                self._label(kind),
                self._asked_s[key],
                Wish(self._count, self._most, self._demand[key].wanted(now_s), self._size(key)),
                len(self._shelves.get(key, ())),
            )
            for key, kind in self._kinds.items()
        ]

    def held_bytes(self) -> int:
        """What those that wait hold."""
        return sum(len(shelf) * self._size(key) for key, shelf in self._shelves.items())

    def set_number(self, key: str, number: Number) -> None:
        """How many of a kind are to wait from now on."""
        self._numbers[key] = number

    def give_back(self, key: str, count: int) -> int:
        """Ends up to ``count`` of a kind, the oldest first; how many it were."""
        shelf = self._shelves.get(key, deque())
        count = min(count, len(shelf))
        for _ in range(count):
            shelf.popleft().discard()
        return count

    def grow(self) -> None:
        """Begins to make what lacks, unless something is being started, or it could not be made just now."""
        if (
            self._timer is None
            and self._retry is None
            and not self._closed
            and self._missing(set())
        ):
            self._begin()

    def _retry_later(self) -> None:
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(RETRY_AFTER_S, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        if self._timer is None:
            self._begin()

    def _on_exit(self, shelf: deque[Cell], cell: Cell, _: "asyncio.Future[object]") -> None:
        if cell in shelf:
            shelf.remove(cell)
            cell.discard()
            if not self._closed and self._timer is None:
                self._grow_later(REPLACE_AFTER_S)
