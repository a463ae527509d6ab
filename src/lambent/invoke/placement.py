"""Carries out what the pools decide: starts environments, delivers events, stops what is idle too long."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from lambent.invoke.assignment import Deliver, Effect, Pool, Start, Stop
from lambent.invoke.eviction import Eviction
from lambent.invoke.ports import Ahead, Environment, Node
from lambent.invoke.room import UNBOUNDED, Room
from lambent.model.errors import AwsError, ClientFault, PlatformFault
from lambent.model.invocation import EnvironmentSpec, Invocation, InvocationResult

_PATIENCE_S = 0.025
"""POLICY: how long an event waits for an environment that has just answered, before another starts."""
_SWEEP_S = 1.0
_NO_ROOM = (
    "No execution environment could be started: there is no memory left for another, and none is idle. Ask for "
    "less at once, or see --max-memory and --memory-reserve of lambent up"
)
_START_TRIES = 2
"""POLICY: a start the host could not make is tried once more: whatever was killed meanwhile is back then."""


@dataclass(eq=False, slots=True)
class Waiter:
    """An event waiting for an environment, and whom to tell the result."""

    invocation: Invocation
    result: "asyncio.Future[InvocationResult]"


class _Watch:
    """A pool's ear at the node. ``waiter``: the event that initialisation is run again for, if it is."""

    __slots__ = ("_key", "_placement", "_waiter", "born_s", "gone")

    def __init__(self, placement: "Placement", key: str, waiter: Waiter | None = None) -> None:
        self._placement = placement
        self._key = key
        self._waiter = waiter
        self.born_s: float | None = time.monotonic()
        self.gone = False

    def on_ready(self, environment: Environment) -> None:
        if self.born_s is not None:
            self._placement.init_took(self._key, time.monotonic() - self.born_s)
            self.born_s = None
        waiter, self._waiter = self._waiter, None
        if waiter is None:
            self._placement.environment_ready(self._key, environment)
        else:
            self._placement.environment_retried(self._key, environment, waiter)

    def on_responded(self, environment: Environment) -> None:
        self._placement.environment_responded(self._key, environment)

    def on_leaving(self, environment: Environment) -> None:
        self._placement.environment_leaving(self._key, environment)

    def on_gone(self, environment: Environment) -> None:
        self.gone = True
        if self._waiter is None:
            self._placement.environment_gone(self._key, environment)
        else:
            self._placement.retry_failed(self._key, environment, self._waiter)


