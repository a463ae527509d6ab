"""The worker of Kafka: a member of the mapping's consumer group, with one lane for each partition it is given.

1. A partition is read from the offset its group has committed; in a new group, from where the mapping says. What
   that comes to is committed at once, so that LATEST means the first start, not the next one.
2. When the group takes a partition away, the batch a function is handling may end and be committed first; nothing
   more is begun, and what was read ahead is left to the next member.
3. What a broker refuses is told in ``LastProcessingResult``; the connection is made anew after a growing while,
   with the secrets as they are then.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lambent.model.errors import AwsError
from lambent.patterns.records import RecordFilter
from lambent.sources.backoff import Backoff
from lambent.sources.checkpoints import Checkpoint
from lambent.sources.contract import NO_RECORDS
from lambent.sources.kafka.contract import KafkaTopic
from lambent.sources.kafka.offsets import offset_of, partition_of, position_at, shard_name
from lambent.sources.kafka.partition import PartitionSource, beginnings
from lambent.sources.shard import Shard
from lambent.sources.stream_source import Position, StreamSource
from lambent.sources.stream_work import (
    FIRST_BACKOFF_S,
    MAX_BACKOFF_S,
    StreamCounters,
    StreamWork,
)
from lambent.sources.tasks import end_tasks, log_failure, pause, until_set
from lambent.store.queues.contract import StoreFullError

REVOKE_S: Final = 45.0
"""POLICY: what batches may take to end when the group gives their partitions to others; less than its patience."""
_LOOK_EVERY_S: Final = 60.0
"""POLICY: how often it is asked which messages are kept no more."""
_IDLE_STOP_S: Final = 1.0
_LONGEST_S: Final = 900.0
_LEAVE_S: Final = 5.0
_log = logging.getLogger("lambent.sources")

Connection = tuple[KafkaTopic, Sequence[str]]
"""A topic, and the bootstrap servers that events name."""


@dataclass(frozen=True, slots=True)
class KafkaPlan:
    """What is read: a topic, from where when its group is new, and what of it."""

    topic: str
    position: Position
    keeps: RecordFilter


class KafkaWorker:
    """Is a :class:`~lambent.sources.contract.Poller`, and its topic's assignee.

    ``connect`` raises AwsError. ``make_work`` gives each partition its own; all count in ``counters``.
    """

    def __init__(
        self,
        plan: KafkaPlan,
        connect: Callable[[], Coroutine[Any, Any, Connection]],
        make_work: Callable[[Connection, StreamSource], StreamWork],
        report: Callable[[str], None],
        counters: StreamCounters,
    ) -> None:
        self._plan = plan
        self._connect = connect
        self._make_work = make_work
        self._report = report
        self._counters = counters
        self._connection: Connection | None = None
        self._shards: dict[int, Shard] = {}
        self._works: dict[int, StreamWork] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._assigning: set[asyncio.Task[None]] = set()
        self._broken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._backoff = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Joins the group."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(log_failure)

    async def stop(self, deadline_s: float) -> None:
        """Reads no more; what functions are handling may end, and be committed, until the deadline."""
        self._stopping.set()
        await self._release(set(self._tasks), deadline_s)
        self._broken.set()
        if self._task is not None:
            await end_tasks([self._task], _LEAVE_S)

    async def describe(self) -> Mapping[str, Any]:
        """See the protocol. ``lag`` is in messages, of the partitions that this member has."""
        shards = [shard for _, shard in sorted(self._shards.items())]
        counters = self._counters
        lags = [self._lag(shard) for shard in shards]
        known = [lag for lag in lags if lag is not None]
        ages = [age for shard in shards if (age := shard.lag_ms()) is not None]
        return {
            "lag": sum(known) if known else None,
            "lag_ms": max(ages, default=None),
            "in_flight": sum(shard.in_flight for shard in shards),
            "concurrency": len(shards),
            "invoked": counters.invoked,
            "retried": counters.retried,
            "given_up": counters.given_up,
            "throttled": counters.throttled,
            "records": counters.records,
            "filtered": counters.filtered,
            "shards": [
                shard.describe() | {"lag": lag} for shard, lag in zip(shards, lags, strict=True)
            ],
        }

    def _lag(self, shard: Shard) -> int | None:
        if self._connection is None:
            return None
        end = self._connection[0].end_of(partition_of(shard.shard_id))
        return None if end is None else max(0, end - offset_of(shard.checkpoint.position))

    # The connection

    async def _run(self) -> None:
        while not self._stopping.is_set():
            self._broken.clear()
            try:
                await self._serve()
            except (AwsError, StoreFullError) as error:
                self._failed(error)
            except Exception:
                _log.exception("a Kafka topic could not be read")
                self._report("PROBLEM: The topic could not be read: see the platform's log.")
            await pause(self._stopping, self._backoff.next_s())

    async def _serve(self) -> None:
        """One connection, until it breaks or the poller stops."""
        connection = await until_set(self._connect(), self._broken)
        if connection is None:
            return
        topic, _ = self._connection = connection
        try:
            await until_set(topic.start(self), self._broken)
            while not self._broken.is_set():
                try:
                    async with asyncio.timeout(_LOOK_EVERY_S):
                        await self._broken.wait()
                except TimeoutError:
                    await self._look(topic)
        finally:
            # What runs is waited for: its batch is not begun a second time beside it.
            await self._release(set(self._tasks), _LONGEST_S)
            await end_tasks(self._assigning, _IDLE_STOP_S)
            await topic.stop()
            self._connection = None

    async def _look(self, topic: KafkaTopic) -> None:
        """Whether this is still a member; what partitions no longer keep is not retried."""
        await topic.check()
        self._backoff.reset()
        works = dict(self._works)
        first = await topic.first_offsets(works) if works else {}
        for partition, work in works.items():
            work.kept_from = first.get(partition, -1)

    def _failed(self, error: AwsError | StoreFullError) -> None:
        if isinstance(error, StoreFullError):
            self._report("PROBLEM: The disk is full.")
        else:
            self._report(f"PROBLEM: {error.message}")

    def _lost(self, error: AwsError) -> None:
        self._failed(error)
        self._broken.set()

    # What the group says

    async def revoked(self, partitions: Collection[int]) -> None:
        """See :class:`~lambent.sources.kafka.contract.Assignee`."""
        await end_tasks(self._assigning, 0)
        await self._release(partitions, REVOKE_S)

    async def assigned(self, partitions: Collection[int]) -> None:
        """See the protocol. The group does not wait while it is asked where they begin."""
        task = asyncio.get_running_loop().create_task(self._begin(partitions))
        self._assigning.add(task)
        task.add_done_callback(self._assigning.discard)

    async def _begin(self, partitions: Collection[int]) -> None:
        connection = self._connection
        if connection is None or not partitions:
            return
        topic, _ = connection
        try:
            offsets = await beginnings(topic, self._plan.position, partitions)
            for partition, offset in offsets.items():
                await topic.commit(partition, offset)
        except AwsError as error:
            self._lost(error)
            return
        except Exception:
            _log.exception("a Kafka topic could not be read")
            self._broken.set()
            return
        if not self._counters.invoked:
            self._report(NO_RECORDS)
        for partition, offset in offsets.items():
            if not self._stopping.is_set():
                self._start(connection, partition, offset)

    def _start(self, connection: Connection, partition: int, offset: int) -> None:
        name, stopping = self._plan.topic, asyncio.Event()
        source = PartitionSource(connection[0], name, self._plan.keeps, stopping, self._lost)
        work = replace(self._make_work(connection, source), stopping=stopping)
        shard = Shard(work, shard_name(name, partition), Checkpoint(position_at(offset)))
        self._shards[partition], self._works[partition] = shard, work
        task = self._tasks[partition] = asyncio.get_running_loop().create_task(shard.run())
        task.add_done_callback(lambda task: self._ended(partition, task))

    def _ended(self, partition: int, task: "asyncio.Task[None]") -> None:
        if self._tasks.get(partition) is task:
            del self._tasks[partition], self._shards[partition], self._works[partition]
        if log_failure(task) and not self._stopping.is_set():
            self._report("PROBLEM: The topic could not be read: see the platform's log.")
            self._broken.set()

    async def _release(self, partitions: Collection[int], deadline_s: float) -> None:
        """Ends reading partitions: those whose batches run have until the deadline."""
        here = [each for each in partitions if each in self._tasks]
        for partition in here:
            self._works[partition].stopping.set()
            self._shards[partition].wake()
        busy = [self._tasks[each] for each in here if self._shards[each].in_flight]
        idle = [self._tasks[each] for each in here if not self._shards[each].in_flight]
        await end_tasks(idle, min(deadline_s, _IDLE_STOP_S))
        await end_tasks([task for task in busy if not task.done()], deadline_s)
