"""Control groups made ahead: making one takes 0.2 ms, which a burst of starts has not to spare."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from lambent.node.linux.cgroups import Cgroup
from lambent.node.sandbox.stock import Stock


class PreparedCgroups(Stock[Cgroup]):
    """``ahead`` of them. ``make`` gives one by name that has been created with the widest limits; raises OSError.

    It is called on another thread.
    """

    def __init__(self, make: Callable[[str], Cgroup], ahead: int) -> None:
        super().__init__(ahead)
        self._make = make
        self._names = map("ahead-{}".format, count())

    def take(self, memory_mib: int) -> Cgroup | None:
        """One that nobody had, with that limit; None when there is none."""
        while (cgroup := self._pop()) is not None:
            try:
                cgroup.resize(memory_mib)
            except OSError:
                self._discard(cgroup)
            else:
                return cgroup
        return None

    async def _make_some(self, number: int) -> list[Cgroup]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._make_all, number)

    def _make_all(self, number: int) -> list[Cgroup]:
        made: list[Cgroup] = []
        with suppress(OSError):
            while len(made) < number:
                made.append(self._make(next(self._names)))
        return made

    def _discard(self, thing: Cgroup) -> None:
        thing.close()
        thing.remove()