class Placement:
    """All pools of this platform. Lives on the loop's thread.

    ``max_environments``: how many may be alive at once; beyond it the least useful idle one of any pool makes
    room, and where none is idle the node refuses. ``room``: what they may have of the memory, of which
    ``available_bytes`` are left. ``ahead``: what the node has made before it is needed.
    """

    def __init__(
        self,
        node: Node,
        max_environments: int,
        idle_timeout_s: float,
        room: Room = UNBOUNDED,
        available_bytes: Callable[[], int] = lambda: sys.maxsize,
        ahead: Ahead | None = None,
    ) -> None:
        self._node = node
        self._max_environments = max_environments
        self._idle_timeout_s = idle_timeout_s
        self._pools: dict[str, Pool[Environment, Waiter]] = {}
        self._specs: dict[str, EnvironmentSpec] = {}
        self._eviction = Eviction(room, available_bytes, self._pools, self._specs, ahead)
        self._ready_once: set[Environment] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._live = 0
        self._alive: set[Environment] = set()
        self._stopping = False
        self._sweeper: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begins sweeping idle environments, and says what may be made ahead."""
        self._eviction.relieve()
        self._sweeper = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)

    def invoke(self, invocation: Invocation) -> "asyncio.Future[InvocationResult]":
        """Has the event handled by an environment of its version; the future always resolves."""
        if self._stopping:
            raise PlatformFault("The platform is shutting down.", "ServiceException", 503)
        key = invocation.spec.key
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = Pool()
            self._specs[key] = invocation.spec
        environment = pool.take_idle()
        if environment is not None:
            # The environment's own future: one more behind it would cost the caller a turn of the loop.
            return environment.invoke(invocation)
        loop = asyncio.get_running_loop()
        waiter = Waiter(invocation, loop.create_future())
        if pool.finishing:
            loop.call_later(_PATIENCE_S, self._lose_patience, key)
        self._execute(key, pool, pool.request(waiter))
        return waiter.result

    # Provisioned concurrency

    def keep(self, spec: EnvironmentSpec, count: int) -> None:
        """Has ``count`` environments of the spec initialised from now on; 0 ends it."""
        pool = self._pools.get(spec.key)
        if pool is None:
            if not count or self._stopping:
                return
            pool = self._pools[spec.key] = Pool()
            self._specs[spec.key] = spec
        self._execute(spec.key, pool, pool.keep(count))
        self._forget_empty(spec.key, pool)

    def refill(self, key: str) -> None:
        """Tries again to start what a pool keeps and could not start."""
        pool = self._pools.get(key)
        if pool is not None and not self._stopping:
            self._execute(key, pool, pool.refill())

    def kept(self, key: str) -> "Pool[Environment, Waiter] | None":
        """The pool of environments that are kept for this key, to look at."""
        return self._pools.get(key)

    def _lose_patience(self, key: str) -> None:
        pool = self._pools.get(key)
        if pool is not None:
            self._execute(key, pool, pool.lose_patience())

    # What the node tells

    def init_took(self, key: str, init_s: float) -> None:
        """How long an environment of that pool was on its way."""
        self._eviction.init_took(key, init_s)

    def environment_ready(self, key: str, environment: Environment) -> None:
        """A pool has one more to give."""
        self._ready_once.add(environment)
        pool = self._pools[key]
        effects = pool.ready(environment)
        if effects:
            self._execute(key, pool, effects)

    def environment_retried(self, key: str, environment: Environment, waiter: Waiter) -> None:
        """The second initialisation worked: its event goes on in the same environment."""
        self._ready_once.add(environment)
        self._pools[key].retried(environment)
        self._deliver(environment, waiter)

    def environment_responded(self, key: str, environment: Environment) -> None:
        """An environment answered its event."""
        self._pools[key].responded(environment)

    def environment_leaving(self, key: str, environment: Environment) -> None:
        """An idle environment is ending by itself."""
        self._pools[key].leaving(environment)

    def environment_gone(self, key: str, environment: Environment) -> None:
        """An environment ended. One that was never ready: a waiting event goes on to the next try."""
        self._live -= 1
        self._alive.discard(environment)
        pool = self._pools[key]
        if environment in self._ready_once:
            self._ready_once.discard(environment)
            self._execute(key, pool, pool.gone(environment))
        else:
            waiter = pool.failed()
            if waiter is not None and self._stopping:
                _hear_of_failure(waiter, environment)
            elif waiter is not None:
                self._start_again(key, pool, environment, waiter)
        self._forget_empty(key, pool)

    def retry_failed(self, key: str, environment: Environment, waiter: Waiter) -> None:
        """The second initialisation failed too: its event hears of it."""
        self._live -= 1
        self._alive.discard(environment)
        pool = self._pools[key]
        pool.retry_failed()
        _hear_of_failure(waiter, environment)
        self._forget_empty(key, pool)

    # Effects

    def _execute(
        self,
        key: str,
        pool: Pool[Environment, Waiter],
        effects: "list[Effect[Environment, Waiter]]",
    ) -> None:
        for effect in effects:
            match effect:
                case Deliver(environment, waiter):
                    self._deliver(environment, waiter)
                case Start(count):
                    for _ in range(count):
                        self._start(key, pool)
                case Stop(environment):
                    environment.stop()

    def _deliver(self, environment: Environment, waiter: Waiter) -> None:
        if waiter.result.cancelled():
            waiter.result = asyncio.get_running_loop().create_future()
        answer = environment.invoke(waiter.invocation)
        answer.add_done_callback(lambda done: _resolve(waiter, done.result()))

    def _start(self, key: str, pool: Pool[Environment, Waiter]) -> None:
        spec = self._specs[key]
        if not self._eviction.make_room(self._is_full, key):
            waiter = pool.failed()
            if waiter is not None:
                _refuse(waiter, PlatformFault(_NO_ROOM, "ServiceException", 503))
            return
        self._live += 1

        def give_up(error: Exception) -> None:
            waiter = pool.failed()
            if waiter is not None:
                _refuse(waiter, error)

        start = self._start_one(
            key, pool, lambda: _Watch(self, key), lambda w: self._node.start(spec, w), give_up
        )
        self._keep(start)

    def has_room_for(self, spec: EnvironmentSpec, more_mib: int) -> bool:
        """Whether so much more may be held for its initialised version; what can be done without ends for it."""
        return self._eviction.make_room(lambda _: False, spec.key, more_mib)

    def _is_full(self, freed: int) -> bool:
        return self._live - freed >= self._max_environments

    def _start_again(
        self, key: str, pool: Pool[Environment, Waiter], failed: Environment, waiter: Waiter
    ) -> None:
        """AWS: an initialisation that failed is run again inside the invocation."""
        pool.retry()
        self._live += 1

        def give_up(error: Exception) -> None:
            pool.retry_failed()
            _refuse(waiter, error)

        start = self._start_one(
            key, pool, lambda: _Watch(self, key, waiter), failed.start_again, give_up
        )
        self._keep(start)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start_one(
        self,
        key: str,
        pool: Pool[Environment, Waiter],
        make_watch: Callable[[], _Watch],
        start: Callable[[_Watch], Awaitable[Environment]],
        give_up: Callable[[Exception], None],
    ) -> None:
        """Starts one environment; no event has gone anywhere yet, so another may be tried."""
        for left in reversed(range(_START_TRIES)):
            watch = make_watch()
            try:
                environment = await start(watch)
            except Exception as error:
                if left and not self._stopping and (pool.waiting or not pool.retired):
                    continue  # nobody would end again what is made for a version that is no more
                self._live -= 1
                give_up(error)
                self._forget_empty(key, pool)
                return
            if not watch.gone:
                self._alive.add(environment)
            return

    def _sweep(self) -> None:
        """Stops what has been idle too long."""
        oldest_s = time.monotonic() - self._idle_timeout_s
        for key, pool in list(self._pools.items()):
            while pool.idle and not pool.kept and pool.idle[0].idle_since_s < oldest_s:
                self._execute(key, pool, pool.evict())
        self._eviction.relieve()
        self._sweeper = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)

    def _forget_empty(self, key: str, pool: Pool[Environment, Waiter]) -> None:
        if pool.kept or pool.live or pool.waiting:
            return
        if self._pools.get(key) is pool:
            del self._pools[key]
            del self._specs[key]
            self._eviction.forget(key)

    # Changes and the end

    def retire(self, is_current: Callable[[EnvironmentSpec], bool]) -> None:
        """Retires every pool for whose spec ``is_current(spec)`` is false."""
        for key, pool in list(self._pools.items()):
            if not pool.retired and not is_current(self._specs[key]):
                self._execute(key, pool, pool.retire())

    def revive(self, is_current: Callable[[EnvironmentSpec], bool]) -> None:
        """Takes back the retirement of every pool for whose spec ``is_current(spec)`` is true."""
        for key, pool in self._pools.items():
            if pool.retired and is_current(self._specs[key]):
                pool.revive()

    def counts(self) -> dict[str, int]:
        """Environments by what they do, for health."""
        pools = self._pools.values()
        return {
            "idle": sum(len(p.idle) for p in pools),
            "busy": sum(len(p.busy) + len(p.finishing) for p in pools),
            "starting": sum(p.starting + p.retrying for p in pools),
        }

    async def close(self, deadline_s: float) -> None:
        """Stops every environment and waits for them to be gone."""
        self._stopping = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        loop = asyncio.get_running_loop()
        end_s = loop.time() + deadline_s
        while (self._live or self._tasks) and loop.time() < end_s:
            for environment in tuple(self._alive):
                environment.stop()
            await asyncio.sleep(0.005)


def _refuse(waiter: Waiter, error: Exception) -> None:
    """Tells an event that the host could not make an environment for it."""
    if not waiter.result.done():
        if not isinstance(error, AwsError):
            error = PlatformFault(f"No execution environment could be started: {error}")
        waiter.result.set_exception(error)


def _hear_of_failure(waiter: Waiter, environment: Environment) -> None:
    """Tells an event why its environment could not be initialised."""
    try:
        result = environment.refuse_invocation(waiter.invocation)
    except ClientFault as fault:
        if not waiter.result.done():
            waiter.result.set_exception(fault)
    else:
        _resolve(waiter, result)


def _resolve(waiter: Waiter, result: InvocationResult) -> None:
    if not waiter.result.done():
        waiter.result.set_result(result)
