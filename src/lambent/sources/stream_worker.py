"""The worker of streams: finds shards, reads each after its parents, until it is told to stop.

1. When a mapping is first polled, where every shard begins is written down; LATEST means that moment.
2. A shard begins when all of its parents are finished. One that appears later begins at its horizon: nothing
   written while shards are split or merged is passed over.
3. What the stream refuses is told in ``LastProcessingResult`` and tried again after a growing while.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from lambent.model.errors import AwsError
from lambent.sources.backoff import Backoff
from lambent.sources.checkpoints import Checkpoint, Opened
from lambent.sources.contract import problem
from lambent.sources.shard import Shard
from lambent.sources.stream_source import (
    LATEST,
    TRIM_HORIZON,
    Position,
    PositionKind,
    ShardInfo,
)
from lambent.sources.stream_work import FIRST_BACKOFF_S, MAX_BACKOFF_S, StreamWork, is_throttled
from lambent.sources.tasks import end_tasks, log_failure
from lambent.store.queues.contract import StoreFullError

_LOOK_AGAIN_S: Final = 60.0
"""POLICY: how often shards are listed while nothing tells that there are new ones."""
_LOOK_AGAIN_TOLD_S: Final = 180.0
"""POLICY: the same where writes are told: what splits or ends a shard goes through the platform."""
_SOON_S: Final = 5.0
"""POLICY: when a shard has ended and its children are not listed yet."""
_log = logging.getLogger("lambent.sources")


class StreamWorker:
    """Is a :class:`~lambent.sources.contract.Poller`."""

    def __init__(self, work: StreamWork) -> None:
        self._work = work
        self._shards: dict[str, Shard] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._checkpoints: dict[str, Checkpoint] = {}
        self._first: dict[str, Position] = {}
        self._changed = asyncio.Event()
        self._ended: set[str] = set()
        self._started_s = 0.0
        self._backoff = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        self._crashes = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        self._crashed = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to read."""
        self._started_s = self._work.now_s()
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._run_ended)

    async def stop(self, deadline_s: float) -> None:
        """Reads no more; what functions are handling may end, and be checkpointed, until the deadline."""
        self._work.stopping.set()
        self._changed.set()
        for shard in self._shards.values():
            shard.wake()
        tasks = [task for task in (self._task, *self._tasks.values()) if task is not None]
        if not tasks:
            return
        idle = [task for task in tasks if not self._is_busy(task)]
        await end_tasks(idle, min(deadline_s, 1.0))
        await end_tasks([task for task in tasks if not task.done()], deadline_s)

    async def describe(self) -> Mapping[str, Any]:
        """See the protocol. ``lag_ms`` is the largest of the shards'; ``lag`` in records no stream tells."""
        shards = [shard.describe() for _, shard in sorted(self._shards.items())]
        lags = [lag for shard in self._shards.values() if (lag := shard.lag_ms()) is not None]
        counters = self._work.counters
        return {
            "lag": None,
            "lag_ms": max(lags, default=None),
            "in_flight": sum(shard.in_flight for shard in self._shards.values()),
            "concurrency": len(shards) * self._work.settings.factor,
            "invoked": counters.invoked,
            "retried": counters.retried,
            "given_up": counters.given_up,
            "throttled": counters.throttled,
            "records": counters.records,
            "filtered": counters.filtered,
            "shards": shards,
        }

    def _is_busy(self, task: "asyncio.Task[None]") -> bool:
        return any(
            self._tasks.get(shard_id) is task and shard.in_flight
            for shard_id, shard in self._shards.items()
        )

    # Finding shards

    async def _run(self) -> None:
        while not self._work.stopping.is_set():
            if self._crashed:
                self._crashed = False
                await self._work.pause(self._crashes.next_s())
            try:
                listed = await self._work.source.shards()
                facts = await self._work.source.facts()
                self._work.retention_s = facts.retention_s
                await self._take_stock(listed, facts.identity)
            except (AwsError, StoreFullError) as error:
                await self._failed(error)
                continue
            self._backoff.reset()
            wait_s = self._start_shards(listed)
            await self._wait(wait_s)

    def _run_ended(self, task: "asyncio.Task[None]") -> None:
        """A bug of ours, or an answer that is none: told, and begun anew; the pause is in ``_run``."""
        if log_failure(task) and not self._work.stopping.is_set():
            self._work.report("PROBLEM: The stream could not be read: see the platform's log.")
            self._crashed = True
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(self._run_ended)

    async def _failed(self, error: AwsError | StoreFullError) -> None:
        if isinstance(error, StoreFullError):
            self._work.report("PROBLEM: The checkpoints could not be written: the disk is full.")
        elif not is_throttled(error):
            self._work.report(problem(error))
        await self._work.pause(self._backoff.next_s())

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    async def _take_stock(self, listed: list[ShardInfo], identity: str) -> None:
        """The checkpoints as they are on disk; the first time, as they are to begin."""
        opened = await self._work.checkpoints.load()
        if opened is None:
            known = {shard.shard_id: self._beginning(shard) for shard in listed}
            await self._work.checkpoints.open(Opened(identity, known))
        elif opened.identity != identity:
            # The stream was deleted, and made again under its name: all that is in it is new. POLICY
            await end_tasks(self._tasks.values(), 0)
            known = {}
            await self._work.checkpoints.open(Opened(identity, known))
        else:
            known = opened.checkpoints
        there = {shard.shard_id for shard in listed}
        gone = [shard_id for shard_id in known if shard_id not in there | self._tasks.keys()]
        if there:
            await self._work.checkpoints.forget_shards(gone)
        self._checkpoints = known
        for shard_id, shard in self._shards.items():
            if shard.missing and shard_id not in there:
                shard.end()  # what is left of it expired

    def _beginning(self, shard: ShardInfo) -> Checkpoint:
        position, factor = self._work.settings.position, self._work.settings.factor
        if position != LATEST:
            return Checkpoint(position, factor)
        if not self._work.source.from_time:
            self._first[shard.shard_id] = LATEST
        now = Position(PositionKind.AT_TIMESTAMP, repr(self._started_s))
        return Checkpoint(now, factor, finished=shard.closed)

    def _start_shards(self, listed: list[ShardInfo]) -> float:
        """Starts what may start. The answer: when to look again, in seconds."""
        by_id = {shard.shard_id: shard for shard in listed}
        for shard in listed:
            if self._may_start(shard, by_id):
                self._start_shard(shard.shard_id)
        parents = {parent for shard in listed for parent in shard.parents}
        childless = any(each in by_id and each not in parents for each in self._ended)
        if childless:
            return _SOON_S
        return _LOOK_AGAIN_S if self._work.writes is None else _LOOK_AGAIN_TOLD_S

    def _may_start(self, shard: ShardInfo, listed: Mapping[str, ShardInfo]) -> bool:
        if shard.shard_id in self._tasks or self._is_finished(shard.shard_id):
            return False
        return all(self._is_finished(each) for each in shard.parents if each in listed)

    def _is_finished(self, shard_id: str) -> bool:
        checkpoint = self._checkpoints.get(shard_id)
        return checkpoint is not None and checkpoint.finished

    def _start_shard(self, shard_id: str) -> None:
        if self._work.stopping.is_set():
            return
        fresh = Checkpoint(TRIM_HORIZON, self._work.settings.factor)
        checkpoint = self._checkpoints.get(shard_id, fresh)
        shard = Shard(self._work, shard_id, checkpoint, self._first.pop(shard_id, None))
        self._shards[shard_id] = shard
        task = asyncio.get_running_loop().create_task(shard.run())
        self._tasks[shard_id] = task
        task.add_done_callback(lambda task: self._shard_ended(shard_id, task))

    def _shard_ended(self, shard_id: str, task: "asyncio.Task[None]") -> None:
        shard = self._shards.pop(shard_id)
        del self._tasks[shard_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            # A bug of ours, or an answer that is none: the shard is begun anew at its checkpoint.
            _log.error("a shard's task failed", exc_info=error)
            self._work.report("PROBLEM: The stream could not be read: see the platform's log.")
            self._crashed = True
            self._changed.set()
            return
        if shard.checkpoint.finished:
            self._ended.add(shard_id)
            self._changed.set()
