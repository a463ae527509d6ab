"""Stem cells: environments made ahead, isolated but for what is a function's, waiting to hear whose they are.

Contract:
1. A stem cell has run nothing of any function; it becomes one environment, once.
2. They are made when nothing else is being started, so that they never delay an environment that is waited for,
   and only of kinds that functions use.
3. One that dies while it waits is noticed, given back like any environment, never handed out, and replaced.

A kind is an interpreter, or the command of a program that cannot fork (:mod:`.stem_cells_loaded`).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.namespace_sandbox import NamespaceSandbox

GROW_AFTER_S = 0.1
"""POLICY: how long nothing must have been started before they are made again."""
REPLACE_AFTER_S = 1.0
"""POLICY: one that died is replaced no sooner: something may be killing them all."""
RETRY_AFTER_S = 30.0
"""POLICY: when none could be made it is tried again, if nobody asks before."""

Kind = TypeVar("Kind")


class StemCells(Generic[Kind]):
    """Up to ``count`` of each kind in use. ``make`` makes one; raises SandboxError where it cannot.

    ``keep_s``: how long a kind is in use after it was asked for last. ``most_kinds``: how many are at a time.
    """

    def __init__(
        self,
        make: Callable[[Kind], Awaitable[NamespaceSandbox]],
        key: Callable[[Kind], str],
        count: int,
        *,
        keep_s: float | None = None,
        most_kinds: int | None = None,
    ) -> None:
        self._make = make
        self._key = key
        self._count = count
        self._keep_s = keep_s
        self._most_kinds = most_kinds
        self._shelves: dict[str, deque[NamespaceSandbox]] = {}
        self._kinds: dict[str, Kind] = {}
        """The one asked for last is last."""
        self._asked_s: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._growing: asyncio.Task[None] | None = None
        self._closed = False

    def take(self, kind: Kind) -> NamespaceSandbox | None:
        """One that waits, if there is any; others are made once it is quiet."""
        if not self._count or self._closed:
            return None
        self._use(kind)
        self._grow_later()
        shelf = self._shelves.get(self._key(kind))
        while shelf:
            cell = shelf.popleft()
            if not cell.exited.done():
                return cell
            cell.discard()
        return None

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
        if self._most_kinds is not None and len(self._kinds) > self._most_kinds:
            self._drop(next(iter(self._kinds)))
        if self._keep_s is not None and self._expiry is None:
            self._expiry = loop.call_later(self._keep_s, self._expire)

    def _drop(self, key: str) -> None:
        del self._kinds[key], self._asked_s[key]
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
        while self._timer is None and (key := self._missing(failed)) is not None:
            shelf = self._shelves.setdefault(key, deque())
            try:
                cell = await self._make(self._kinds[key])
            except SandboxError:  # what stands in the way is told to who asks for one
                failed.add(key)
                self._retry_later()
                continue
            if self._shelves.get(key) is not shelf:
                cell.discard()  # of a zygote that was replaced meanwhile, or of a kind not in use any more
                continue
            shelf.append(cell)
            cell.exited.add_done_callback(partial(self._on_exit, shelf, cell))

    def _missing(self, failed: set[str]) -> str | None:
        """A kind of which too few wait, looked for anew each time: others come into use meanwhile."""
        found = (k for k in reversed(self._kinds) if len(self._shelves.get(k, ())) < self._count)
        return next((key for key in found if key not in failed), None)

    def _retry_later(self) -> None:
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(RETRY_AFTER_S, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        if self._timer is None:
            self._begin()

    def _on_exit(
        self, shelf: deque[NamespaceSandbox], cell: NamespaceSandbox, _: "asyncio.Future[object]"
    ) -> None:
        if cell in shelf:
            shelf.remove(cell)
            cell.discard()
            if not self._closed and self._timer is None:
                self._grow_later(REPLACE_AFTER_S)
