"""How far a partition was handled: the offset that the consumer group has committed, kept by Kafka itself.

1. It never passes a message that is not done, given up or filtered; so a restart, or another member of the group,
   repeats at most the batch in hand.
2. What is given up is in its destination before the offset passes it: never lost. A platform killed between
   the two sends it twice.
"""

from collections.abc import Mapping

from lambent.model.errors import AwsError
from lambent.sources.checkpoints import Checkpoint, Checkpoints, Sending
from lambent.sources.kafka.contract import KafkaTopic
from lambent.sources.stream_source import Position, PositionKind
from lambent.sources.tumbling import Window
from lambent.store.queues.contract import QueueStore
from lambent.store.queues.outlet import Outlet


def shard_name(topic: str, partition: int) -> str:
    """A partition's name in events and reports."""
    return f"{topic}-{partition}"


def partition_of(shard_id: str) -> int:
    """What :func:`shard_name` was given."""
    return int(shard_id.rpartition("-")[2])


def position_at(offset: int) -> Position:
    """Reading begins with this message."""
    return Position(PositionKind.AT_SEQUENCE_NUMBER, str(offset))


def offset_of(position: Position) -> int:
    """The next offset."""
    return int(position.value) + (position.kind is PositionKind.AFTER_SEQUENCE_NUMBER)


class GroupOffsets(Checkpoints):
    """Of one mapping, by its group; the store takes what is sent to destinations, nothing else."""

    def __init__(self, uuid: str, store: QueueStore, outlet: Outlet, topic: KafkaTopic) -> None:
        super().__init__(uuid, store, outlet)
        self._topic = topic
        self._committed: dict[str, int] = {}

    async def save(
        self,
        shard_id: str,
        checkpoint: Checkpoint,
        _windows: Mapping[int, Window | None],
        sending: Sending | None = None,
    ) -> AwsError | None:
        """See :meth:`Checkpoints.save`."""
        refused = None if sending is None else await self.send(sending)
        offset = offset_of(checkpoint.position)
        if self._committed.get(shard_id) != offset:  # an attempt that failed moves nothing
            await self._topic.commit(partition_of(shard_id), offset)
            self._committed[shard_id] = offset
        return refused
