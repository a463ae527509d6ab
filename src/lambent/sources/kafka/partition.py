"""A partition as a shard: where it begins, and its messages as records."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from lambent.model.errors import AwsError
from lambent.patterns.records import RecordFilter
from lambent.sources.kafka.contract import KafkaTopic
from lambent.sources.kafka.form import stream_record
from lambent.sources.kafka.offsets import offset_of, partition_of
from lambent.sources.stream_source import (
    LATEST,
    TRIM_HORIZON,
    Fetched,
    Position,
    PositionKind,
    ShardInfo,
    StreamFacts,
)
from lambent.sources.tasks import until_set

MAX_FETCH: Final = 10_000
"""As many as a batch may have."""


async def beginnings(
    topic: KafkaTopic, position: Position, partitions: Collection[int]
) -> dict[int, int]:
    """Where partitions are read from: what the group has committed, else what the mapping says.

    A partition without an offset in a group that has others is a new one: it begins at its first message, so that
    nothing is passed over. Source of the first: "Customizable consumer group ID".
    """
    committed = await topic.committed()
    known = {each: committed.get(each) for each in partitions}
    fresh = [each for each, offset in known.items() if offset is None]
    begun: dict[int, int] = {each: offset for each, offset in known.items() if offset is not None}
    if not fresh:
        return begun
    joined = any(offset is not None for offset in committed.values())
    return begun | dict(await _fresh(topic, TRIM_HORIZON if joined else position, fresh))


async def _fresh(
    topic: KafkaTopic, position: Position, partitions: Collection[int]
) -> Mapping[int, int]:
    if position == LATEST:
        return await topic.end_offsets(partitions)
    if position.kind is PositionKind.AT_TIMESTAMP:
        return await topic.offsets_at(round(float(position.value) * 1000), partitions)
    return await topic.first_offsets(partitions)


class PartitionSource:
    """Is a :class:`~lambent.sources.stream_source.StreamSource` of one partition; an iterator is an offset.

    ``lost`` is told of reads that failed: the library has tried again already what may go well.
    """

    max_fetch = MAX_FETCH
    from_time = True

    def __init__(
        self,
        topic: KafkaTopic,
        name: str,
        keeps: RecordFilter,
        stopping: asyncio.Event,
        lost: Callable[[AwsError], None],
    ) -> None:
        self._topic = topic
        self._name = name
        self._filter = keeps
        self._stopping = stopping
        self._lost = lost

    async def shards(self) -> list[ShardInfo]:
        """The consumer group says which there are."""
        return []

    async def facts(self) -> StreamFacts:
        """A topic says how far back it goes by its first offsets, not by a time."""
        return StreamFacts(float("inf"), "")

    async def iterator(self, shard_id: str, position: Position) -> str:
        """See the protocol. What is no longer kept is passed over when it is read."""
        if position.kind is PositionKind.TRIM_HORIZON:
            partition = partition_of(shard_id)
            return str((await self._topic.first_offsets([partition]))[partition])
        return str(offset_of(position))

    async def fetch(self, shard_id: str, iterator: str, limit: int) -> Fetched:
        """See the protocol; waits for messages, but no longer than until it is time to stop."""
        partition = partition_of(shard_id)
        reading = self._topic.fetch(partition, int(iterator), limit)
        try:
            messages = await until_set(reading, self._stopping) or []
        except AwsError as error:
            self._lost(error)
            raise
        now_s = time.time()
        records = tuple(
            stream_record(message, self._name, self._filter, now_s) for message in messages
        )
        following = str(messages[-1].offset + 1) if messages else iterator
        end = self._topic.end_of(partition)
        behind_ms = 0 if end is None or int(following) >= end else None
        return Fetched(records, following, behind_ms)
