"""Room for the next environment: idle ones end for it, and while memory is short.

Which, and when, is decided in :mod:`lambent.invoke.room`.
"""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from lambent.invoke.assignment import Pool
from lambent.invoke.ports import Environment
from lambent.invoke.room import Candidate, Room, least_useful
from lambent.model.invocation import EnvironmentSpec

_UNKNOWN_INIT_S = 0.01
Idle = Candidate[tuple[str, Environment]]


class Eviction:
    """Ends idle environments of the pools it is given. Lives on the loop's thread."""

    def __init__(
        self,
        room: Room,
        available_bytes: Callable[[], int],
        pools: Mapping[str, Pool[Environment, Any]],
        specs: Mapping[str, EnvironmentSpec],
    ) -> None:
        self._room = room
        self._available_bytes = available_bytes
        self._pools = pools
        self._specs = specs
        self._init_s: dict[str, float] = {}

    def init_took(self, key: str, init_s: float) -> None:
        """How long an environment of that pool was on its way."""
        self._init_s[key] = init_s

    def forget(self, key: str) -> None:
        """The pool is no more."""
        self._init_s.pop(key, None)

    def make_room(self, is_full: Callable[[int], bool]) -> bool:
        """Ends idle environments until there is room for the one that a pool has begun to count.

        ``is_full(n)``: whether there are as many as there may be, ``n`` of them not counted. False: no room.
        """
        available, freed = self._available_bytes(), 0
        idle: list[Idle] | None = None
        while True:
            verdict = self._room.for_one_more(
                self._committed_mib(), available, is_full=is_full(freed), has_idle=idle != []
            )
            if verdict != "evict":
                return verdict == "start"
            if idle is None:
                idle = least_useful(self._idle(), sys.maxsize)
            if idle:
                one = idle.pop(0)
                self._end(one)
                freed, available = freed + 1, available + one.held_bytes

    def relieve(self) -> None:
        """Gives memory back while there is little left."""
        lacking = self._room.lacking_bytes(self._available_bytes())
        if lacking:
            for one in least_useful(self._idle(), lacking):
                self._end(one)

    def _committed_mib(self) -> int:
        if self._room.max_committed_mib is None:
            return 0
        return sum(pool.staying * self._specs[key].memory_mib for key, pool in self._pools.items())

    def _idle(self) -> list[Idle]:
        """Every idle environment that is not kept."""
        now_s = time.monotonic()
        return [
            Candidate(
                (key, one),
                now_s - one.idle_since_s,
                self._init_s.get(key, _UNKNOWN_INIT_S),
                one.held_bytes(),
            )
            for key, pool in self._pools.items()
            if not pool.kept
            for one in pool.idle
        ]

    def _end(self, one: Idle) -> None:
        key, environment = one.key
        if self._pools[key].evict(environment):
            environment.stop()
