"""Stem cells: environments made ahead, isolated but for what is a function's, waiting to hear whose they are.

Contract:
1. A stem cell has run nothing of any function; it becomes one environment, once.
2. They are made when nothing else is being started, so that they never delay an environment that is waited for,
   and only of interpreters that functions use.
3. One that dies while it waits is noticed, given back like any environment, and never handed out.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from lambent.node.runtimes import Interpreter
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.namespace_sandbox import NamespaceSandbox

GROW_AFTER_S = 0.1
"""POLICY: how long nothing must have been started before they are made again."""


class StemCells:
    """Up to ``count`` of each interpreter in use. ``make`` makes one; raises SandboxError where it cannot."""

    def __init__(
        self, make: Callable[[Interpreter], Awaitable[NamespaceSandbox]], count: int
    ) -> None:
        self._make = make
        self._count = count
        self._shelves: dict[str, deque[NamespaceSandbox]] = {}
        self._interpreters: dict[str, Interpreter] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._growing: asyncio.Task[None] | None = None
        self._closed = False

    def take(self, interpreter: Interpreter) -> NamespaceSandbox | None:
        """One that waits, if there is any; others are made once it is quiet."""
        if not self._count or self._closed:
            return None
        self._interpreters[interpreter.version] = interpreter
        self._grow_later()
        shelf = self._shelves.get(interpreter.version)
        while shelf:
            cell = shelf.popleft()
            if not cell.exited.done():
                return cell
            cell.discard()
        return None

    def count(self) -> int:
        """How many wait."""
        return sum(len(shelf) for shelf in self._shelves.values())

    def forget(self, version: str) -> None:
        """The zygote of an interpreter is another one now: what the old one made goes."""
        for cell in self._shelves.pop(version, ()):
            cell.discard()

    def close(self) -> None:
        """Ends those that wait; no more are made."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._growing is not None:
            self._growing.cancel()
        for version in tuple(self._shelves):
            self.forget(version)

    def _grow_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(GROW_AFTER_S, self._begin)

    def _begin(self) -> None:
        self._timer = None
        if self._growing is None or self._growing.done():
            self._growing = asyncio.get_running_loop().create_task(self._grow())

    async def _grow(self) -> None:
        """One after the other, until all are there or something else is being started."""
        for interpreter in tuple(self._interpreters.values()):
            shelf = self._shelves.setdefault(interpreter.version, deque())
            for cell in [cell for cell in shelf if cell.exited.done()]:
                shelf.remove(cell)
                cell.discard()
            while len(shelf) < self._count and self._timer is None:
                try:
                    cell = await self._make(interpreter)
                except SandboxError:  # what stands in the way is told to who asks for one
                    return
                if self._shelves.get(interpreter.version) is not shelf:
                    cell.discard()  # of a zygote that was replaced meanwhile
                    return
                shelf.append(cell)
