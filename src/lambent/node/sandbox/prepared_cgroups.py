"""Control groups made ahead: making one takes 0.2 ms, on the loop, of which a burst of starts has none to spare.

Contract:
1. A group is given away once, with the limits asked for, and is gone with its environment: what it has counted is
   never inherited.
2. None is made before one was asked for, nor while environments are being started (:meth:`postpone`).
3. Where none is left, who asks makes one.
4. :meth:`close` leaves none behind.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from lambent.node.linux.cgroups import Cgroup

QUIET_S = 0.2
"""POLICY: how long nothing must have been started, nor have come to the end of its start."""
_AT_A_TIME = 4


class PreparedCgroups:
    """``ahead`` of them. ``make`` gives one by name that has been created with the widest limits; raises OSError.

    Lives on the loop's thread; groups are made on another.
    """

    def __init__(self, make: Callable[[str], Cgroup], ahead: int) -> None:
        self._make = make
        self._ahead = self._most = ahead
        self._names = map("ahead-{}".format, count())
        self._ready: deque[Cgroup] = deque()
        self._making: asyncio.Task[None] | None = None
        self._quiet_at_s = 0.0
        self._is_wanted = False

    @property
    def count(self) -> int:
        """How many are ready."""
        return len(self._ready)

    @property
    def _lacking(self) -> int:
        return min(self._ahead, self._most) - len(self._ready)

    def take(self, memory_mib: int) -> Cgroup | None:
        """One that nobody had, with that limit; None when there is none."""
        self.postpone()
        self._is_wanted = True
        if self._making is None and self._ahead:
            self._making = asyncio.get_running_loop().create_task(self._keep_up())
        while self._ready:
            cgroup = self._ready.popleft()
            try:
                cgroup.resize(memory_mib)
            except OSError:
                _discard(cgroup)
            else:
                return cgroup
        return None

    def postpone(self) -> None:
        """Something is being started, or has just been."""
        self._quiet_at_s = asyncio.get_running_loop().time() + QUIET_S

    def bound(self, most: int) -> None:
        """There are to be no more than that, for want of memory or because there is some again; others go."""
        self._most = most
        while len(self._ready) > most:
            _discard(self._ready.pop())
        if self._lacking > 0 and self._making is None and self._is_wanted:
            self._making = asyncio.get_running_loop().create_task(self._keep_up())

    async def close(self) -> None:
        """Removes those that nobody took."""
        self._ahead = 0
        if self._making is not None:
            self._making.cancel()
            await asyncio.wait([self._making])
        while self._ready:
            _discard(self._ready.popleft())

    async def _keep_up(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._lacking > 0:
                wait_s = self._quiet_at_s - loop.time()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                    continue
                making = loop.run_in_executor(None, self._make_some, min(_AT_A_TIME, self._lacking))
                try:
                    made = await asyncio.shield(making)
                except asyncio.CancelledError:
                    self._ready += await making
                    raise
                self._ready += made
                if not made:
                    return  # tried again when the next one is asked for
        finally:
            self._making = None

    def _make_some(self, number: int) -> list[Cgroup]:
        made: list[Cgroup] = []
        with suppress(OSError):
            while len(made) < number:
                made.append(self._make(next(self._names)))
        return made


def _discard(cgroup: Cgroup) -> None:
    cgroup.close()
    cgroup.remove()
