"""A stock of what environments are made of, filled while nothing is asked of the node.

Contract:
1. A thing is given away once: what it has counted or heard is never inherited.
2. None is made before one was asked for, nor within :data:`QUIET_S` of one being asked for or of
   :meth:`Stock.postpone`: a burst is not slowed down by its own replacement.
3. Where none is left, who asks makes one.
4. :meth:`Stock.close` leaves none behind.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from typing import Generic, TypeVar

ThingT = TypeVar("ThingT")

QUIET_S = 0.2
"""POLICY: how long nothing must have been started, nor have come to the end of its start."""
_AT_A_TIME = 4


class Stock(ABC, Generic[ThingT]):
    """``ahead`` things. Lives on the loop's thread."""

    def __init__(self, ahead: int) -> None:
        self._ahead = self._most = ahead
        self._ready: deque[ThingT] = deque()
        self._making: asyncio.Task[None] | None = None
        self._quiet_at_s = 0.0
        self._is_wanted = False

    @abstractmethod
    async def _make_some(self, number: int) -> list[ThingT]:
        """So many, or fewer where no more can be had now: then it is tried again when one is asked for."""

    @abstractmethod
    def _discard(self, thing: ThingT) -> None:
        """Gives back what nobody took."""

    @property
    def count(self) -> int:
        """How many are ready."""
        return len(self._ready)

    @property
    def _lacking(self) -> int:
        return min(self._ahead, self._most) - len(self._ready)

    def _pop(self) -> ThingT | None:
        """One that nobody had; None when there is none. The first time is when others begin to be made."""
        self.postpone()
        self._is_wanted = True
        taken = self._ready.popleft() if self._ready else None
        if self._ahead:
            self._begin()
        return taken

    def postpone(self) -> None:
        """Something is being started, or has just been."""
        self._quiet_at_s = asyncio.get_running_loop().time() + QUIET_S

    def bound(self, most: int) -> None:
        """There are to be no more than that, for want of memory or because there is some again; others go."""
        self._most = most
        while len(self._ready) > most:
            self._discard(self._ready.pop())
        if self._lacking > 0 and self._is_wanted:
            self._begin()

    async def close(self) -> None:
        """Gives all back that nobody took."""
        self._ahead = 0
        if self._making is not None:
            self._making.cancel()
            await asyncio.wait([self._making])
        while self._ready:
            self._discard(self._ready.popleft())

    def _begin(self) -> None:
        if self._making is None:
            self._making = asyncio.get_running_loop().create_task(self._keep_up())

    async def _keep_up(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._lacking > 0:
                wait_s = self._quiet_at_s - loop.time()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                    continue
                number = min(_AT_A_TIME, self._lacking)
                making = asyncio.ensure_future(self._make_some(number))
                try:
                    made = await asyncio.shield(making)
                except asyncio.CancelledError:
                    self._ready += await making
                    raise
                self._ready += made
                if len(made) < number:
                    return
        finally:
            self._making = None
