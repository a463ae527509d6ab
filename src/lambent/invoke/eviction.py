"""Room for the next environment: what can be done without ends for it, and while memory is short.

Which, and when, is decided in :mod:`lambent.invoke.room`.
"""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from lambent.invoke.assignment import Pool
from lambent.invoke.ports import Ahead, Environment, Template
from lambent.invoke.room import Candidate, Room, least_useful
from lambent.model.invocation import EnvironmentSpec

_UNKNOWN_INIT_S = 0.01
_MIB = 1024 * 1024
Idle = Candidate[tuple[str, Environment]]


class NothingAhead:
    """Of a node that makes nothing before it is needed; see :class:`lambent.invoke.ports.Ahead`."""

    def held_bytes(self) -> int:
        """None."""
        return 0

    def give_back(self, _: int) -> int:
        """There is nothing."""
        return 0

    def allow(self, spare_bytes: int, left_bytes: int) -> None:
        """It takes nothing."""

    def templates(self) -> Mapping[str, Template]:
        """None."""
        return {}

    def end_template(self, key: str) -> None:
        """There is none."""


class Eviction:
    """Ends what the machine can do without: idle environments of the pools it is given, and what is ``ahead``.

    Lives on the loop's thread.
    """

    def __init__(
        self,
        room: Room,
        available_bytes: Callable[[], int],
        pools: Mapping[str, Pool[Environment, Any]],
        specs: Mapping[str, EnvironmentSpec],
        ahead: Ahead | None = None,
    ) -> None:
        self._room = room
        self._available_bytes = available_bytes
        self._pools = pools
        self._specs = specs
        self._ahead: Ahead = ahead or NothingAhead()
        self._init_s: dict[str, float] = {}

    def init_took(self, key: str, init_s: float) -> None:
        """How long an environment of that pool was on its way."""
        self._init_s[key] = init_s

    def forget(self, key: str) -> None:
        """The pool is no more."""
        self._init_s.pop(key, None)

    def make_room(self, is_full: Callable[[int], bool], key: str, more_mib: int = 0) -> bool:
        """Ends what can be done without until there is room for what a pool has begun to count.

        ``is_full(n)``: whether there are as many as there may be, ``n`` of them not counted. ``key``: of its
        version. ``more_mib``: of what no pool counts. False: no room.
        """
        available, freed = self._available_bytes(), 0
        idle: list[Idle] | None = None
        templates: list[Candidate[str]] | None = None
        ahead_bytes = self._ahead.held_bytes()
        while True:
            would_commit_mib = self._committed_mib() + more_mib
            verdict = self._room.for_one_more(
                would_commit_mib,
                available,
                is_full=is_full(freed),
                has_idle=idle != [],
                ahead_bytes=ahead_bytes,
                has_template=templates != [],
            )
            if verdict == "give back":
                lacking = self._room.excess_bytes(would_commit_mib, ahead_bytes)
                lacking = max(lacking, self._room.lacking_bytes(available))
                given = self._ahead.give_back(lacking)
                available, ahead_bytes = available + given, self._ahead.held_bytes() if given else 0
            elif verdict == "evict":
                if idle is None:
                    idle = least_useful(self._idle(), sys.maxsize)
                if idle:
                    one = idle.pop(0)
                    self._end(one)
                    freed, available = freed + 1, available + one.held_bytes
            elif verdict == "end template":
                if templates is None:
                    templates = least_useful(self._unused_templates(key), sys.maxsize)
                if templates:
                    unused = templates.pop(0)
                    self._ahead.end_template(unused.key)
                    available += unused.held_bytes
            else:
                return verdict == "start"

    def relieve(self) -> None:
        """Gives memory back while there is little left, and says what may be made ahead."""
        available = self._available_bytes()
        lacking = self._room.lacking_bytes(available)
        if lacking:
            self._give_back(lacking)
        committed_mib = self._committed_mib()
        excess = self._room.excess_bytes(committed_mib, self._ahead.held_bytes())
        if excess:
            self._ahead.give_back(excess)
        held_bytes = self._ahead.held_bytes()
        self._ahead.allow(*self._room.for_ahead(available, held_bytes, committed_mib))

    def _give_back(self, lacking: int) -> None:
        lacking -= self._ahead.give_back(lacking)
        for one in least_useful(self._idle(), lacking):
            self._end(one)
            lacking -= one.held_bytes
        for unused in least_useful(self._unused_templates(), lacking):
            self._ahead.end_template(unused.key)

    def _committed_mib(self) -> int:
        """Of environments what they were promised, of templates what they hold or may come to hold."""
        if self._room.max_committed_mib is None:
            return 0
        found = sum(
            -(-template.held_bytes // _MIB)
            for key, template in self._ahead.templates().items()
            # While one initialises, the environment that waits for it is not there, and has as much.
            if template.is_made or key not in self._pools or not self._pools[key].starting
        )
        return found + sum(
            pool.staying * self._specs[key].memory_mib for key, pool in self._pools.items()
        )

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

    def _unused_templates(self, but: str = "") -> list[Candidate[str]]:
        """Those that hold something, and nothing lives of but what is ending."""
        used = {key for key, pool in self._pools.items() if pool.staying}
        return [
            Candidate(key, one.idle_s, one.init_s, one.held_bytes)
            for key, one in self._ahead.templates().items()
            if key != but and key not in used and not one.is_used and one.held_bytes
        ]

    def _end(self, one: Idle) -> None:
        key, environment = one.key
        if self._pools[key].evict(environment):
            environment.stop()
